"""Iceberg's Spark module: classes that its own commands are made of, and that are no API.

Its tables, schemas and actions are an API, in Java; those need no page here.
"""

from typing import TYPE_CHECKING, Any

from dbt_spark_contracts.compat.pyspark import active, java_classes, java_session

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def load_table(session: "SparkSession", name: str) -> Any:
    """A table by its name in SQL, as Iceberg's API has it: Spark hands out its own wrapper only.

    Raises pyspark's AnalysisException if there is none, Iceberg's error if it is another format's.
    """
    spark = java_classes(active(session)).org.apache.iceberg.spark
    return spark.Spark3Util.loadIcebergTable(java_session(session), name)


def catalog_and_identifier(session: "SparkSession", name: str) -> tuple[Any, Any]:
    """The catalog of a table's name in SQL, and its identifier there: Spark's Java objects."""
    spark = java_classes(active(session)).org.apache.iceberg.spark
    found = spark.Spark3Util.catalogAndIdentifier(java_session(session), name)
    return found.catalog(), found.identifier()


def expression(session: "SparkSession", table: str, condition: str) -> Any:
    """A condition on a table's columns, in SQL, as Iceberg's expression."""
    sources = java_classes(session).org.apache.spark.sql.execution.datasources
    converter = sources.SparkExpressionConverter
    resolved = converter.collectResolvedSparkExpression(java_session(session), table, condition)
    return converter.convertToIcebergExpression(resolved)
