"""Finds marks without an effect: misplaced, misspelt, or on a column that does not exist."""

from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from typing import Any

from dbt_common.exceptions import DbtRuntimeError

from dbt_spark_contracts.lineage.places import SCHEMA, SILVER_ONLY, STAYS_IN, words
from dbt_spark_contracts.lineage.project import PII, SOURCE, marked

# Keys that are allowed in a model's meta, and not in a column's.
OF_MODELS = (
    *("pii_allowed", "untraced_allowed", "unaudited", "unguarded", "unproven_keys"),
    *("hold_back", "holds_rejects_of"),
)
OF_COLUMNS = (STAYS_IN, SILVER_ONLY, PII)
KNOWN = (*OF_COLUMNS, *OF_MODELS)
# An example value of each mark.
_EXAMPLES = {STAYS_IN: SCHEMA, SILVER_ONLY: "true", PII: "true"}


def told(node: dict) -> str:
    """Return the name of a node. For a source, both of its names."""
    is_source = node["resource_type"] == SOURCE
    return f"{node['source_name']}.{node['name']}" if is_source else node["name"]


def misplaced(nodes: Iterable[dict]) -> list[str]:
    """Return one line for each mark without an effect in the ymls of these nodes."""
    return list(dict.fromkeys(line for node in nodes for line in _of_node(node)))


def nowhere(nodes: Iterable[dict], select: Callable[[str], Iterable[str]]) -> list[str]:
    """Return one line for each `stays_in` selector that selects nothing.

    Args:
        nodes: The nodes.
        select: Returns the unique ids of the nodes that a dbt selector selects. Raises
            DbtRuntimeError if it is not a selector.
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
    return "" if there else f"{word} selects no model: correct or remove it."


def absent(node: dict, there: Iterable[str]) -> list[str]:
    """Return one line for each marked column of a node that its table does not have.

    A mark may be on a field of a column: `column.field`.

    Args:
        node: The node.
        there: The columns of its table.
    """
    names = {name.lower() for name in there}
    return [
        f"{told(node)}.{column['name']} is marked {' and '.join(_said(column))}, and "
        "there is no such column: correct its name or remove it from the yml."
        for column in node["columns"].values()
        if marked(column)
        and not {column["name"].lower(), column["name"].lower().partition(".")[0]} & names
    ]


def absent_from_contracts(nodes: Iterable[dict]) -> Iterator[str]:
    """Yield one line for each allowance that names a column outside the node's contract."""
    for node in nodes:
        if not (node["config"].get("contract") or {}).get("enforced"):
            continue
        there = {name.lower() for name in node["columns"]}
        for key in ("pii_allowed", "untraced_allowed"):
            allowances = _meta(node).get(key)
            for column in allowances if isinstance(allowances, dict) else ():
                if str(column).lower() not in there:
                    yield f"{told(node)}: meta {key} names {column}, a column that does not exist."


def by_words(nodes: Iterable[dict]) -> Iterator[str]:
    """Yield one line for each column with a selector, for an engine that supports only schemas."""
    for node in nodes:
        for column in node["columns"].values():
            if {*words(column)} - {SCHEMA}:
                yield (
                    f"{told(node)}.{column['name']}: meta {STAYS_IN} works on Spark only, except "
                    f"`{STAYS_IN}: {SCHEMA}`: use that, or build this on Spark."
                )


def _of_node(node: dict) -> Iterator[str]:
    for key, value in _meta(node).items():
        name = _meant(key)
        if name in OF_COLUMNS and value not in (False, None):
            example = f"{name}: {_EXAMPLES[name]}"
            yield (
                f"{told(node)}: meta {key} marks nothing here: set it on "
                f"each column, `columns: [{{name: …, config: {{meta: {{{example}}}}}}}]`."
            )
        elif name in OF_MODELS and name != key:
            yield f"{told(node)}: meta {key} has no meaning: write {name}."
    for key in sorted({*(node.get("config") or {})} & {*KNOWN}):
        yield f"{told(node)}: {key} has no meaning outside meta: put it into meta."
    for column in node["columns"].values():
        where = f"{told(node)}.{column['name']}"
        for key, value in _meta(column).items():
            if line := _wrong_in_column(key, value):
                yield f"{where}: {line}"
        if _meta(column).get(SILVER_ONLY) is True and _meta(column).get(STAYS_IN):
            yield f"{where}: meta {SILVER_ONLY} is `{STAYS_IN}: {SCHEMA}`: use only one of them."
        for key in sorted({*column} & {*KNOWN}):
            yield f"{where}: {key} has no meaning outside meta: put it into meta."


def _wrong_in_column(key: str, value: Any) -> str:
    name = _meant(key)
    if name in OF_MODELS:
        return f"meta {key} has no meaning on a column: put it into the model's meta."
    if name in OF_COLUMNS and name != key:
        return f"meta {key} marks nothing: write {name}."
    if name == STAYS_IN and value not in (None, False) and not _is_place(value):
        return (
            f"meta {key} is {value!r}, but must be `{SCHEMA}` or dbt selectors: "
            f"`{STAYS_IN}: [path:models/staging, tag:private]`."
        )
    if name in (SILVER_ONLY, PII) and not isinstance(value, bool):
        return f"meta {key} is {value!r}, but must be true or false."
    return ""


def _is_place(value: Any) -> bool:
    listed = value if isinstance(value, list) else [value]
    return bool(listed) and all(isinstance(word, str) and word.strip() for word in listed)


def _said(column: dict) -> list[str]:
    """Return the marks of a column, by their names in the yml."""
    return [name for name in sorted(OF_COLUMNS) if _meta(column).get(name) not in (None, False)]


def _meta(told_of: dict) -> dict:
    """Return the meta of a node or a column. dbt accepts it in two places."""
    return {**((told_of.get("config") or {}).get("meta") or {}), **(told_of.get("meta") or {})}


def _meant(key: str) -> str:
    """Return the mark that a key is, or is a misspelling of. Empty for other keys."""
    plain = str(key).strip().lower().replace("-", "_").replace(" ", "_")
    return next(iter(get_close_matches(plain, KNOWN, 1, 0.8)), "")
