"""What a comparison found."""

from dataclasses import dataclass, field

from dbt_spark_contracts.cli.compare.columns import Columns
from dbt_spark_contracts.cli.compare.explained import Explanation
from dbt_spark_contracts.cli.compare.grain import Grain
from dbt_spark_contracts.cli.compare.rows import Counts, Example


@dataclass(frozen=True)
class Comparison:
    """Two tables, compared.

    Attributes:
        old: What the old one is, in words.
        new: The same of the new one.
        columns: Their columns.
        counts: How many rows are what.
        old_grain: What the old one has one row of, if several rows have one key.
        new_grain: The same of the new one.
        examples: Examples, by the position of a column in `Columns.compared` or a kind of rows.
        marks: The marks of columns whose values are not shown, by their names in lower case.
        explanation: What the change of the code explains, if it is known.
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
        """Are the two equal, within the tolerances? A column that cannot be compared may differ."""
        incomparable = len(self.columns.others) > len(self.columns.compared)
        return not (self.columns.differ or self.counts.differ or incomparable)
