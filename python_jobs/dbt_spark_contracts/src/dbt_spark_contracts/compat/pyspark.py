"""pyspark and py4j: the Java objects behind pyspark's own.

Spark's plans and catalogs, and all of Iceberg, have an API in Java only; py4j calls it. pyspark
keeps the way there to itself. It is imported when it is needed: `dbt parse` needs none of it.
"""

import json
import os
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pyspark.sql import Column, DataFrame, SparkSession
    from pyspark.sql.group import GroupedData


def java_classes(session: "SparkSession") -> Any:
    """Java's packages, from which a class is had by its whole name."""
    return session._jvm


def java_session(session: "SparkSession") -> Any:
    """Java's session, which Iceberg's and Spark's own functions take."""
    return session._jsparkSession


def active(session: "SparkSession") -> "SparkSession":
    """The session, made this thread's: Spark reads `spark.sql.defaultCatalog` of the active one."""
    java_classes(session).SparkSession.setActiveSession(java_session(session))
    return session


def sql_parser(session: "SparkSession") -> Any:
    """Spark's parser, which parses without any analysis."""
    return java_session(session).sessionState().sqlParser()


def formatted_sql(session: "SparkSession", text: str, values: "Mapping[str, Any]") -> str:
    """The statement that `session.sql(text, **values)` runs."""
    from pyspark.sql.sql_formatter import SQLStringFormatter

    formatter = SQLStringFormatter(session)
    try:
        return formatter.format(text, **values)
    finally:
        formatter.clear()


def current_catalog(session: "SparkSession") -> Any:
    """The session's current catalog: Spark's Java object."""
    return java_session(active(session)).sessionState().catalogManager().currentCatalog()


def analyzed_plan(frame: "DataFrame") -> Any:
    """The analyzed plan of a DataFrame: Spark's Java object. No Spark job."""
    return frame._jdf.queryExecution().analyzed()


def optimized_plan(frame: "DataFrame") -> Any:
    """The optimized plan of a DataFrame: Spark's Java object. No Spark job."""
    return frame._jdf.queryExecution().optimizedPlan()


def input_files(session: "SparkSession", frame: "DataFrame") -> list[str]:
    """The URLs of the files that a DataFrame reads."""
    return fetched(session, frame._jdf.inputFiles())


def fetched(session: "SparkSession", collection: Any) -> Any:
    """A Java collection of texts and numbers as Python's own: py4j has a call for each of them."""
    mapper = java_classes(session).com.fasterxml.jackson.databind.ObjectMapper()
    return json.loads(mapper.writeValueAsString(collection))


def frame_of(session: "SparkSession", plan: Any) -> "DataFrame":
    """The DataFrame of a plan that the parser has made: analyzed, and not run."""
    from pyspark.sql import DataFrame

    dataset = java_classes(session).org.apache.spark.sql.Dataset
    return DataFrame(dataset.ofRows(java_session(session), plan), session)


def column_of(session: "SparkSession", expression: Any) -> "Column":
    """The column of an expression that the parser has made."""
    from pyspark.sql import Column

    return Column(java_classes(session).org.apache.spark.sql.Column(expression))


def with_child(session: "SparkSession", plan: Any, child: Any) -> Any:
    """The same plan over another one child."""
    from pyspark.sql.column import _to_seq

    return plan.withNewChildren(_to_seq(session.sparkContext, [child]))


def kind_of_java(value: Any) -> str:
    """The name of a Java object's class; empty for what py4j has made a Python one."""
    return value.getClass().getSimpleName() if hasattr(value, "_target_id") else ""


def elements(sequence: Any) -> "Iterator[Any]":
    """The elements of a Scala sequence, which py4j does not iterate over."""
    return (sequence.apply(position) for position in range(sequence.size()))


def grouped_frame(groups: "GroupedData") -> "DataFrame":
    """The DataFrame whose rows were grouped."""
    return groups._df


def hadoop_configuration(session: "SparkSession") -> Any:
    """With what Hadoop finds the file system of a path."""
    return session._jsc.hadoopConfiguration()


def java_array(session: "SparkSession", kind: Any, length: int) -> Any:
    """A Java array, which Java's varargs take."""
    return session.sparkContext._gateway.new_array(kind, length)


def has_java() -> bool:
    """Does this process have a Java? It outlives the session in it."""
    from pyspark import SparkContext

    return bool(SparkContext._gateway)


def classes_of_this_java() -> Any:
    """The same as `java_classes`, where there is a Java and may be no session."""
    from pyspark import SparkContext

    return SparkContext._jvm


def connect(port: int, secret: str) -> None:
    """Let pyspark in this process use the Java that listens there.

    pyspark asks the environment where a Java runs. It is handed one of its own: this thread runs
    beside dbt's, and what reads the process's environment while a variable goes, fails.
    """
    from pyspark import SparkContext, java_gateway

    where = {"PYSPARK_GATEWAY_PORT": str(port), "PYSPARK_GATEWAY_SECRET": secret}
    own = ModuleType("os")
    own.__dict__.update(os.__dict__, environ={**os.environ, **where})
    java_gateway.os = own
    try:
        SparkContext._ensure_initialized()
    finally:
        java_gateway.os = os
