"""Counts what a model has written, from the summary of Iceberg's newest commit. No Spark job."""

from dataclasses import dataclass, field

from py4j.protocol import Py4JError
from pyspark.errors import AnalysisException, PySparkException

from dbt_spark_contracts import tables
from dbt_spark_contracts.compat.pyspark import fetched
from dbt_spark_contracts.errors import condition_of, explain
from dbt_spark_contracts.publish import tell
from dbt_spark_contracts.publish.null_counts import null_counts
from dbt_spark_contracts.publish.sizes import size_of
from dbt_spark_contracts.spark import session

# Nulls are counted in commits with at most this many files, because each file needs a request.
MOST_FILES = 1_000

# The prefixes of the unique ids of nodes that have a table.
_RESULTS = ("model.", "seed.", "snapshot.")


@dataclass(frozen=True)
class Written:
    """What the newest commit to a table has written.

    Attributes:
        snapshot_id: Its snapshot.
        rows: The number of added rows.
        files: The number of added data files.
        bytes: The size of the added files.
        total_rows: The number of rows of the table after the commit.
        null_counts: The number of nulls in the added rows, by column.
    """

    snapshot_id: int
    rows: int
    files: int
    bytes: int
    total_rows: int
    null_counts: dict[str, int] = field(default_factory=dict)


def written(unique_id: str, status: str, relation: str) -> Written | None:
    """Print what a node has written below dbt's line for the node, and return it.

    This raises no error, because a build must not fail because of a log line.

    Args:
        unique_id: The node.
        status: Its result.
        relation: The name of its table, or "" if it has none.

    Returns:
        What was written, or None if the node has written no table.
    """
    if status != "success" or not relation or not unique_id.startswith(_RESULTS):
        return None
    try:
        spark = session.get()
        loaded = tables.load(spark, relation)
        newest = tables.tip(loaded, session.branch())
        if newest is None:
            return None
        summary = fetched(spark, newest.summary())
        names = ("added-records", "added-data-files", "added-files-size")
        rows, files, size = (int(summary.get(name, 0)) for name in names)
        total = size_of(loaded, newest).rows
        nulls = null_counts(spark, loaded, newest) if 0 < files <= MOST_FILES else {}
        found = Written(newest.snapshotId(), rows, files, size, total, nulls)
    except (Py4JError, PySparkException) as error:
        if not isinstance(error, AnalysisException) or condition_of(error) != tables.NO_TABLE:
            tell.detail(f"{relation}: the written rows cannot be counted: {explain(error)}")
        return None  # a view or an ephemeral model has no table
    tell.line(f"{relation}: {in_words(found)}")
    return found


def in_words(found: Written) -> str:
    """Return the numbers as text."""
    size, unit = float(found.bytes), "B"
    for larger in ("KiB", "MiB", "GiB"):
        if size < 1024:
            break
        size, unit = size / 1024, larger
    digits = 0 if unit == "B" or size >= 100 else 1
    told = f"{found.rows:,} {'row' if found.rows == 1 else 'rows'} written"
    if not found.files:
        return told
    files = "file" if found.files == 1 else "files"
    return f"{told} in {found.files:,} {files}, {size:.{digits}f} {unit}"
