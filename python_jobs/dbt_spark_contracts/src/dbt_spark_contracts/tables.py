"""Tables by Spark's and Iceberg's Java interfaces: what SQL cannot do, or needs a statement for."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from pyspark.errors import AnalysisException

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Spark's catalog in which every table is one of Iceberg's.
ICEBERG_CATALOG = "org.apache.iceberg.spark.SparkCatalog"

# Spark's error class of a table that is not there.
NO_TABLE = "TABLE_OR_VIEW_NOT_FOUND"


def list_schemas(session: "SparkSession") -> list[str]:
    """The schemas of the session's current catalog."""
    return [".".join(name) for name in _current_catalog(session).listNamespaces()]


def list_iceberg_tables(session: "SparkSession", schema: str) -> list[str] | None:
    """The names of the tables in a schema of the session's current catalog. No table is loaded.

    None if the catalog has tables other than Iceberg's too. Raises Iceberg's error if there is no
    such schema.
    """
    catalog = _current_catalog(session)
    if catalog.getClass().getName() != ICEBERG_CATALOG:
        return None
    namespace = _located(session, f"{schema}.any")[1].namespace()
    return [identifier.name() for identifier in catalog.listTables(namespace)]


def load(session: "SparkSession", table: str):
    """A table as Iceberg's Java API has it. Raises pyspark's AnalysisException if it is none."""
    iceberg = _active(session)._jvm.org.apache.iceberg.spark.Spark3Util
    return iceberg.loadIcebergTable(session._jsparkSession, table)


def current_catalog(session: "SparkSession") -> str:
    """The name of the session's current catalog. (`select current_catalog()` is a Spark job.)"""
    return _active(session).catalog.currentCatalog()


def exists(session: "SparkSession", table: str) -> bool:
    """Is there a table of that name?"""
    try:
        load(session, table)
    except AnalysisException as error:
        if error.getErrorClass() == NO_TABLE:
            return False
        raise
    return True


def load_anew(session: "SparkSession", table: str):
    """The same as `load`, as it is now: another process may have changed it."""
    forget(session, table)
    return load(session, table)


def forget(session: "SparkSession", table: str) -> None:
    """Let the session read the table's metadata when it next needs it.

    Iceberg's catalog keeps what it has read for a while, and does not see what others commit.
    """
    catalog, identifier = _located(session, table)
    catalog.invalidateTable(identifier)


def _current_catalog(session: "SparkSession"):
    return _active(session)._jsparkSession.sessionState().catalogManager().currentCatalog()


def _located(session: "SparkSession", table: str) -> tuple:
    """The table's catalog and identifier, Spark's Java objects."""
    iceberg = _active(session)._jvm.org.apache.iceberg.spark.Spark3Util
    found = iceberg.catalogAndIdentifier(session._jsparkSession, table)
    return found.catalog(), found.identifier()


def _active(session: "SparkSession") -> "SparkSession":
    """The session, made this thread's: Spark reads `spark.sql.defaultCatalog` of the active one."""
    session._jvm.SparkSession.setActiveSession(session._jsparkSession)
    return session


def stage_seed(
    session: "SparkSession", view: str, rows: Iterable[Iterable], types: dict[str, str]
) -> None:
    """Let the temporary view `view` stand for the rows that dbt has read from a seed's file.

    In: each row's values, in the order of `types`: column name to Spark type.
    """
    frame = session.createDataFrame(
        [tuple(map(_as_text, row)) for row in rows],
        ", ".join(f"`{name}` string" for name in types),
    )
    frame.selectExpr(
        *(f"cast(`{name}` as {type}) as `{name}`" for name, type in types.items())
    ).createOrReplaceTempView(view)


def _as_text(value) -> str | None:
    """A value as a SQL cast takes it."""
    if value is None:
        return None
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, date):  # a datetime too
        return value.isoformat()
    return str(value)
