"""Commits to Iceberg tables by compare-and-swap: a commit changes exactly the state it has read."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from py4j.protocol import Py4JJavaError

from dbt_spark_contracts import tables
from dbt_spark_contracts.compat import iceberg
from dbt_spark_contracts.compat.pyspark import java_classes
from dbt_spark_contracts.publish import java

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# The maximum of attempts when other writers commit in between.
TRIES = 10

# Iceberg's exceptions for a concurrent commit, and for an unknown commit state.
_LOST_THE_RACE = (
    "org.apache.iceberg.exceptions.CommitFailedException",
    "org.apache.iceberg.exceptions.CommitStateUnknownException",
)

# Its exceptions where a server does not know the request for a transaction.
_NOT_OFFERED = (
    "java.lang.UnsupportedOperationException",
    "org.apache.iceberg.exceptions.NoSuchTableException",
)


class NotOffered(Exception):
    """The catalog does not commit to several tables at once, though it did not say so."""


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


def transactions(session: "SparkSession", names: Iterable[str]) -> Any:
    """Return the catalog that can commit to all of these tables at once, or None.

    Only a REST catalog can, and it says whether it does.
    """
    catalogs = (tables.located(session, name)[0] for name in names)
    found = {catalog.name(): catalog for catalog in catalogs}
    if len(found) != 1:
        return None
    (catalog,) = found.values()
    return iceberg.catalog_with_transactions(session, catalog)


def commit_together(session: "SparkSession", catalog: Any, changes: Mapping[str, Callable]) -> None:
    """Change the current metadata of several tables in one commit: all of them, or none.

    Args:
        session: The session.
        catalog: The catalog, from `transactions`.
        changes: The change of each table, as for `commit`. What it raises is passed on.

    Raises:
        NotOffered: If the catalog has no such commit after all. Nothing was changed.
    """
    for attempt in range(1, TRIES + 1):
        parts = []
        for table, change in changes.items():
            base = tables.load_anew(session, table).operations().current()
            builder = java_classes(session).org.apache.iceberg.TableMetadata.buildFrom(base)
            changed = change(base, builder)
            if changed is not None:
                _, identifier = tables.located(session, table)
                parts.append(iceberg.table_commit(session, identifier, base, changed.build()))
        if not parts:
            return
        try:
            catalog.commitTransaction(java.as_list(session, parts))
            for table in changes:
                tables.forget(session, table)  # Iceberg's cache does not see this commit
            return
        except Py4JJavaError as error:
            kind = error.java_exception.getClass().getName()
            if kind in _NOT_OFFERED:
                raise NotOffered from None
            if kind not in _LOST_THE_RACE or attempt == TRIES:
                raise


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
