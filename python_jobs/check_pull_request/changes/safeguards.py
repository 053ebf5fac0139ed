"""What watches over the tables and is weaker, or another: tests, access, allowances.

No value of a table changes by that, so it reaches no column.
"""

from collections.abc import Iterator

from dbt_spark_contracts.lineage.artifact import short_name
from dbt_spark_contracts.lineage.wrong_marks import OF_MODELS

from python_jobs.check_pull_request.changes.change import Change
from python_jobs.check_pull_request.manifest import Manifest, file_of, names, parents

# Of a data test's config, what decides whether rows that it finds stop a build.
OF_TESTS = ("severity", "where", "limit", "fail_calc", "warn_if", "error_if")


def changed(before: Manifest, after: Manifest) -> Iterator[Change]:
    """Each test, access and allowance that is another."""
    yield from _tests(before, after)
    yield from _access(before, after)
    yield from _allowances(before, after)


def _tests(before: Manifest, after: Manifest) -> Iterator[Change]:
    for key in sorted(before.tests.keys() | after.tests.keys()):
        old, new = before.tests.get(key), after.tests.get(key)
        node = new or old or {}
        kind = "unit test" if node["resource_type"] == "unit_test" else "data test"
        # dbt's unique id of a generic test ends in a hash.
        of = names(parents(node))
        test = f"the {kind} {node['name']}" + (f" of {of}" if of else "")
        file = file_of(node) if new else ""
        if old is None or new is None:
            is_disabled = key in (after.raw.get("disabled") or {})
            how = "is new" if old is None else "is disabled" if is_disabled else "is gone"
            yield Change("test", f"{test} {how}", file)
            continue
        for name in OF_TESTS if kind == "data test" else ():
            was, now = (_setting(each, name) for each in (old, new))
            if was != now:
                yield Change("test", f"{test}: {name} is {now}, and was {was}", file)
        if _what_it_asks(old) != _what_it_asks(new):
            yield Change("test", f"{test} asks for something else", file)


def _setting(test: dict, name: str) -> str:
    value = test["config"].get(name)
    return "not set" if value is None else str(value)


def _what_it_asks(test: dict) -> tuple:
    """What a test looks for, besides its config."""
    return tuple(test.get(name) for name in ("raw_code", "given", "expect", "overrides"))


def _access(before: Manifest, after: Manifest) -> Iterator[Change]:
    for key, new in sorted(after.nodes.items()):
        old = before.nodes.get(key, new)
        for name in ("access", "group"):
            was, now = (each.get(name) or "not set" for each in (old, new))
            if was != now:
                text = f"{short_name(key)}: {name} is {now}, and was {was}"
                yield Change("access", text, file_of(new))


def _allowances(before: Manifest, after: Manifest) -> Iterator[Change]:
    """What a model's meta lets pass that would be an error."""
    for key, new in sorted(after.nodes.items()):
        old = before.nodes.get(key) or {}
        for name in OF_MODELS:
            was, now = (_meta(each).get(name) for each in (old, new))
            if was != now and now is not None:
                text = f"{short_name(key)}: meta {name} is {now}"
                told = f"{text}, and was {was}" if was is not None else f"{text}, and was not set"
                yield Change("allowance", told, file_of(new))


def _meta(node: dict) -> dict:
    return (node.get("config") or {}).get("meta") or {}
