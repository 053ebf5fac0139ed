"""Commits to Iceberg tables by compare-and-swap: a commit changes exactly the state it has read."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from py4j.protocol import Py4JJavaError

from dbt_spark_contracts import tables
from dbt_spark_contracts.compat.pyspark import java_classes

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# The maximum of attempts when other writers commit in between.
TRIES = 10

# Iceberg's exceptions for a concurrent commit, and for an unknown commit state.
_LOST_THE_RACE = (
    "org.apache.iceberg.exceptions.CommitFailedException",
    "org.apache.iceberg.exceptions.CommitStateUnknownException",
)


def commit(session: "SparkSession", table: str, change: Callable) -> bool:
    """Change a table's current metadata in one commit.

    Args:
        session: The session.
        table: The table.
        change: Called with Iceberg's TableMetadata and its builder. Returns the builder with the
            changes, or None if the metadata do not allow the change. May be called several times.

    Returns:
        Whether the table was changed.
    """
    for attempt in range(1, TRIES + 1):
        operations = tables.load_anew(session, table).operations()
        metadata = operations.current()
        builder = java_classes(session).org.apache.iceberg.TableMetadata.buildFrom(metadata)
        changed = change(metadata, builder)
        if changed is None:
            return False
        try:
            operations.commit(metadata, changed.build())
            return True
        except Py4JJavaError as error:
            kind = error.java_exception.getClass().getName()
            if kind not in _LOST_THE_RACE or attempt == TRIES:
                raise
    raise AssertionError("unreachable")


def create_table(
    session: "SparkSession", table: str, columns: str, properties: dict[str, str], comment: str
) -> None:
    """Create a table and its schema if they do not exist. Safe against concurrent creation."""
    if tables.exists(session, table):
        return
    told = {**properties, "comment": comment}
    clause = ", ".join(f"'{name}' = '{value}'" for name, value in told.items())
    session.sql(f"create namespace if not exists {table.rpartition('.')[0]}")
    try:
        session.sql(
            f"create table if not exists {table} ({columns}) using iceberg tblproperties ({clause})"
        )
    except Exception:
        tables.forget(session, table)
        if not tables.exists(session, table):
            raise
