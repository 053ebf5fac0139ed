"""Defaults of vars in dbt_project.yml, and settings of profiles.yml."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dbt_spark_contracts.cli.check_pull_request.changes.change import Change, Reach
from dbt_spark_contracts.cli.check_pull_request.changes.macros import Calls
from dbt_spark_contracts.cli.check_pull_request.manifest import Manifest, names
from dbt_spark_contracts.cli.check_pull_request.project import PROFILES, Project, read_yaml

PROJECT_FILE = "dbt_project.yml"

# Keys of dbt_project.yml that show in the nodes, or that are reported separately.
SHOWN_ELSEWHERE = {
    *("models", "seeds", "snapshots", "sources", "exposures", "vars", "functions", "metrics"),
    *("tests", "data_tests", "unit_tests", "semantic-models", "saved-queries"),
}
OF_ALL_MODELS = ("on-run-start", "on-run-end", "dispatch")

# Settings of a profile that determine where the tables are.
WHERE_TABLES_ARE = ("schema", "database", "catalog")
# Settings that affect speed, place or user, but no rows.
HARMLESS = (
    r"threads|host|port|user|token|retry_all|connect_\w+|query_\w+|poll_interval"
    r"|spark\.(master|driver\.\w+|executor\.\w+|ui\..*|eventLog\..*|dbt\..*|checkpoint\..*)"
)


def of_vars(root: Path, tree: Path, before: Manifest, after: Manifest) -> Iterator[Change]:
    """Yield each var with a different default, and the nodes that read it."""
    old, new = (read_yaml(folder / PROJECT_FILE).get("vars") or {} for folder in (tree, root))
    if old == new:
        return
    packages = {macro["package_name"] for macro in after.macros.values()} | {after.project}
    calls = [(before, Calls(before)), (after, Calls(after))]
    for package, name in sorted({*_defaults(old, packages), *_defaults(new, packages)}):
        was, now = (_defaults(each, packages).get((package, name)) for each in (old, new))
        if was == now:
            continue
        reaches: dict[str, Reach] = {}
        for state, called in calls:
            reaches |= var_readers(state, called, name)
        of = f"{package}." if package else ""
        where = f": read by {names(reaches)}" if reaches else ": no model reads it"
        text = f"the var {of}{name} is {_told(now)} by default, and was {_told(was)}{where}"
        yield Change("var", text, PROJECT_FILE, reaches)


def of_project(root: Path, tree: Path, after: Manifest) -> Iterator[Change]:
    """Yield each setting of dbt_project.yml that no manifest shows, such as hooks of commands."""
    old, new = (read_yaml(folder / PROJECT_FILE) for folder in (tree, root))
    for name in sorted((old.keys() | new.keys()) - SHOWN_ELSEWHERE):
        was, now = old.get(name), new.get(name)
        if was == now:
            continue
        reaches = dict.fromkeys(after.nodes, Reach.ALL) if name in OF_ALL_MODELS else {}
        where = ", which may affect every model" if reaches else ""
        text = f"{name} is {_told(now)}, and was {_told(was)}{where}"
        yield Change("project", text, PROJECT_FILE, reaches)


def of_profiles(project: Project, tree: Path, after: Manifest) -> Iterator[Change]:
    """Yield each changed setting of the project's profiles.yml. A Spark setting reaches all."""
    file = (project.profiles / PROFILES).resolve()
    if not file.is_relative_to(project.repository().resolve()):
        return
    here = Path(os.path.relpath(file, project.root.resolve())).as_posix()
    old, new = (dict(_flat(read_yaml(each))) for each in (tree / here, file))
    for path in sorted(old.keys() | new.keys()):
        was, now = old.get(path), new.get(path)
        if was == now:
            continue
        name = next((part for part in reversed(path) if not part.isdigit()), "")
        text = f"{'.'.join(path)} is {_told(now)}, and was {_told(was)}"
        if name in WHERE_TABLES_ARE:
            reach, where = Reach.NAME, "so every table of that target moves"
        elif re.fullmatch(HARMLESS, name) or path[-1] == "target":
            reach, where = None, "which affects no rows"
        else:
            reach, where = Reach.ALL, "which may affect every model"
        reaches = dict.fromkeys(after.nodes, reach) if reach else {}
        yield Change("profile", f"{text}, {where}", here, reaches)


def _defaults(variables: dict, packages: set[str]) -> dict[tuple[str, str], Any]:
    """Return the vars by package ("" for all packages) and name."""
    found: dict[tuple[str, str], Any] = {}
    for name, value in variables.items():
        if name in packages and isinstance(value, dict):
            found |= {(name, own): each for own, each in value.items()}
        else:
            found["", name] = value
    return found


def var_readers(state: Manifest, calls: Calls, name: str) -> dict[str, Reach]:
    """Return the nodes that read a var in their code or config, or through a macro.

    Nodes of other packages may read a package's var through its macros.
    """
    macros = {key for key, macro in state.macros.items() if _reads(macro["macro_sql"], name)}
    found: dict[str, Reach] = {}
    for key, node in state.nodes.items():
        if _reads(node.get("raw_code") or "", name):
            found[key] = Reach.QUERY
        # Rendered config is reported separately, but not what its hooks do.
        if _reads(str(node.get("unrendered_config")), name):
            found[key] = Reach.ALL
        for reach, called in calls.of(node).items():
            if called & macros:
                found[key] = min(reach, found.get(key, reach), key=list(Reach).index)
    return found


def _reads(text: str, name: str) -> bool:
    """Return whether Jinja code reads the var, or a var with a computed name."""
    own = rf"""\bvar\s*\(\s*(["']){re.escape(name)}\1"""
    computed = r"""\bvar\s*\(\s*[^"'\s)]"""
    return bool(re.search(own, text) or re.search(computed, text))


def _flat(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _flat(each, (*path, str(key)))
    else:
        yield path, value


def _told(value: Any) -> str:
    return "not set" if value is None else str(value)
