"""Matches the rows of two tables by a key, in Spark.

Both tables are read once to count (`counted`), and once more for examples if they differ
(`examples`). Each time there is one shuffle by the key. Only counts and examples leave Spark.

1. The rows of both tables are converted to comparable types, united, and grouped by the key and all
   values. This counts each row in the old and in the new table. A row in both is the same row,
   regardless of how often each table has it.
2. Of the remaining rows of a key, one row of each table is matched as a changed row. If one table
   has one row left and the other has several, the closest one is matched: the one with the fewest
   differing columns. If both have several, they cannot be matched.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from pyspark.sql.window import Window

from dbt_spark_contracts.cli.compare.columns import Columns, Pair

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

# Used in place of a column's position, for the whole table and for kinds of rows.
ALL, ONLY_OLD, ONLY_NEW, MORE_OLD, MORE_NEW = -1, -2, -3, -4, -5

# Longer texts of values are cut.
LONGEST = 200

# Counts over all keys. A key has `rows_old` rows in the old table. `left_old` of them are not the
# same as a row in the new table.
COUNTS = {
    "old_rows": "sum(rows_old)",
    "new_rows": "sum(rows_new)",
    "old_keys": "count_if(rows_old > 0)",
    "new_keys": "count_if(rows_new > 0)",
    "both_keys": "count_if(rows_old > 0 and rows_new > 0)",
    "old_repeated": "count_if(rows_old > 1)",
    "new_repeated": "count_if(rows_new > 1)",
    "only_old_rows": "sum(if(rows_new = 0, rows_old, 0))",
    "only_old_keys": "count_if(rows_new = 0)",
    "only_new_rows": "sum(if(rows_old = 0, rows_new, 0))",
    "only_new_keys": "count_if(rows_old = 0)",
    "more_old_rows": "sum(more_old)",
    "more_old_keys": "count_if(more_old > 0)",
    "more_new_rows": "sum(more_new)",
    "more_new_keys": "count_if(more_new > 0)",
    "unmatched_keys": "count_if(left_old > 1 and left_new > 1)",
    "same": "sum(rows_old - left_old)",
    "within_tolerance": "count_if(closest.distance = 0)",
    "changed": "count_if(closest.distance > 0)",
    "old_null_keys": "sum(if({null_key}, rows_old, 0))",
    "new_null_keys": "sum(if({null_key}, rows_new, 0))",
}


@dataclass(frozen=True)
class Counts:
    """Numbers of rows, by the names in COUNTS.

    Attributes:
        of_rows: The numbers over all keys, by name.
        of_columns: The number of rows that differ in a column, by its position in
            `Columns.compared`.
    """

    of_rows: dict[str, int]
    of_columns: dict[int, int]

    def __getitem__(self, name: str) -> int:
        return self.of_rows[name]

    @property
    def differ(self) -> bool:
        """Return whether the tables have different rows."""
        names = ("only_old_rows", "only_new_rows", "more_old_rows", "more_new_rows", "changed")
        return any(self[name] for name in names)


@dataclass(frozen=True)
class Example:
    """A different row: the values of its key and of one column, as texts."""

    key: list[str | None] | None
    old: str | None = None
    new: str | None = None


def counted(old: "DataFrame", new: "DataFrame", columns: Columns) -> Counts:
    """Count the differences. Reads both tables once."""
    keyed = _keyed(old, new, columns)
    nulls = " or ".join(f"key.k{at} is null" for at, _ in enumerate(columns.keys))
    sums = [
        F.expr(f"coalesce({text.format(null_key=nulls)}, 0)").cast("bigint").alias(name)
        for name, text in COUNTS.items()
    ]
    at = F.expr(f"explode(concat(array({ALL}), coalesce(closest.differs, array())))")
    rows = keyed.withColumn("at", at).groupBy("at").agg(F.count("*").alias("number"), *sums)
    of_rows = dict.fromkeys(COUNTS, 0)
    of_columns = {}
    for row in rows.collect():  # one for each column that differs, and one for all
        if row["at"] == ALL:
            of_rows = {name: row[name] for name in COUNTS}
        else:
            of_columns[row["at"]] = row["number"]
    return Counts(of_rows, of_columns)


def examples(
    old: "DataFrame",
    new: "DataFrame",
    columns: Columns,
    of: Iterable[int],
    limit: int,
    shows_key: bool,
) -> dict[int, list[Example]]:
    """Return examples of the differences, always the same ones. Reads both tables once.

    Args:
        old: The old table.
        new: The new table.
        columns: Their columns.
        of: The positions in `Columns.compared` of the columns whose values are shown.
        limit: The number of examples per difference.
        shows_key: Whether the values of the key are shown.

    Returns:
        Examples by the column's position, and by ONLY_OLD, ONLY_NEW, MORE_OLD and MORE_NEW.
    """
    none = "cast(null as string)"
    found = [
        _example(condition, at, none, none)
        for at, condition in (
            (ONLY_OLD, "rows_new = 0"),
            (ONLY_NEW, "rows_old = 0"),
            (MORE_OLD, "more_old > 0"),
            (MORE_NEW, "more_new > 0"),
        )
        if shows_key
    ]
    for at in of:
        pair = columns.compared[at]
        values = (_shown(pair, f"closest.pair.{side}.v{at}") for side in ("old", "new"))
        found.append(_example(f"array_contains(closest.differs, {at})", at, *values))
    if not found:
        return {}
    keys = [_shown(pair, f"key.k{at}") for at, pair in enumerate(columns.keys)]
    exploded = _keyed(old, new, columns).select(
        "key",
        F.expr(f"array({', '.join(keys)})" if shows_key else "cast(null as array<string>)").alias(
            "texts"
        ),
        F.expr(f"explode(filter(array({', '.join(found)}), found -> found is not null))").alias(
            "found"
        ),
    )
    # Spark keeps at most `limit` of each in a task (WindowGroupLimit).
    rank = F.row_number().over(Window.partitionBy("found.at").orderBy("key"))
    rows = exploded.withColumn("rank", rank).where(F.col("rank") <= limit)
    shown: dict[int, list[Example]] = {}
    for row in rows.orderBy("found.at", "rank").select("texts", "found.*").collect():
        shown.setdefault(row["at"], []).append(Example(row["texts"], row["old"], row["new"]))
    return shown


def _example(condition: str, at: int, old: str, new: str) -> str:
    values = f"named_struct('at', {at}, 'old', {old}, 'new', {new})"
    return f"if({condition}, {values}, null)"


def _shown(pair: Pair, value: str) -> str:
    assert pair.way
    return f"left({pair.way.shown(value)}, {LONGEST + 1})"


def _keyed(old: "DataFrame", new: "DataFrame", columns: Columns) -> "DataFrame":
    """Return one row per key: its number of rows in each table, and the changed pair."""
    pile = _written(old, columns, 0).unionAll(_written(new, columns, 1))
    # All later steps are by the key, so this is the only shuffle of rows.
    rows = (
        pile.repartition("key")
        .groupBy("key", "row")
        .agg(F.sum("is_old").alias("old"), F.sum("is_new").alias("new"))
    )
    left = rows.selectExpr(
        "key",
        "if(old = new, null, row) as row",
        "old",
        "new",
        "old - least(old, new) as left_old",
        "new - least(old, new) as left_new",
    )
    of_key = Window.partitionBy("key")
    known = left.select(
        "key",
        "row",
        F.col("left_old").alias("is_old"),
        F.col("left_new").alias("is_new"),
        F.sum("old").over(of_key).alias("rows_old"),
        F.sum("new").over(of_key).alias("rows_new"),
        F.sum("left_old").over(of_key).alias("left_old"),
        F.sum("left_new").over(of_key).alias("left_new"),
        F.first(F.expr("if(left_old = 1, row, null)"), True).over(of_key).alias("one_old"),
        F.first(F.expr("if(left_new = 1, row, null)"), True).over(of_key).alias("one_new"),
    )
    paired = known.withColumn(
        "pair",
        F.expr("""case
            when left_new = 1 and is_old > 0 then named_struct('old', row, 'new', one_new)
            when left_old = 1 and left_new > 1 and is_new > 0
                then named_struct('old', one_old, 'new', row)
        end"""),
    )
    different = [
        f"if({_differs(pair, at)}, {at}, null)" for at, pair in enumerate(columns.compared)
    ]
    differs = f"filter(array({', '.join(different)}), at -> at is not null)"
    closest = f"""if(pair is null, null, named_struct(
        'distance', size({differs}), 'pair', pair, 'differs', {differs}))"""
    keyed = paired.groupBy("key").agg(
        *(F.max(name).alias(name) for name in ("rows_old", "rows_new", "left_old", "left_new")),
        F.min(F.expr(closest)).alias("closest"),
    )
    matched = "if(closest is null, 0, 1)"
    return keyed.withColumns(
        {
            "more_old": F.expr(f"if(rows_new = 0, 0, left_old - {matched})"),
            "more_new": F.expr(f"if(rows_old = 0, 0, left_new - {matched})"),
        }
    )


def _written(frame: "DataFrame", columns: Columns, side: int) -> "DataFrame":
    """Return the rows of a table in comparable types. Side 0 is the old table, 1 the new one."""

    def written(pair: Pair) -> str:
        assert pair.way
        return pair.way.new(f"c{pair.new_at}") if side else pair.way.old(f"c{pair.old_at}")

    keys = [f"'k{at}', {written(pair)}" for at, pair in enumerate(columns.keys)]
    values = [f"'v{at}', {written(pair)}" for at, pair in enumerate(columns.compared)]
    values = values or ["'none', 0"]  # a struct must have a field
    return numbered(frame).selectExpr(
        f"named_struct({', '.join(keys)}) as key",
        f"named_struct({', '.join(values)}) as row",
        f"{1 - side} as is_old",
        f"{side} as is_new",
    )


def numbered(frame: "DataFrame") -> "DataFrame":
    """Return the DataFrame with its columns renamed to c0, c1, …"""
    return frame.toDF(*[f"c{at}" for at, _ in enumerate(frame.columns)])


def _differs(pair: Pair, at: int) -> str:
    """Return the SQL that decides whether a pair of rows differs in a column."""
    old, new = f"pair.old.v{at}", f"pair.new.v{at}"
    same = f"{old} <=> {new}"
    if pair.tolerance:
        same += f" or coalesce({_distance(pair, old, new)} <= {pair.tolerance}, false)"
    return f"not ({same})"


def _distance(pair: Pair, old: str, new: str) -> str:
    # The difference of two whole numbers may not fit their type.
    assert pair.way
    if pair.way.called in ("tinyint", "smallint", "int", "bigint"):
        old, new = (f"cast({value} as decimal(20,0))" for value in (old, new))
    return f"abs({old} - {new})"
