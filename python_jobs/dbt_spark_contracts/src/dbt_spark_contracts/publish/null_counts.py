"""How many nulls a commit has written, from the metrics of its files. Nothing is scanned."""

from typing import TYPE_CHECKING, Any

from dbt_spark_contracts.compat.pyspark import fetched, java_classes

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def null_counts(session: "SparkSession", loaded: Any, snapshot: Any) -> dict[str, int]:
    """Return the nulls in the rows that a commit has added, by column.

    Iceberg counts them while it writes a file: of the first 100 columns, unless the table property
    `write.metadata.metrics.…` says otherwise, and not within arrays and maps. A field of a struct
    is named `column.field`.

    Args:
        session: The session.
        loaded: The table, as an object of Iceberg's Java API.
        snapshot: The snapshot of the commit.

    Returns:
        The counts. Without the columns that a file does not tell of.
    """
    found = java_classes(session).java.util.ArrayList()
    for file in snapshot.addedDataFiles(loaded.io()):
        if counts := file.nullValueCounts():
            found.add(counts)
        elif file.recordCount():
            return {}
    of_files = fetched(session, found)
    if not of_files:
        return {}
    known = set(of_files[0]).intersection(*of_files[1:])
    types = java_classes(session).org.apache.iceberg.types.TypeUtil
    names = fetched(session, types.indexNameById(loaded.schema().asStruct()))
    return {
        name: sum(counts[number] for counts in of_files)
        for number, name in names.items()
        if number in known
    }
