"""How large a snapshot of an Iceberg table is, by its list of manifests. No Spark job.

Not by the totals in its summary: of the first commit to a branch, Iceberg (1.10) counts them from
nothing, and every later snapshot goes on from there.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Size:
    """The rows and files of a snapshot.

    Attributes:
        rows: Its rows, without those that position deletes take away. (Spark writes no others.)
        files: Its data files and delete files.
    """

    rows: int = 0
    files: int = 0


def size_of(loaded: Any, snapshot: Any) -> Size:
    """The size of a snapshot.

    Args:
        loaded: Its table, as Iceberg's Java API has it.
        snapshot: The snapshot; None for a table without any.
    """
    if snapshot is None:
        return Size()
    rows = files = 0
    for manifest in snapshot.allManifests(loaded.io()):
        sign = 1 if manifest.content().toString() == "DATA" else -1
        rows += sign * (manifest.addedRowsCount() + manifest.existingRowsCount())
        files += manifest.addedFilesCount() + manifest.existingFilesCount()
    return Size(rows, files)
