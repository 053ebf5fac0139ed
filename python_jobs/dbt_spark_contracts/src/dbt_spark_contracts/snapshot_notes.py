"""A note that a table stores about one of its snapshots: a text, in an Iceberg statistics file.

An incremental Python model reads the note about the rows that it finds, and passes on one about the
rows that it leaves. A note belongs to exactly one snapshot. So a branch, a roll-back, a publish and
a killed run find the note of their own rows, or none. A note may be missing, but it cannot be
wrong. If it is missing, the model reads its table instead.
"""

import uuid
import zlib
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dbt_spark_contracts import tables
from dbt_spark_contracts.compat.pyspark import java_classes
from dbt_spark_contracts.increments.history import changes_rows
from dbt_spark_contracts.lineage import watch
from dbt_spark_contracts.publish import tell
from dbt_spark_contracts.spark import session as spark_session

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# How the file of a note ends, and the type of what is in it, as Iceberg's Puffin has that. A table
# names the file and not the type: pyiceberg reads no table with a type that it does not know.
_ENDING = "-dbt-note.stats"
_TYPE = "dbt-spark-contracts-note"


class Notes:
    """What a Python model asks of notes, available as `dbt.notes`."""

    def __init__(self, session: "SparkSession", table: str) -> None:
        """Create the notes for a model of this table."""
        self._session, self._table = session, table
        self._text: str | None = None

    @cached_property
    def _found_at(self) -> int | None:
        """The snapshot that the model finds."""
        loaded = tables.find(self._session, self._table)
        return _newest(loaded) if loaded else None

    def recall(self) -> str | None:
        """Return the note about the current rows of the table, or None."""
        for collected in watch.collecting():
            collected.others.add("a note about its own table")
        number = self._found_at
        if number is None:
            return None
        loaded = tables.load(self._session, self._table)
        files = {file.snapshotId(): file for file in loaded.statisticsFiles()}
        while number is not None:
            if number in files and files[number].path().endswith(_ENDING):
                return _read(self._session, loaded, files[number])
            snapshot = loaded.snapshot(number)
            if snapshot is None or changes_rows(snapshot):
                return None
            number = snapshot.parentId()
        return None

    def keep(self, text: str) -> None:
        """Store a note about the table's rows as they are after the model is written."""
        _ = self._found_at
        self._text = text

    @property
    def is_asked(self) -> bool:
        """Has the model handed a note over?"""
        return self._text is not None

    def write(self) -> None:
        """Write the note that the model has passed, if there is one.

        It is not written if something else has written to the table since the model began.
        """
        if self._text is None:
            return
        loaded = tables.load(self._session, self._table)
        newest = _newest(loaded)
        if newest is None:
            return
        before = loaded.snapshot(newest).parentId() if newest != self._found_at else newest
        # The first snapshot of an audited table has no row.
        while before != self._found_at:
            if before is None or changes_rows(loaded.snapshot(before)):
                return
            before = loaded.snapshot(before).parentId()
        tell.change(f"{self._table}: keep a note about the snapshot {newest}")
        _write(self._session, loaded, newest, self._text)


def _newest(loaded: Any) -> int | None:
    """Return the snapshot that this session reads: of the run's branch, or else of main."""
    snapshot = tables.head(loaded, spark_session.branch())
    return snapshot.snapshotId() if snapshot else None


def _read(session: "SparkSession", loaded: Any, file: Any) -> str:
    iceberg = java_classes(session).org.apache.iceberg
    reader = iceberg.puffin.Puffin.read(loaded.io().newInputFile(file.path())).build()
    try:
        blobs = [blob for blob in reader.fileMetadata().blobs() if blob.type() == _TYPE]
        wanted = java_classes(session).java.util.ArrayList()
        wanted.add(blobs[0])
        buffer = reader.readAll(wanted).iterator().next().second()
        return zlib.decompress(iceberg.util.ByteBuffers.toByteArray(buffer)).decode()
    finally:
        reader.close()


def _write(session: "SparkSession", loaded: Any, snapshot: int, text: str) -> None:
    java = java_classes(session)
    iceberg = java.org.apache.iceberg
    name = f"{snapshot}-{uuid.uuid4()}{_ENDING}"
    path = loaded.operations().metadataFileLocation(name)
    writer = iceberg.puffin.Puffin.write(loaded.io().newOutputFile(path)).build()
    try:
        buffer = java.java.nio.ByteBuffer.wrap(zlib.compress(text.encode()))
        sequence = loaded.snapshot(snapshot).sequenceNumber()
        fields = java.java.util.ArrayList()
        writer.add(iceberg.puffin.Blob(_TYPE, fields, snapshot, sequence, buffer))
        writer.finish()
        file = iceberg.GenericStatisticsFile(
            snapshot, path, writer.fileSize(), writer.footerSize(), java.java.util.ArrayList()
        )
    finally:
        writer.close()
    loaded.updateStatistics().setStatistics(file).commit()
