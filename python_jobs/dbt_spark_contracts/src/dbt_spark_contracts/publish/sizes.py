"""The size of a snapshot of an Iceberg table, from its manifest list. No Spark job.

The totals in the summary are not used: for the first commit to a branch, Iceberg (1.10) counts them
from zero, and every later snapshot continues from there.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dbt_spark_contracts import tables

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from dbt_spark_contracts.publish.branches import Move


@dataclass(frozen=True)
class Size:
    """The rows and files of a snapshot.

    Attributes:
        rows: The rows, minus those that position deletes remove. (Spark writes no other deletes.)
        files: The data files and delete files.
    """

    rows: int = 0
    files: int = 0


def size_of(loaded: Any, snapshot: Any) -> Size:
    """Return the size of a snapshot.

    Args:
        loaded: The table, as an object of Iceberg's Java API.
        snapshot: The snapshot, or None for an empty table.

    Returns:
        The size.
    """
    if snapshot is None:
        return Size()
    rows = files = 0
    for manifest in snapshot.allManifests(loaded.io()):
        sign = 1 if manifest.content().toString() == "DATA" else -1
        rows += sign * (manifest.addedRowsCount() + manifest.existingRowsCount())
        files += manifest.addedFilesCount() + manifest.existingFilesCount()
    return Size(rows, files)


def rows_of_move(session: "SparkSession", move: "Move") -> tuple[int, int]:
    """Return the rows of a table before and after a move of its main."""
    loaded = tables.load(session, move.table_name)
    before, after = (
        size_of(loaded, loaded.snapshot(number)).rows
        for number in (move.from_snapshot_id, move.to_snapshot_id)
    )
    return before, after
