"""How much a model has written, as Iceberg's newest commit tells of it. No Spark job."""

from py4j.protocol import Py4JError
from pyspark.errors import AnalysisException, PySparkException

from dbt_spark_contracts import tables
from dbt_spark_contracts.compat.pyspark import fetched
from dbt_spark_contracts.errors import explain
from dbt_spark_contracts.publish import tell
from dbt_spark_contracts.spark import session

# What dbt calls what has a table.
_RESULTS = ("model.", "seed.", "snapshot.")


def say(unique_id: str, status: str, relation: str) -> None:
    """Say below dbt's own line of a node how many rows, files and bytes it has written.

    Raises nothing: a build does not fail for a line.
    """
    if status != "success" or not relation or not unique_id.startswith(_RESULTS):
        return
    try:
        spark = session.get()
        newest = tables.tip(tables.load(spark, relation), session.branch())
        summary = fetched(spark, newest.summary()) if newest else {}
    except (Py4JError, PySparkException) as error:
        if isinstance(error, AnalysisException) and error.getErrorClass() == tables.NO_TABLE:
            return  # a view, or ephemeral
        tell.detail(f"{relation}: what was written cannot be told: {explain(error)}")
        return
    if summary:
        tell.line(f"{relation}: {in_words(summary)}")


def in_words(summary: dict[str, str]) -> str:
    """What the summary of a commit tells, for a person."""
    rows, files = (int(summary.get(name, 0)) for name in ("added-records", "added-data-files"))
    size = float(summary.get("added-files-size", 0))
    unit = "B"
    for larger in ("KiB", "MiB", "GiB"):
        if size < 1024:
            break
        size, unit = size / 1024, larger
    digits = 0 if unit == "B" or size >= 100 else 1
    told = f"{rows:,} {'row' if rows == 1 else 'rows'} written"
    if not files:
        return told
    return f"{told} in {files:,} {'file' if files == 1 else 'files'}, {size:.{digits}f} {unit}"
