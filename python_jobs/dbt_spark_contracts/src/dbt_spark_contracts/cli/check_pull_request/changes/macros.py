"""Changed macros of the project and its packages, including those called indirectly."""

import re
from collections.abc import Iterable, Iterator, Mapping

from dbt_spark_contracts.cli.check_pull_request.changes.change import Change, Reach
from dbt_spark_contracts.cli.check_pull_request.manifest import Manifest, names

# The macro with which dbt extends the code of a Python model.
PYTHON_MODEL = "py_script_postfix"


OF_DBT = ("dbt", "dbt_spark", "dbt_athena")
# Their effect shows in the names of the nodes' tables.
NAMING = ("generate_schema_name", "generate_alias_name", "generate_database_name")


class Calls:
    """The macros that a manifest's nodes call, directly or indirectly.

    Args:
        manifest: The manifest.
    """

    def __init__(self, manifest: Manifest) -> None:
        self.macros = manifest.macros
        self.adapter = manifest.raw["metadata"].get("adapter_type") or "spark"
        self._by_name: dict[str, list[str]] = {}
        for key, macro in self.macros.items():
            self._by_name.setdefault(macro["name"], []).append(key)
        self._all: dict[str, set[str]] = {}

    def of(self, node: dict) -> dict[Reach, set[str]]:
        """Return the macros that affect a node: in its query, and elsewhere."""
        config = node["config"]
        hooks = [hook["sql"] for name in ("pre-hook", "post-hook") for hook in config.get(name, [])]
        besides = self.named(self._materialization(config) | self._words(hooks))
        in_query = self.closure((node.get("depends_on") or {}).get("macros") or []) - besides
        handed = self.named([PYTHON_MODEL]) if node.get("language") == "python" else set()
        reads_config = ".config.get(" in (node.get("raw_code") or "")
        return {
            Reach.QUERY: in_query,
            Reach.ALL: besides - handed,
            Reach.PLAN: handed if reads_config else set(),
        }

    def of_test(self, test: dict) -> set[str]:
        """Return the macros that affect a data test or a unit test."""
        kind = "unit" if test["resource_type"] == "unit_test" else "test"
        runs = self.named(f"materialization_{kind}_{of}" for of in ("default", self.adapter))
        where = self.named(["get_where_subquery"]) if kind == "test" else set()
        own = self.closure((test.get("depends_on") or {}).get("macros") or ())
        return own | runs | where

    def is_of_dbt(self, key: str) -> bool:
        """Return whether a macro of the project overrides one of dbt's or the adapter's."""
        packages = {
            self.macros[other]["package_name"]
            for name in self.stands_for(key) - {*NAMING}
            for other in self._by_name.get(name, ())
        }
        own = self.macros[key]["package_name"]
        return own not in OF_DBT and bool(packages & {*OF_DBT})

    def named(self, wanted: Iterable[str]) -> set[str]:
        """Return the macros with these names, and those that they call."""
        return self.closure(key for name in wanted for key in self._by_name.get(name, ()))

    def closure(self, keys: Iterable[str]) -> set[str]:
        """Return these macros and those that they call, directly or indirectly."""
        found: set[str] = set()
        reached = [key for key in keys if key in self.macros]
        while reached:
            key = reached.pop()
            if key not in found:
                found.add(key)
                called = self.macros[key]["depends_on"]["macros"]
                reached += [each for each in called if each in self.macros]
        return found

    def _materialization(self, config: dict) -> set[str]:
        """Return the names of macros that dbt looks up by a node's config."""
        kind, strategy = config.get("materialized"), config.get("strategy")
        by = config.get("incremental_strategy") or "default"
        return {
            *(f"materialization_{kind}_{of}" for of in ("default", self.adapter)),
            *([f"get_incremental_{by}_sql"] if kind == "incremental" else []),
            *([f"snapshot_{strategy}_strategy"] if kind == "snapshot" else []),
        }

    def _words(self, texts: list[str]) -> set[str]:
        """Return the macro names that appear in texts."""
        return {word for text in texts for word in re.findall(r"\w+", text)} & self._by_name.keys()

    def stands_for(self, key: str) -> set[str]:
        """Return the names a macro can be called by. A dispatched one also has the common name."""
        name = self.macros[key]["name"]
        prefix, _, common = name.partition("__")
        is_dispatched = prefix in ("default", "spark", self.adapter) and bool(common)
        return {name, common} if is_dispatched else {name}


def changed(before: Manifest, after: Manifest) -> Iterator[Change]:
    """Yield each macro with different text, and the nodes that call it."""
    calls = {id(state): Calls(state) for state in (before, after)}
    for key in sorted(before.macros.keys() | after.macros.keys()):
        texts = [state.macros.get(key, {}).get("macro_sql") for state in (before, after)]
        if texts[0] == texts[1]:
            continue
        how = "is new" if texts[0] is None else "is gone" if texts[1] is None else "has changed"
        state = before if texts[1] is None else after
        macro = state.macros[key]
        # A new or removed macro changes which macro its name refers to.
        called = calls[id(state)].stands_for(key) if None in texts else {macro["name"]}
        reaches: dict[str, Reach] = {}
        for each in (before, after):
            reaches |= _reaches(each, calls[id(each)], {key}, called if None in texts else set())
        commands = _commands(after, calls[id(after)], key)
        tests = _tests((before, after), calls, {key}, called if None in texts else set())
        by = [*([names(reaches)] if reaches else []), *tests]
        where = f": used by {', '.join(by)}" if by else ": no model uses it"
        if commands:
            where = f": used by {', '.join(commands)}, which no plan shows"
            reaches = dict.fromkeys(after.nodes, Reach.ALL)
        elif not by and calls[id(state)].is_of_dbt(key):
            where = ": it takes the place of dbt's, which dbt may call by itself for every model"
            reaches = dict.fromkeys(after.nodes, Reach.ALL)
        name = key.partition(".")[2].removeprefix(f"{after.project}.")
        file = macro["original_file_path"] if macro["package_name"] == after.project else ""
        yield Change("macro", f"the macro {name} {how}{where}", file if texts[1] else "", reaches)


def _reaches(state: Manifest, calls: Calls, wanted: set[str], called: set[str]) -> dict[str, Reach]:
    """Return the nodes that call a macro with one of these ids or names."""
    found: dict[str, Reach] = {}
    for key, node in state.nodes.items():
        for reach, macros in calls.of(node).items():
            by_name = called and any(state.macros[each]["name"] in called for each in macros)
            if wanted & macros or by_name:
                # If it is called in two ways, the farther reach counts.
                found[key] = min(reach, found.get(key, reach), key=list(Reach).index)
    return found


def _tests(
    states: tuple[Manifest, ...], calls: Mapping[int, Calls], wanted: set[str], called: set[str]
) -> list[str]:
    """Return the tests that call a macro with one of these ids or names, in words."""
    found = set()
    for state in states:
        for test in state.tests.values():
            macros = calls[id(state)].of_test(test)
            if wanted & macros or any(state.macros[each]["name"] in called for each in macros):
                kind = "unit test" if test["resource_type"] == "unit_test" else "data test"
                found.add(f"the {kind} {test['name']}")
    return sorted(found)


def _commands(state: Manifest, calls: Calls, key: str) -> list[str]:
    """Return the hooks of dbt commands that call a macro."""
    return sorted(
        {
            tag
            for hook in state.hooks.values()
            if key in calls.closure(hook["depends_on"]["macros"])
            for tag in hook["tags"]
        }
    )
