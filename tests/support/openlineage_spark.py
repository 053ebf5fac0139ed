"""Compares our column origins with OpenLineage's Spark listener, for the queries of our tests.

    python -m tests.support.openlineage_spark

prints each column for which the two differ. The listener reports each query when the result is
written to a table.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from dbt_spark_contracts.lineage.model import trace
from dbt_spark_contracts.spark.java import find_java_home

from tests.support.openlineage_listener import (
    ROWS,
    Comparison,
    compared,
    inputs_by,
    inputs_of,
    lines,
    settings,
)
from tests.support.origin_queries import QUERIES, TABLES

MODEL = {
    "relation_name": "lake.origins.m",
    "unique_id": "m",
    "language": "sql",
    "checksum": {"checksum": "1"},
}


def compare(folder: Path) -> Comparison:
    """Write each query to a table in a Spark with the listener, and compare the inputs.

    Args:
        folder: The folder for the tables and the events.
    """
    from pyspark.sql import SparkSession

    os.environ["JAVA_HOME"] = str(find_java_home())
    events = folder / "events.jsonl"
    catalog = "spark.sql.catalog.lakehouse"
    builder = SparkSession.builder.master("local[1]")
    for name, value in {
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "1",
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        "spark.sql.defaultCatalog": "lakehouse",
        catalog: "org.apache.iceberg.spark.SparkCatalog",
        f"{catalog}.type": "hadoop",
        f"{catalog}.warehouse": str(folder / "warehouse"),
        **settings(events),
    }.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("OFF")
    for statement in filter(str.strip, TABLES.split(";")):
        spark.sql(statement)
    for name in ("t", "u"):
        spark.table(f"origins.{name}").createOrReplaceTempView(name)
    ours, names = {}, {}
    for number, (name, (query, _)) in enumerate(QUERIES.items()):
        frame = spark.sql(query)
        ours[name], names[f"q{number}"] = dict(_ours(frame)), name
        frame.writeTo(f"origins.q{number}").createOrReplace()
    spark.stop()  # flushes the listener's events
    theirs = {names[table]: columns for table, columns in inputs_by(events).items()}
    return compared(ours, theirs)


def _ours(frame) -> Iterator[tuple[str, frozenset[str]]]:
    entry = trace(frame, MODEL, {})
    for name, column in entry.columns.items():
        yield name, inputs_of(column)
    yield ROWS, inputs_of(entry.rows)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        sys.stdout.writelines(f"{line}\n" for line in lines(compare(Path(folder)), "queries"))
