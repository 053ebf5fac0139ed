"""Changed or weakened safeguards of tables: tests, access, allowances.

They change no value of a table, so they reach no column.
"""

from collections.abc import Iterator
from pathlib import Path

from dbt_spark_contracts.cli.check_pull_request.changes.change import Change
from dbt_spark_contracts.cli.check_pull_request.changes.code import told
from dbt_spark_contracts.cli.check_pull_request.changes.settings import PROJECT_FILE
from dbt_spark_contracts.cli.check_pull_request.manifest import Manifest, file_of, names, parents
from dbt_spark_contracts.cli.check_pull_request.project import read_yaml
from dbt_spark_contracts.lineage.artifact import short_name
from dbt_spark_contracts.lineage.wrong_marks import OF_MODELS

# The var of dbt_project.yml with the schemas in which each model must have a contract.
COMPULSORY = "contracts_required_in"
# Config of a data test that dbt derives, or that is reported separately.
NOT_OF_TESTS = ("alias", "database", "enabled", "group", "static_analysis")


def changed(root: Path, tree: Path, before: Manifest, after: Manifest) -> Iterator[Change]:
    """Yield each changed test, access, allowance and requirement of contracts.

    Args:
        root: The project's folder.
        tree: The same in a work tree of the base.
        before: The base's manifest.
        after: The working tree's manifest.

    Yields:
        The changes.
    """
    yield from _tests(before, after)
    yield from _access(before, after)
    yield from _allowances(before, after)
    yield from _compulsory(root, tree, after)


def _tests(before: Manifest, after: Manifest) -> Iterator[Change]:
    for key in sorted(before.tests.keys() | after.tests.keys()):
        old, new = before.tests.get(key), after.tests.get(key)
        node = new or old or {}
        kind = "unit test" if node["resource_type"] == "unit_test" else "data test"
        # dbt's unique id of a generic test ends with a hash.
        of = names(parents(node))
        test = f"the {kind} {node['name']}" + (f" of {of}" if of else "")
        file = file_of(node) if new else ""
        if old is None or new is None:
            is_disabled = key in (after.raw.get("disabled") or {})
            how = "is new" if old is None else "is disabled" if is_disabled else "is gone"
            yield Change("test", f"{test} {how}", file)
            continue
        for name in _settings(old, new) if kind == "data test" else ():
            was, now = (_setting(each, name) for each in (old, new))
            if was != now:
                yield Change("test", f"{test}: {name} is {now}, and was {was}", file)
        if _what_it_asks(old) != _what_it_asks(new):
            yield Change("test", f"{test} tests something else", file)


def _settings(*tests: dict) -> list[str]:
    return sorted({name for test in tests for name in test["config"]} - {*NOT_OF_TESTS})


def _setting(test: dict, name: str) -> str:
    value = test["config"].get(name)
    if value in (None, [], {}):
        return "not set"
    return str(value).lower() if name == "severity" else str(value)


def _what_it_asks(test: dict) -> tuple:
    """Return what a test checks, without its config, which is part of a generic test's code."""
    generic = test.get("test_metadata")
    code = generic or test.get("raw_code")
    asked = ("column_name", "model", "given", "expect", "overrides")
    return (code, *(test.get(name) for name in asked), parents(test))


def _access(before: Manifest, after: Manifest) -> Iterator[Change]:
    for key, new in sorted(after.nodes.items()):
        old = before.nodes.get(key, new)
        for name in ("access", "group"):
            was, now = (each.get(name) or "not set" for each in (old, new))
            if was != now:
                text = f"{short_name(key)}: {name} is {now}, and was {was}"
                yield Change("access", text, file_of(new))


def _allowances(before: Manifest, after: Manifest) -> Iterator[Change]:
    """Yield changes in a model's meta that allow what would be an error."""
    for key, new in sorted(after.nodes.items()):
        old = before.nodes.get(key) or {}
        for name in OF_MODELS:
            was, now = (_meta(each).get(name) for each in (old, new))
            if was != now:
                text = f"{short_name(key)}: meta {name} is {told(now)}, and was {told(was)}"
                yield Change("allowance", text, file_of(new))


def _compulsory(root: Path, tree: Path, after: Manifest) -> Iterator[Change]:
    """Yield the schemas in which contracts are no longer required."""
    was, now = (schemas_with_contracts(folder, after.project) for folder in (tree, root))
    if lost := was - now:
        text = f"contracts are no longer required in {', '.join(sorted(lost))}"
        yield Change("allowance", text, PROJECT_FILE)


def schemas_with_contracts(root: Path, project: str) -> set[str]:
    """Return the schemas in which each model must have a contract, from dbt_project.yml."""
    variables = read_yaml(root / PROJECT_FILE).get("vars") or {}
    own = variables.get(project)
    listed = (own.get(COMPULSORY) if isinstance(own, dict) else None) or variables.get(COMPULSORY)
    return {str(each) for each in ([listed] if isinstance(listed, str) else listed or [])}


def _meta(node: dict) -> dict:
    return (node.get("config") or {}).get("meta") or {}
