"""Stores the lease in the summary of the newest snapshot of an Iceberg table without rows.

Each change is first staged as a snapshot. Then main moves to it from the snapshot that was read.
This is a compare-and-swap in every catalog: a catalog that stores whole metadata compares all of
it, and a REST catalog compares the position of main. (A REST catalog does not compare table
properties, so they could not be used.)
"""

import secrets
from typing import TYPE_CHECKING

from dbt_spark_contracts import tables
from dbt_spark_contracts.publish import commits, java
from dbt_spark_contracts.publish.lease import Record

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# The keys of the lease in a snapshot's summary.
LEASE = "lease"
MARK = "lease.mark"

# The table is small and changes often, so Iceberg should delete its old metadata.
PROPERTIES = {"write.metadata.delete-after-commit.enabled": "true"}


class LeaseTable:
    """The store of one lease. Implements `lease.Store`."""

    def __init__(self, session: "SparkSession", table: str) -> None:
        self._session = session
        self._table = table

    def create(self) -> None:
        """Create the table if it does not exist."""
        commits.create_table(
            self._session, self._table, "holder string", PROPERTIES, "Who builds: see publish_log"
        )

    def read(self) -> "tuple[int | None, Record | None]":
        """Return the id of the current snapshot, and the lease in it."""
        snapshot = tables.load_anew(self._session, self._table).currentSnapshot()
        if snapshot is None:
            return None, None
        return snapshot.snapshotId(), Record.of(snapshot.summary().get(LEASE))

    def swap(self, seen: "int | None", record: "Record | None") -> bool:
        """Store the lease if main is still the snapshot that was `seen`.

        Args:
            seen: The snapshot id that `read` returned.
            record: The new lease, or None to release it.

        Returns:
            Whether it was stored. Any other failure raises Iceberg's error.
        """
        mark = secrets.token_hex(16)
        text = record.text() if record else ""
        table = tables.load_anew(self._session, self._table)
        table.newFastAppend().set(LEASE, text).set(MARK, mark).stageOnly().commit()

        def change(metadata, builder):
            main = metadata.currentSnapshot()
            staged, outdated = None, []
            for snapshot in metadata.snapshots():
                if snapshot.summary().get(MARK) == mark:
                    staged = snapshot
                elif snapshot.snapshotId() != seen:
                    outdated.append(snapshot)
            # Another change may have removed the snapshot that this one staged.
            if staged is None or (main and main.snapshotId()) != seen:
                return None
            moved = builder.setBranchSnapshot(staged.snapshotId(), "main")
            return moved.removeSnapshots(java.as_list(self._session, outdated))

        if commits.commit(self._session, self._table, change):
            return True
        main = tables.load(self._session, self._table).currentSnapshot()
        return bool(main) and main.summary().get(MARK) == mark
