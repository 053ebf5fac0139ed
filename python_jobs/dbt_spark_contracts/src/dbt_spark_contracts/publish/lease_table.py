"""Where the lease is kept: an Iceberg table, whose newest snapshot tells it. It has no rows.

A change is a snapshot of its own, staged first; main then moves to it from the one that was seen.
That is a compare-and-swap in every catalog: one that stores whole metadata compares all of it, and
a REST catalog compares where main is. (Of a table's properties, a REST catalog compares nothing.)
"""

import secrets
from typing import TYPE_CHECKING

from dbt_spark_contracts import tables
from dbt_spark_contracts.publish import commits, java
from dbt_spark_contracts.publish.lease import Record

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# What of a snapshot's summary tells the lease.
LEASE = "lease"
MARK = "lease.mark"

# The table is small and changes often: Iceberg is to delete its older metadata.
PROPERTIES = {"write.metadata.delete-after-commit.enabled": "true"}


class LeaseTable:
    """The store of one lease. (A `lease.Store`.)"""

    def __init__(self, session: "SparkSession", table: str) -> None:
        self._session = session
        self._table = table

    def create(self) -> None:
        """Make the table, if it is not there."""
        commits.create_table(
            self._session, self._table, "holder string", PROPERTIES, "Who builds: see publish_log"
        )

    def read(self) -> "tuple[int | None, Record | None]":
        """The lease, and the snapshot that tells it."""
        snapshot = tables.load_anew(self._session, self._table).currentSnapshot()
        if snapshot is None:
            return None, None
        return snapshot.snapshotId(), Record.of(snapshot.summary().get(LEASE))

    def swap(self, seen: "int | None", record: "Record | None") -> bool:
        """Let the lease be `record`, if main is still the snapshot that was `seen`.

        Raises Iceberg's error if it cannot be stored for another reason.
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
            # Another change may have removed what this one had staged.
            if staged is None or (main and main.snapshotId()) != seen:
                return None
            moved = builder.setBranchSnapshot(staged.snapshotId(), "main")
            return moved.removeSnapshots(java.as_list(self._session, outdated))

        if commits.commit(self._session, self._table, change):
            return True
        main = tables.load(self._session, self._table).currentSnapshot()
        return bool(main) and main.summary().get(MARK) == mark
