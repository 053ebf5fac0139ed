"""How much a model has written, as Iceberg's newest commit tells of it. No Spark job."""

from dataclasses import dataclass, field

from py4j.protocol import Py4JError
from pyspark.errors import AnalysisException, PySparkException

from dbt_spark_contracts import tables
from dbt_spark_contracts.compat.pyspark import fetched
from dbt_spark_contracts.errors import explain
from dbt_spark_contracts.publish import tell
from dbt_spark_contracts.publish.null_counts import null_counts
from dbt_spark_contracts.publish.sizes import size_of
from dbt_spark_contracts.spark import session

# What dbt calls what has a table.
_RESULTS = ("model.", "seed.", "snapshot.")


@dataclass(frozen=True)
class Written:
    """What the newest commit to a table has written.

    Attributes:
        snapshot_id: Its snapshot.
        rows: The rows that it has added.
        files: The data files that it has added.
        bytes: The size of those.
        total_rows: The rows of the table after it.
        null_counts: The nulls in the rows that it has added, by column.
    """

    snapshot_id: int
    rows: int
    files: int
    bytes: int
    total_rows: int
    null_counts: dict[str, int] = field(default_factory=dict)


def written(unique_id: str, status: str, relation: str) -> Written | None:
    """What a node has written, and say it below dbt's own line of the node.

    Args:
        unique_id: The node.
        status: How it has ended.
        relation: The name of its table; "" if it has none.

    Returns:
        It; None if the node has written no table. Raises nothing: a build does not fail for a line.
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
        nulls = null_counts(spark, loaded, newest) if files else {}
        found = Written(newest.snapshotId(), rows, files, size, total, nulls)
    except (Py4JError, PySparkException) as error:
        if not isinstance(error, AnalysisException) or error.getErrorClass() != tables.NO_TABLE:
            tell.detail(f"{relation}: what was written cannot be told: {explain(error)}")
        return None  # without an error it is a view, or ephemeral
    tell.line(f"{relation}: {in_words(found)}")
    return found


def in_words(found: Written) -> str:
    """It, for a person."""
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
