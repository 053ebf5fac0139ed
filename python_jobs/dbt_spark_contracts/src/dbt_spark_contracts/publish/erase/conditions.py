"""SQL that finds the value in a column, and SQL that takes it out.

The value and its patterns are parameters of the statement: no log has them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dbt_spark_contracts.publish.erase import pattern
from dbt_spark_contracts.publish.erase.asked import ERASED, ORIGIN, SAME, SKIP, TEXT, UNKNOWN, Asked
from dbt_spark_contracts.schemas import Field, quoted

_TEXTS = ("string", "varchar", "char", "binary")
_NESTED = ("struct", "array", "map")

# How the value was found.
WHOLE, INSIDE = "whole value", "inside a text"


@dataclass(frozen=True)
class Match:
    """Where the value is looked for: a column, how, and the condition of a row that holds it."""

    column: str
    how: str
    sql: str


def parameters(asked: Asked) -> dict[str, str]:
    """Return the parameters of each statement."""
    value = asked.value
    return {
        "value": value,
        "inside": pattern.inside(value),
        "json": pattern.json_value(value),
        "erased": ERASED,
    }


def used(asked: Asked, statement: str) -> dict[str, str]:
    """Return those that the statement names: Spark refuses others."""
    return {name: text for name, text in parameters(asked).items() if f":{name}" in statement}


def match(name: str, data_type: str, rule: str, asked: Asked) -> Match | None:
    """Return where a column of this type may hold the value. None if it cannot.

    Args:
        name: The column.
        data_type: Its type in Spark's spelling.
        rule: How the value is looked for.
        asked: What is to be erased.
    """
    is_nested, is_text = data_type.startswith(_NESTED), data_type.startswith(_TEXTS)
    if rule == SKIP:
        return None
    if is_nested or (is_text and rule in (ORIGIN, TEXT, UNKNOWN)):
        return Match(name, INSIDE, f"{_text(name, data_type)} rlike :inside")
    if rule in (SAME, ORIGIN) or (rule == UNKNOWN and data_type in asked.types):
        column = quoted(name)
        sql = f"{_text(name, data_type)} <=> :value"
        if not is_text:
            sql = f"({sql} or {column} <=> try_cast(:value as {data_type}))"
        return Match(name, WHOLE, sql)
    return None


def _text(name: str, data_type: str) -> str:
    column = quoted(name)
    if data_type.startswith(_NESTED):
        return f"to_json({column})"
    return column if data_type == "string" else f"cast({column} as string)"


@dataclass(frozen=True)
class Change:
    """What becomes of the rows of a table.

    Attributes:
        deleted: The condition of the rows that are deleted; none if it is empty.
        updated: The condition of the rows that are updated; none if it is empty.
        values: The new value of each column that is updated.
    """

    deleted: str
    updated: str
    values: Mapping[str, str]


def change(fields: Iterable[Field], keys: Iterable[str], held: Mapping[str, Match]) -> Change:
    """Decide what becomes of the rows that hold the value.

    A whole value becomes null. Where the column must not be null, or is part of a key, the row is
    the person's own, and is deleted. Inside of a text, the value alone is replaced.

    Args:
        fields: The table's columns.
        keys: The names of the columns that identify a row.
        held: The columns that hold the value, by name in lower case.
    """
    names = {key.lower() for key in keys}
    deleted, updated, values = [], [], {}
    for own in fields:
        found = held.get(own.name.lower())
        if found is None:
            continue
        may_be_null = own.nullable and own.name.lower() not in names
        is_whole = found.how == WHOLE or own.data_type.startswith(_NESTED)
        if is_whole and not may_be_null:
            deleted.append(found.sql)
            continue
        column = quoted(own.name)
        new = "null" if is_whole else _without(own, may_be_null)
        updated.append(found.sql)
        values[column] = f"case when {found.sql} then {new} else {column} end"
    return Change(" or ".join(deleted), " or ".join(updated), values)


def _without(own: Field, may_be_null: bool) -> str:
    """Return the text of a column without the value."""
    text = _text(own.name, own.data_type)
    rest = f"regexp_replace(regexp_replace({text}, :json, 'null'), :inside, :erased)"
    if own.data_type == "binary":
        column = quoted(own.name)
        other = "null" if may_be_null else "binary('')"
        is_utf_8 = f"encode(decode({column}, 'UTF-8'), 'UTF-8') = {column}"
        return f"case when {is_utf_8} then encode({rest}, 'UTF-8') else {other} end"
    return f"case when {text} = :value then null else {rest} end" if may_be_null else rest
