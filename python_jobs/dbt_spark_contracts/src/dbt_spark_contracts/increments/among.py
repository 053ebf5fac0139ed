"""The rows of a parent whose key is among those that have changed."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from dbt_spark_contracts.plan.tree import names
from dbt_spark_contracts.schemas import quoted

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

# A column of the rows for each column of the key.
_KEY = "dbt_key_"

# Types of columns whose smallest and largest value in a file Iceberg compares as Spark does.
_BOUNDED = names("string tinyint smallint int bigint date timestamp")


def among(rows: "DataFrame", by: "Sequence[str | Column]", changed: "DataFrame") -> "DataFrame":
    """Return the rows whose `by` is among the changed ones. A null equals a null.

    The smallest and the largest changed value of each column bound what is read: Iceberg leaves out
    the partitions and files without such values. One Spark job computes them.

    Args:
        rows: The parent.
        by: Columns of the parent, or expressions of them.
        changed: The changed values, in the same order.
    """
    for bound in _bounds(by, changed):
        rows = rows.where(bound)
    return _semi_join(rows, by, changed)


def _bounds(by: "Sequence[str | Column]", changed: "DataFrame") -> "Iterator[Column]":
    """Yield a condition for each column of the parent that bounds it."""
    kinds = {
        each: (name, kind)
        for each, (name, kind) in zip(by, changed.dtypes, strict=True)
        if isinstance(each, str) and kind in _BOUNDED
    }
    values = [_plain(F.col(quoted(name)), kind) for name, kind in kinds.values()]
    if not values:
        return
    asked = [(F.min(value), F.max(value), F.max(value.isNull())) for value in values]
    found = changed.agg(*(one for each in asked for one in each)).first()
    assert found
    for number, (column, (_, kind)) in enumerate(kinds.items()):
        least, most, has_null = found[3 * number : 3 * number + 3]
        bound = F.lit(False)
        if least is not None:
            bound = F.col(column).between(_literal(least, kind), _literal(most, kind))
        yield bound | F.col(column).isNull() if has_null else bound


def _plain(column: "Column", kind: str) -> "Column":
    """Return a column of texts or numbers. Python has fewer dates, and no time zone in a time."""
    of = {"timestamp": F.unix_micros, "date": F.unix_date}.get(kind)
    return of(column) if of else column


def _literal(value: Any, kind: str) -> "Column":
    of = {"timestamp": F.timestamp_micros, "date": F.date_from_unix_date}.get(kind)
    return of(F.lit(value)) if of else F.lit(value).cast(kind)


def _semi_join(
    rows: "DataFrame", by: "Sequence[str | Column]", changed: "DataFrame"
) -> "DataFrame":
    columns = [F.col(each) if isinstance(each, str) else each for each in by]
    marks = [f"{_KEY}{number}" for number in range(len(columns))]
    marked = rows.withColumns(dict(zip(marks, columns, strict=True)))
    known = changed.toDF(*(f"{mark}_changed" for mark in marks))
    same = [marked[mark].eqNullSafe(known[f"{mark}_changed"]) for mark in marks]
    condition = same[0]
    for one in same[1:]:
        condition = condition & one
    return marked.join(known, condition, "left_semi").drop(*marks)
