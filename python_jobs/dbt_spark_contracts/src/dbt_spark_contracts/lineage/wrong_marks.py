"""Marks that mark nothing: in the wrong place, mistyped, or on a column that is not there."""

from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from typing import Any

from dbt_common.exceptions import DbtRuntimeError

from dbt_spark_contracts.lineage.places import SCHEMA, SILVER_ONLY, STAYS_IN, words
from dbt_spark_contracts.lineage.project import PII, SOURCE, marked

# What a model's meta says, and a column's may not.
OF_MODELS = (
    *("pii_allowed", "untraced_allowed", "unaudited", "unguarded", "unproven_keys"),
    *("hold_back", "holds_rejects_of"),
)
OF_COLUMNS = (STAYS_IN, SILVER_ONLY, PII)
KNOWN = (*OF_COLUMNS, *OF_MODELS)
# What each mark says, in an example.
_EXAMPLES = {STAYS_IN: SCHEMA, SILVER_ONLY: "true", PII: "true"}


def told(node: dict) -> str:
    """What a node is called: a source by both of its names."""
    is_source = node["resource_type"] == SOURCE
    return f"{node['source_name']}.{node['name']}" if is_source else node["name"]


def misplaced(nodes: Iterable[dict]) -> list[str]:
    """What the ymls of these nodes say of marks that has no meaning: a line for each."""
    return list(dict.fromkeys(line for node in nodes for line in _of_node(node)))


def nowhere(nodes: Iterable[dict], select: Callable[[str], Iterable[str]]) -> list[str]:
    """What the columns of these nodes name as their place and is none: a line for each.

    Args:
        nodes: The nodes.
        select: The unique ids of the nodes that a word of dbt's node selection names. Raises
            DbtRuntimeError for what is none.
    """
    lines = []
    for node in nodes:
        for column in node["columns"].values():
            for word in words(column):
                if word != SCHEMA and (line := _wrong_word(word, select)):
                    lines.append(f"{told(node)}.{column['name']}: meta {STAYS_IN}: {line}")
    return list(dict.fromkeys(lines))


def _wrong_word(word: str, select: Callable[[str], Iterable[str]]) -> str:
    try:
        there = any(True for _ in select(word))
    except DbtRuntimeError as error:
        return error.msg
    return "" if there else f"{word} names no model: correct it, or take it out."


def absent(node: dict, there: Iterable[str]) -> list[str]:
    """The marked columns of a node that are not among those of its table: a line for each.

    A mark may be on a field of a column, `column.field`.
    """
    names = {name.lower() for name in there}
    return [
        f"{told(node)}.{column['name']} is marked {' and '.join(_said(column))}, and "
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


def by_words(nodes: Iterable[dict]) -> Iterator[str]:
    """The columns of these nodes that name a place, for an engine that knows schemas only."""
    for node in nodes:
        for column in node["columns"].values():
            if {*words(column)} - {SCHEMA}:
                yield (
                    f"{told(node)}.{column['name']}: meta {STAYS_IN} is held on Spark only, but "
                    f"for `{STAYS_IN}: {SCHEMA}`: say that, or build this on Spark."
                )


def _of_node(node: dict) -> Iterator[str]:
    for key, value in _meta(node).items():
        name = _meant(key)
        if name in OF_COLUMNS and value not in (False, None):
            example = f"{name}: {_EXAMPLES[name]}"
            yield (
                f"{told(node)}: meta {key} stands at the whole, where it marks nothing: say it at "
                f"each column, `columns: [{{name: …, config: {{meta: {{{example}}}}}}}]`."
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
        if _meta(column).get(SILVER_ONLY) is True and _meta(column).get(STAYS_IN):
            yield f"{where}: meta {SILVER_ONLY} is `{STAYS_IN}: {SCHEMA}`: say one of them."
        for key in sorted({*column} & {*KNOWN}):
            yield f"{where}: {key} has no meaning beside meta: say it in meta."


def _wrong_in_column(key: str, value: Any) -> str:
    name = _meant(key)
    if name in OF_MODELS:
        return f"meta {key} has no meaning at a column: say it in the meta of the model."
    if name in OF_COLUMNS and name != key:
        return f"meta {key} marks nothing: it is spelt {name}."
    if name == STAYS_IN and value not in (None, False) and not _is_place(value):
        return (
            f"meta {key} is {value!r}, and has to be `{SCHEMA}`, or words of dbt's node selection: "
            f"`{STAYS_IN}: [path:models/staging, tag:private]`."
        )
    if name in (SILVER_ONLY, PII) and not isinstance(value, bool):
        return f"meta {key} is {value!r}, and has to be true or false."
    return ""


def _is_place(value: Any) -> bool:
    listed = value if isinstance(value, list) else [value]
    return bool(listed) and all(isinstance(word, str) and word.strip() for word in listed)


def _said(column: dict) -> list[str]:
    """The marks of a column, by the names that its yml has for them."""
    return [name for name in sorted(OF_COLUMNS) if _meta(column).get(name) not in (None, False)]


def _meta(told_of: dict) -> dict:
    """The meta of a node or of a column, in either place where dbt takes it."""
    return {**((told_of.get("config") or {}).get("meta") or {}), **(told_of.get("meta") or {})}


def _meant(key: str) -> str:
    """The mark that a key is, or that it must be meant for; none, if it is another thing."""
    plain = str(key).strip().lower().replace("-", "_").replace(" ", "_")
    return next(iter(get_close_matches(plain, KNOWN, 1, 0.8)), "")
