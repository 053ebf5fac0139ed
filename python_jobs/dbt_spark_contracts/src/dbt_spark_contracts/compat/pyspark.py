"""pyspark and py4j: the Java objects behind pyspark's own.

Spark's plans and catalogs, and all of Iceberg, only have a Java API, which py4j can call. pyspark
keeps its access private. It is imported late, because `dbt parse` does not need it.
"""

import json
import os
import re
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from pyspark.sql import Column, DataFrame, SparkSession
    from pyspark.sql.group import GroupedData


# How Hadoop's FileStatus tells the length of a file.
_LENGTH = re.compile(r"; isDirectory=false; length=(\d+);")


def java_classes(session: "SparkSession") -> Any:
    """Return the root of Java's packages, which gives access to classes by their full names."""
    return session._jvm


def java_session(session: "SparkSession") -> Any:
    """Return the Java session, which Iceberg's and Spark's functions take."""
    return session._jsparkSession


def active(session: "SparkSession") -> "SparkSession":
    """Make the session active in this thread, where Spark reads `spark.sql.defaultCatalog`."""
    java_classes(session).SparkSession.setActiveSession(java_session(session))
    return session


def sql_parser(session: "SparkSession") -> Any:
    """Return Spark's parser, which does not analyze."""
    return java_session(session).sessionState().sqlParser()


def formatted_sql(session: "SparkSession", text: str, values: "Mapping[str, Any]") -> str:
    """Return the statement that `session.sql(text, **values)` runs."""
    from pyspark.sql.sql_formatter import SQLStringFormatter

    formatter = SQLStringFormatter(session)
    try:
        return formatter.format(text, **values)
    finally:
        formatter.clear()


def current_catalog(session: "SparkSession") -> Any:
    """Return the session's current catalog as a Java object."""
    return java_session(active(session)).sessionState().catalogManager().currentCatalog()


def analyzed_plan(frame: "DataFrame") -> Any:
    """Return the analyzed plan of a DataFrame as a Java object. No Spark job."""
    return frame._jdf.queryExecution().analyzed()


def optimized_plan(frame: "DataFrame") -> Any:
    """Return the optimized plan of a DataFrame as a Java object. No Spark job."""
    return frame._jdf.queryExecution().optimizedPlan()


def replaced_functions(session: "SparkSession", names: "Collection[str]") -> set[str]:
    """Return those of the names that are a function in this session, and not Spark's own."""
    registry = java_session(session).sessionState().functionRegistry()
    named = java_classes(session).org.apache.spark.sql.catalyst.FunctionIdentifier
    known = {name: registry.lookupFunction(named(name)) for name in names}
    return {
        name
        for name, info in known.items()
        if info.isDefined() and info.get().getSource() != "built-in"
    }


def has_any(frame: "DataFrame", *patterns: str) -> bool:
    """Return whether a DataFrame's analyzed plan has one of these patterns. No Spark job.

    Args:
        frame: The DataFrame.
        patterns: Names of Spark's TreePattern, such as LIMIT.
    """
    known = java_classes(frame.sparkSession).org.apache.spark.sql.catalyst.trees.TreePattern
    plan = analyzed_plan(frame)
    return any(plan.containsPattern(getattr(known, name)()) for name in patterns)


def casts_a_day(frame: "DataFrame") -> bool:
    """Return whether a DataFrame casts a text such as `today` to a date or a time. No Spark job.

    Spark's own rules replace functions such as `to_date` by casts, and such a cast by the date of
    the clock. They concern constants only: a column's `today` is no date to Spark.
    """
    rules = java_classes(frame.sparkSession).org.apache.spark.sql.catalyst.optimizer
    plan = analyzed_plan(frame)
    parts = [
        rules.ReplaceExpressions.apply(part) for part in (plan, *elements(plan.subqueriesAll()))
    ]
    return any(not rules.SpecialDatetimeValues.apply(part).fastEquals(part) for part in parts)


