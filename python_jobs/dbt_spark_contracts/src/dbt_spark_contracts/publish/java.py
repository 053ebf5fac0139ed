"""Calls of Iceberg's Java API through the session."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from dbt_spark_contracts.compat.pyspark import java_classes

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def process_number(session: "SparkSession") -> int:
    """Return the process id of the session's Java."""
    name = java_classes(session).java.lang.management.ManagementFactory.getRuntimeMXBean().getName()
    return int(name.partition("@")[0])


def as_list(session: "SparkSession", items: Iterable) -> Any:
    """Return a java.util.List of Java objects."""
    made = java_classes(session).java.util.ArrayList()
    for item in items:
        made.add(item)
    return made
