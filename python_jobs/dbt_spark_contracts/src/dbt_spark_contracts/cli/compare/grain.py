"""What a table has one row of, if that is not what its key says: one row per event, for instance.

Found by measuring. A sample of the rows of some keys that have several says which columns could
tell them apart, and the whole table which of those do. That reads the table three times: its key,
the sample, and then a few columns.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from dbt_spark_contracts.cli.compare.rows import numbered
from dbt_spark_contracts.cli.compare.values import is_plain

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

# How many keys the sample is of, and how many rows it has.
KEYS, ROWS = 100, 1000

# How many columns the whole table is asked about.
CANDIDATES = 5


@dataclass(frozen=True)
class Grain:
    """What a table has one row of.

    Attributes:
        columns: The columns of which no two rows have the same values; none if no column besides
            the key makes the rows different.
        are_copies: Whether rows are copies of one another.
    """

    columns: list[str]
    are_copies: bool = False


def grain(frame: "DataFrame", key: list[int]) -> Grain:
    """What a table has one row of, of whose key there are several rows.

    Args:
        frame: The table.
        key: The positions of the key's columns.
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
    """The columns that tell apart the rows of a sample; None if some of those are copies."""
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
    """Which columns are asked about first: those that are called an id, last those of doubles."""
    name, data_type = frame.dtypes[at]
    return not name.lower().endswith("id"), data_type in ("double", "float"), at


def _struct(positions: list[int]) -> "Column":
    return F.struct(*[F.col(f"c{at}") for at in positions])