def input_files(session: "SparkSession", frame: "DataFrame") -> list[str]:
    """Return the URLs of the files that a DataFrame reads."""
    return fetched(session, frame._jdf.inputFiles())


def may_have_empty_files(frame: "DataFrame") -> bool:
    """Return whether a DataFrame that reads only files may have empty ones. No Spark job.

    Their lengths are in the text of Hadoop's FileStatus. If there is not one for each file, the
    answer is yes.

    Args:
        frame: What `spark.read` returns.
    """
    files = analyzed_plan(frame).relation().location().allFiles()
    lengths = _LENGTH.findall(files.mkString("\n"))
    return len(lengths) != files.size() or "0" in lengths


def fetched(session: "SparkSession", collection: Any) -> Any:
    """Convert a Java collection of texts and numbers in one call. py4j needs one per element."""
    mapper = java_classes(session).com.fasterxml.jackson.databind.ObjectMapper()
    return json.loads(mapper.writeValueAsString(collection))


def frame_of(session: "SparkSession", plan: Any) -> "DataFrame":
    """Return the DataFrame of a parsed plan, which is analyzed but not run."""
    from pyspark.sql import DataFrame

    dataset = _sql_package(session).Dataset
    return DataFrame(dataset.ofRows(java_session(session), plan), session)


def column_of(session: "SparkSession", expression: Any) -> "Column":
    """Return the column of a parsed expression."""
    from pyspark.sql import Column

    package = _sql_package(session)
    if _is_spark_4(session):
        return Column(package.ExpressionUtils.column(expression))
    return Column(package.Column(expression))


def with_child(session: "SparkSession", plan: Any, child: Any) -> Any:
    """Return the plan with its one child replaced."""
    return plan.withNewChildren(java_classes(session).PythonUtils.toSeq([child]))


def kind_of_java(value: Any) -> str:
    """Return the class name of a Java object. Empty for a value that py4j has converted."""
    return value.getClass().getSimpleName() if hasattr(value, "_target_id") else ""


def elements(sequence: Any) -> "Iterator[Any]":
    """Yield the elements of a Scala sequence, which py4j cannot iterate."""
    return (sequence.apply(position) for position in range(sequence.size()))


def grouped_frame(groups: "GroupedData") -> "DataFrame":
    """Return the DataFrame whose rows were grouped."""
    return groups._df


def hadoop_configuration(session: "SparkSession") -> Any:
    """Return the configuration with which Hadoop finds the file system of a path."""
    return session._jsc.hadoopConfiguration()


def java_array(session: "SparkSession", kind: Any, length: int) -> Any:
    """Return a Java array, for Java's varargs."""
    return session.sparkContext._gateway.new_array(kind, length)


def has_own_java_threads(session: "SparkSession") -> bool:
    """Return whether each Python thread has a Java thread of its own: $PYSPARK_PIN_THREAD."""
    from py4j.clientserver import ClientServer

    return isinstance(session.sparkContext._gateway, ClientServer)


def has_java() -> bool:
    """Return whether this process has a Java. It may outlive its session."""
    from pyspark import SparkContext

    return bool(SparkContext._gateway)


def classes_of_this_java() -> Any:
    """Return the same as `java_classes`, for a Java that may have no session."""
    from pyspark import SparkContext

    return SparkContext._jvm


def _sql_package(session: "SparkSession") -> Any:
    """Return the package of Spark's own sessions and DataFrames, which Spark 4 has renamed."""
    package = java_classes(session).org.apache.spark.sql
    return package.classic if _is_spark_4(session) else package


def _is_spark_4(session: "SparkSession") -> bool:
    return session.version.startswith("4.")


def connect(port: int, secret: str) -> None:
    """Connect pyspark in this process to the Java that listens on this port.

    pyspark reads the port from the environment. It gets a private copy of the environment, because
    other threads of dbt run at the same time and would fail while a variable is removed.
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
