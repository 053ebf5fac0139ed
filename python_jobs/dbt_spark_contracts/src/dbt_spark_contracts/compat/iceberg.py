"""Iceberg's Spark module: internal classes that its own commands are built on.

Iceberg's tables, schemas and actions are a public Java API and are used directly.
"""

from typing import TYPE_CHECKING, Any

from dbt_spark_contracts.compat.pyspark import (
    active,
    has_own_java_threads,
    java_classes,
    java_session,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import SparkSession


def version(session: "SparkSession") -> str:
    """Return Iceberg's version. The class is public, but not all distributions have kept it."""
    build = java_classes(session).org.apache.iceberg.IcebergBuild
    return build.version() if hasattr(build, "version") else "unknown"


def load_table(session: "SparkSession", name: str) -> Any:
    """Load a table by its SQL name as an object of Iceberg's API. Spark only returns its wrapper.

    Raises:
        AnalysisException: If the table does not exist. For a table of another format, Iceberg
            raises its own error.
    """
    spark = java_classes(active(session)).org.apache.iceberg.spark
    return spark.Spark3Util.loadIcebergTable(java_session(session), name)


def catalog_and_identifier(session: "SparkSession", name: str) -> tuple[Any, Any]:
    """Return the catalog of an SQL table name and its identifier there, as Java objects."""
    spark = java_classes(active(session)).org.apache.iceberg.spark
    found = spark.Spark3Util.catalogAndIdentifier(java_session(session), name)
    return found.catalog(), found.identifier()


def expression(session: "SparkSession", table: str, condition: str) -> Any:
    """Convert an SQL condition on a table's columns to Iceberg's expression."""
    sources = java_classes(session).org.apache.spark.sql.execution.datasources
    converter = sources.SparkExpressionConverter
    resolved = converter.collectResolvedSparkExpression(java_session(session), table, condition)
    return converter.convertToIcebergExpression(resolved)


def note_on_commits(session: "SparkSession", notes: "Mapping[str, str]") -> None:
    """Add these notes to the summary of each snapshot that Spark commits for this thread.

    Iceberg offers this for a Java function (`CommitMetadata.withCommitProperties`), which Python
    does not have: so the thread's variable behind it is set. Without a Java thread for each Python
    thread, nothing is noted.

    Args:
        session: The session.
        notes: The notes, which replace earlier ones.

    Raises:
        Py4JError: If this Iceberg has no such variable.
    """
    if not has_own_java_threads(session):
        return
    java = java_classes(session).java
    loader = java.lang.Thread.currentThread().getContextClassLoader()
    name = "org.apache.iceberg.spark.CommitMetadata"
    variable = java.lang.Class.forName(name, True, loader).getDeclaredField("COMMIT_PROPERTIES")
    variable.setAccessible(True)
    variable.get(None).set(_java_map(session, notes))


def rewrite_plan(session: "SparkSession", planner: str, table: Any, options: dict[str, str]) -> Any:
    """Return the file groups that one of Iceberg's rewrite actions would rewrite. No Spark job.

    The action itself uses this planner. It has no method that only plans.

    Args:
        session: The session.
        planner: `BinPackRewriteFilePlanner` or `BinPackRewritePositionDeletePlanner`.
        table: The table, as an object of Iceberg's API.
        options: The options of the action.

    Returns:
        A Java iterator of groups, with `inputFileNum` and `expectedOutputFiles`.
    """
    made = getattr(java_classes(session).org.apache.iceberg.actions, planner)(table)
    made.init(_java_map(session, options))
    return made.plan().groups().iterator()


def _java_map(session: "SparkSession", entries: "Mapping[str, str]") -> Any:
    made = java_classes(session).java.util.HashMap()
    for name, value in entries.items():
        made.put(name, value)
    return made
