"""The result of a comparison."""

from dataclasses import dataclass, field

from dbt_spark_contracts.cli.compare.columns import Columns
from dbt_spark_contracts.cli.compare.explained import Explanation
from dbt_spark_contracts.cli.compare.grain import Grain
from dbt_spark_contracts.cli.compare.rows import Counts, Example


@dataclass(frozen=True)
class Comparison:
    """The result of comparing two tables.

    Attributes:
        old: The old table, in words.
        new: The new table, in words.
        columns: Their columns.
        counts: The numbers of rows.
        old_grain: The grain of the old table, if several rows have the same key.
        new_grain: The grain of the new table, likewise.
        examples: Examples, by the position of a column in `Columns.compared` or a kind of rows.
        marks: The marks of columns whose values are not shown, by their names in lower case.
        explanation: What the code change explains, if it was asked for.
    """

    old: str
    new: str
    columns: Columns
    counts: Counts
    old_grain: Grain | None = None
    new_grain: Grain | None = None
    examples: dict[int, list[Example]] = field(default_factory=dict)
    marks: dict[str, str] = field(default_factory=dict)
    explanation: Explanation | None = None

    @property
    def is_equal(self) -> bool:
        """Return whether the tables are equal, within the tolerances.

        A column that cannot be compared counts as different.
        """
        incomparable = len(self.columns.others) > len(self.columns.compared)
        return not (self.columns.differ or self.counts.differ or incomparable)
