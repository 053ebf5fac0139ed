"""Marks that mark nothing: in the wrong place, mistyped, or on a column that is not there."""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any

from dbt_spark_contracts.lineage.project import MARKS, SOURCE, marked

# What a model's meta says, and a column's may not.
OF_MODELS = ("pii_allowed", "untraced_allowed", "unaudited", "unproven_keys")
KNOWN = (*MARKS, *OF_MODELS)


def told(node: dict) -> str:
    """What a node is called: a source by both of its names."""
    is_source = node["resource_type"] == SOURCE
    return f"{node['source_name']}.{node['name']}" if is_source else node["name"]


def misplaced(nodes: Iterable[dict]) -> list[str]:
    """What the ymls of these nodes say of marks that has no meaning: a line for each."""
    return list(dict.fromkeys(line for node in nodes for line in _of_node(node)))


def absent(node: dict, there: Iterable[str]) -> list[str]:
    """The marked columns of a node that are not among those of its table: a line for each.

    A mark may be on a field of a column, `column.field`.
    """
    names = {name.lower() for name in there}
    return [
        f"{told(node)}.{column['name']} is marked {' and '.join(sorted(marked(column)))}, and "
        "there is no such column: correct its name, or take it out of the yml."
        for column in node["columns"].values()
        if marked(column)
        and not {column["name"].lower(), column["name"].lower().partition(".")[0]} & names
    ]


def absent_from_contracts(nodes: Iterable[dict]) -> Iterator[str]:
    """The allowances of these nodes that name no column of their contract: a line for each."""
    for node in nodes:
        if not (node["config"].get("contract") or {}).get("enforced"):
            continue
        there = {name.lower() for name in node["columns"]}
        for key in ("pii_allowed", "untraced_allowed"):
            allowances = _meta(node).get(key)
            for column in allowances if isinstance(allowances, dict) else ():
                if str(column).lower() not in there:
                    yield f"{told(node)}: meta {key} names {column}, a column that is not there."


def _of_node(node: dict) -> Iterator[str]:
    for key, value in _meta(node).items():
        name = _meant(key)
        if name in MARKS and value not in (False, None):
            yield (
                f"{told(node)}: meta {key} stands at the whole, where it marks nothing: say it at "
                f"each column, `columns: [{{name: …, config: {{meta: {{{name}: true}}}}}}]`."
            )
        elif name in OF_MODELS and name != key:
            yield f"{told(node)}: meta {key} has no meaning: it is spelt {name}."
    for key in sorted({*(node.get("config") or {})} & {*KNOWN}):
        yield f"{told(node)}: {key} has no meaning beside meta: say it in meta."
    for column in node["columns"].values():
        where = f"{told(node)}.{column['name']}"
        for key, value in _meta(column).items():
            if line := _wrong_in_column(key, value):
                yield f"{where}: {line}"
        for key in sorted({*column} & {*KNOWN}):
            yield f"{where}: {key} has no meaning beside meta: say it in meta."


def _wrong_in_column(key: str, value: Any) -> str:
    name = _meant(key)
    if name in OF_MODELS:
        return f"meta {key} has no meaning at a column: say it in the meta of the model."
    if name in MARKS and name != key:
        return f"meta {key} marks nothing: it is spelt {name}."
    if name in MARKS and not isinstance(value, bool):
        return f"meta {key} is {value!r}, and has to be true or false."
    return ""


def _meta(told_of: dict) -> dict:
    """The meta of a node or of a column, in either place where dbt takes it."""
    return {**((told_of.get("config") or {}).get("meta") or {}), **(told_of.get("meta") or {})}


def _meant(key: str) -> str:
    """The mark that a key is, or that it must be meant for; none, if it is another thing."""
    plain = str(key).strip().lower().replace("-", "_").replace(" ", "_")
    return next(iter(get_close_matches(plain, KNOWN, 1, 0.8)), "")
