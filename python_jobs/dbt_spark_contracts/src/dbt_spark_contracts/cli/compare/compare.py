"""Compares two tables."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dbt_spark_contracts.cli.compare import rows
from dbt_spark_contracts.cli.compare.columns import Columns, match
from dbt_spark_contracts.cli.compare.grain import Grain, grain
from dbt_spark_contracts.cli.compare.problem import CannotCompare
from dbt_spark_contracts.cli.compare.result import Comparison
from dbt_spark_contracts.cli.compare.sides import Side
from dbt_spark_contracts.cli.steps import step
from dbt_spark_contracts.errors import explain

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@dataclass(frozen=True)
class Wanted:
    """How to compare two tables.

    Attributes:
        key: The names of the columns that rows are matched by.
        tolerances: The tolerance of each column, as SQL, by its name.
        ignored: The names of columns to ignore.
        limit: The number of examples per difference.
        hidden: The marks of columns whose values are not shown, by their names in lower case.
    """

    key: list[str]
    tolerances: dict[str, str] = field(default_factory=dict)
    ignored: Iterable[str] = ()
    limit: int = 3
    hidden: dict[str, str] = field(default_factory=dict)


def compare(old: Side, new: Side, wanted: Wanted) -> Comparison:
    """Compare two tables.

    Raises:
        CannotCompare: If they cannot be compared, or one of them cannot be read.
    """
    from py4j.protocol import Py4JJavaError
    from pyspark.errors import PySparkException

    columns = match(
        old.frame.schema, new.frame.schema, wanted.key, wanted.tolerances, wanted.ignored
    )
    try:
        return _compared(old, new, columns, wanted)
    except (Py4JJavaError, PySparkException) as error:
        said = " ".join(explain(error).split())
        raise CannotCompare(f"{old.called} and {new.called} cannot be read: {said}") from None


def _compared(old: Side, new: Side, columns: Columns, wanted: Wanted) -> Comparison:
    with step("Matching the rows of both"):
        counts = rows.counted(old.frame, new.frame, columns)
    for side in ("old", "new"):
        if counts[f"{side}_rows"] == counts[f"{side}_null_keys"] > 0:
            names = ", ".join(pair.name for pair in columns.keys)
            raise CannotCompare(
                f"{names} is null in each row of the {side} table: choose another --key"
            )
    grains: dict[str, Grain] = {}
    for side, frame, positions in (
        ("old", old.frame, [pair.old_at for pair in columns.keys]),
        ("new", new.frame, [pair.new_at for pair in columns.keys]),
    ):
        if counts[f"{side}_repeated"]:
            with step(f"Finding the grain of the {side} table"):
                grains[side] = grain(frame, positions)
    examples: dict = {}
    if counts.differ and wanted.limit:
        with step("Fetching examples"):
            examples = _examples(old.frame, new.frame, columns, counts, wanted)
    return Comparison(
        old.called,
        new.called,
        columns,
        counts,
        grains.get("old"),
        grains.get("new"),
        examples,
        wanted.hidden,
    )


def _examples(
    old: "DataFrame", new: "DataFrame", columns: Columns, counts: rows.Counts, wanted: Wanted
) -> dict[int, list[rows.Example]]:
    """Return examples of the values that may be shown. Hidden values do not leave Spark."""
    of = [
        at
        for at in sorted(counts.of_columns)
        if columns.compared[at].name.lower() not in wanted.hidden
    ]
    shows_key = not any(pair.name.lower() in wanted.hidden for pair in columns.keys)
    return rows.examples(old, new, columns, of, wanted.limit, shows_key)
