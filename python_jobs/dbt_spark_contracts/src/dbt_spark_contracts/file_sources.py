"""File sources, `external: {location: …}`: their freshness, and their entries in dbt docs.

They have the columns of python_models.files.read_files, which a Python model gets.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dbt.flags import get_flags
from dbt_common.exceptions import DbtRuntimeError

from dbt_spark_contracts.errors import explain
from dbt_spark_contracts.spark.settings import absolute

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

COLUMNS = {
    "path": "string",
    "modificationTime": "timestamp",
    "length": "bigint",
    "content": "binary",
    "relative_path": "string",
}


def location(node: Any) -> str | None:
    """Return the location of a source's files from its yml. None for a table, source or model."""
    external = getattr(node, "external", None)
    return external.location if external else None


def newest(
    spark: "SparkSession", name: str, location: str, loaded_at_field: str, filter: str | None
) -> datetime:
    """Return the latest `loaded_at_field` of the files under `location` that pass `filter`.

    Raises:
        DbtRuntimeError: If there is none. The message is one line and names the source.
    """
    from dbt_spark_contracts.python_models.files import read_files

    with _explained(name, location):
        files = read_files(spark, location).where(filter or "true")
        # As a number, because Spark returns a timestamp in the local time zone.
        micros = files.selectExpr(f"unix_micros(max({loaded_at_field}))").first()[0]
    if micros is None:
        folder = absolute(location, Path(get_flags().PROJECT_DIR))
        where = f" where {filter}" if filter else ""
        raise DbtRuntimeError(
            f"Nothing has landed for {name}: no file with content in {folder}{where}"
        )
    return datetime.fromtimestamp(micros / 1e6, timezone.utc)


def catalog(spark: "SparkSession", source: Any) -> Iterator[dict]:
    """Yield the rows of dbt's catalog for a file source, one per column, with its freshness.

    An empty folder is not an error here.

    Args:
        spark: The session.
        source: The source, as in dbt's manifest.

    Raises:
        DbtRuntimeError: If the location cannot be read. The message is one line.
    """
    from dbt_spark_contracts.dbt_docs.facts import columns
    from dbt_spark_contracts.python_models.files import read_files

    in_utc = "to_utc_timestamp(max(modificationTime), current_timezone())"
    folder = location(source) or ""
    with _explained(source.relation_name, folder):
        files = read_files(spark, folder)
        count, size, modified = files.selectExpr(
            "count(*)", "coalesce(sum(length), 0)", f"date_format({in_utc}, 'yyyy-MM-dd HH:mm')"
        ).first()
    facts = {
        "location": ("Location", folder, "Where the files land"),
        "files": ("Files", count, "How many files, in all sub-folders"),
        "size": ("Size", size, "How large they are together"),
        "newest": ("Newest file, UTC", modified or "none", "When a file was changed last"),
        **_thresholds(source.freshness),
    }
    for index, (column, data_type) in enumerate(files.dtypes):
        yield {
            "table_database": None,
            "table_schema": source.schema,
            "table_name": source.identifier,
            "table_type": "files",
            "column_name": column,
            "column_type": data_type,
            "column_index": index,
            **columns(facts),
        }


@contextmanager
def _explained(name: str, location: str) -> Iterator[None]:
    """Turn errors while the files are read into a one-line message.

    Raises:
        DbtRuntimeError: For whatever Spark raises.
    """
    try:
        yield
    except Exception as error:
        raise DbtRuntimeError(f"{name}: cannot read {location}: {explain(error)}") from error


def _thresholds(freshness: Any) -> dict[str, tuple[str, str, str]]:
    """Return the limits of `dbt source freshness`, in the format of `catalog`."""
    after = {"warn_after": "Warns if older than", "error_after": "Fails if older than"}
    told = {}
    for name, label in after.items():
        time = getattr(freshness, name, None)
        if time:
            plural = "s" if time.count != 1 else ""
            text = f"{time.count} {time.period.value}{plural}"
            told[name] = (label, text, "How dbt source freshness judges the newest file")
    return told
