"""Finds the grain of a table that has several rows per key: one row per event, for example.

A sample of such rows shows which columns could distinguish them. The whole table shows which of
these columns do. This reads the table three times: its key, the sample, and then a few columns.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from dbt_spark_contracts.cli.compare.rows import numbered
from dbt_spark_contracts.cli.compare.values import is_plain

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

# The number of keys and of rows in the sample.
KEYS, ROWS = 100, 1000

# The number of columns that are checked in the whole table.
CANDIDATES = 5


@dataclass(frozen=True)
class Grain:
    """The grain of a table.

    Attributes:
        columns: Columns that distinguish all rows. Empty if no single column does, alone or with
            the key.
        are_copies: Whether some rows are copies of one another.
    """

    columns: list[str]
    are_copies: bool = False


def grain(frame: "DataFrame", key: list[int]) -> Grain:
    """Return the grain of a table that has several rows for some keys.

    Args:
        frame: The table.
        key: The positions of the key's columns.

    Returns:
        The grain.
    """
    table = numbered(frame)
    others = [
        at
        for at, field in enumerate(frame.schema.fields)
        if at not in key and is_plain(field.dataType)
    ]
    could = _could_tell_apart(table, key, others)
    if could is None:
        return Grain([], are_copies=True)
    asked = sorted(could, key=lambda at: _rank(frame, at))[:CANDIDATES]
    if not asked:
        return Grain([])
    by_key = [F.count_distinct(_struct([*key, at])).alias(f"with_{at}") for at in asked]
    alone = [F.count_distinct(_struct([at])).alias(f"alone_{at}") for at in asked]
    counted = table.agg(F.count("*").alias("rows"), *by_key, *alone).first()
    assert counted
    names = frame.columns
    for kind, more in (("alone", []), ("with", key)):
        for at in asked:
            if counted[f"{kind}_{at}"] == counted["rows"]:
                return Grain([names[each] for each in (*more, at)])
    return Grain([])


def _could_tell_apart(table: "DataFrame", key: list[int], others: list[int]) -> list[int] | None:
    """Return the columns that distinguish the rows of a sample. None if some rows are copies."""
    keys = [F.col(f"c{at}") for at in key]
    several = table.groupBy(*keys).count().where("count > 1").limit(KEYS)
    several = several.toDF(*[f"k{at}" for at in key], "count")
    same = F.expr(" and ".join(f"c{at} <=> k{at}" for at in key))
    sample = table.join(F.broadcast(several), same, "left_semi").limit(ROWS)
    sets = {at: F.size(F.collect_set(_struct([*key, at]))) for at in others}
    every = F.size(F.collect_set(_struct([*key, *others])))
    counted = sample.agg(
        F.count("*").alias("rows"),
        every.alias("every"),
        *(size.alias(f"c{at}") for at, size in sets.items()),
    ).first()
    assert counted
    if counted["every"] < counted["rows"] and len(key) + len(others) == len(table.columns):
        return None
    return [at for at in others if counted[f"c{at}"] == counted["rows"]]


def _rank(frame: "DataFrame", at: int) -> tuple[bool, bool, int]:
    """Return the order in which columns are checked: ids first, doubles last."""
    name, data_type = frame.dtypes[at]
    return not name.lower().endswith("id"), data_type in ("double", "float"), at


def _struct(positions: list[int]) -> "Column":
    return F.struct(*[F.col(f"c{at}") for at in positions])
