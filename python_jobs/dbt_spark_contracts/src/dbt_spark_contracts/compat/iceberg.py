"""Iceberg's Spark module: internal classes that its own commands are built on.

Iceberg's tables, schemas and actions are a public Java API and are used directly.
"""

from typing import TYPE_CHECKING, Any

from dbt_spark_contracts.compat.pyspark import (
    active,
    has_own_java_threads,
    java_array,
    java_classes,
    java_session,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pyspark.sql import DataFrame, SparkSession


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


def catalog_with_transactions(session: "SparkSession", catalog: Any) -> Any:
    """Return Iceberg's REST catalog behind a catalog of Spark's, if its server has transactions.

    The server says so in its configuration, which Iceberg's client asks for. Of the catalog that
    the session uses, neither the client nor what it was told is public; another one would log in
    again.

    Args:
        session: The session.
        catalog: Spark's catalog, as a Java object.

    Returns:
        The catalog, whose `commitTransaction` commits to several tables at once, or None.
    """
    behind = catalog.icebergCatalog()
    while _class_name(behind) == "org.apache.iceberg.CachingCatalog":
        behind = _field(behind, "catalog")
    if _class_name(behind) != "org.apache.iceberg.rest.RESTCatalog":
        return None
    offered = _field(_field(behind, "sessionCatalog"), "endpoints")
    endpoint = java_classes(session).org.apache.iceberg.rest.Endpoint
    return behind if offered.contains(endpoint.V1_COMMIT_TRANSACTION) else None


def table_commit(session: "SparkSession", identifier: Any, base: Any, changed: Any) -> Any:
    """Return a table's part of a transaction.

    Args:
        session: The session.
        identifier: The table's identifier in Spark.
        base: Iceberg's metadata of the table, as they must still be.
        changed: The metadata with the changes.
    """
    iceberg = java_classes(session).org.apache.iceberg
    name = iceberg.spark.Spark3Util.identifierToTableIdentifier(identifier)
    return iceberg.catalog.TableCommit.create(name, base, changed)


def _class_name(value: Any) -> str:
    return value.getClass().getName()


def _field(value: Any, name: str) -> Any:
    """Return the value of a private field."""
    field = value.getClass().getDeclaredField(name)
    field.setAccessible(True)
    return field.get(value)


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


def read_files(
    session: "SparkSession", name: str, table: Any, files: "Iterable[Any]", key: str
) -> "DataFrame":
    """Return the rows of some data files of a table, which have no deletes.

    Iceberg's rewrite actions read files so. Its increments of merged tables, `changes`, cannot be
    read by a session that writes to a branch (1.10).

    Args:
        session: The session.
        name: The table's SQL name.
        table: The table, as an object of Iceberg's API.
        files: Its data files, as objects of Iceberg's API.
        key: A name for them that nothing else uses. Java holds them until `forget_files`.
    """
    api = java_classes(session).org.apache.iceberg
    schema = api.SchemaParser.toJson(table.schema())
    residuals = api.expressions.ResidualEvaluator.unpartitioned(
        api.expressions.Expressions.alwaysTrue()
    )
    tasks = java_classes(session).java.util.ArrayList()
    for file in files:
        spec = api.PartitionSpecParser.toJson(table.specs().get(file.specId()))
        deletes = java_array(session, api.DeleteFile, 0)
        tasks.add(api.BaseFileScanTask(file, deletes, schema, spec, residuals))
    api.spark.ScanTaskSetManager.get().stageTasks(table, key, tasks)
    return session.read.option("scan-task-set-id", key).table(name)


def forget_files(session: "SparkSession", table: Any, key: str) -> None:
    """Let Java forget the files that `read_files` reads."""
    api = java_classes(session).org.apache.iceberg
    api.spark.ScanTaskSetManager.get().removeTasks(table, key)
