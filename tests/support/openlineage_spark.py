"""Compares our column origins with OpenLineage's Spark listener, for the queries of our tests.

    python -m tests.support.openlineage_spark

prints each column for which the two differ. The listener comes from Maven. It reports each query
when the result is written to a table.
"""

import json
import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from dbt_spark_contracts.lineage.model import trace
from dbt_spark_contracts.spark.java import find_java_home
from dbt_spark_contracts.spark.settings import bundled_iceberg_jar

from tests.support.maven import artifact
from tests.support.origin_queries import QUERIES, TABLES

LISTENER = "io.openlineage:openlineage-spark_2.12:1.37.0:jar"

MODEL = {
    "relation_name": "lake.origins.m",
    "unique_id": "m",
    "language": "sql",
    "checksum": {"checksum": "1"},
}

# Stands for the rows of a model, beside its columns.
ROWS = "(rows)"


class Difference(NamedTuple):
    """A column of a query, and the inputs that only one of the two reports."""

    query: str
    column: str
    ours: frozenset[str]
    theirs: frozenset[str]


class Comparison(NamedTuple):
    """The number of equal columns, the differences, and the queries without an event (`unseen`)."""

    same: int
    differences: list[Difference]
    unseen: list[str]


def compare(folder: Path) -> Comparison:
    """Write each query to a table in a Spark with the listener, and compare the inputs.

    Args:
        folder: The folder for the tables and the events.
    """
    from pyspark.sql import SparkSession

    os.environ["JAVA_HOME"] = str(find_java_home())
    events = folder / "events.jsonl"
    catalog = "spark.sql.catalog.lakehouse"
    settings = {
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "1",
        "spark.driver.extraClassPath": f"{artifact(LISTENER)}{os.pathsep}{bundled_iceberg_jar()}",
        "spark.extraListeners": "io.openlineage.spark.agent.OpenLineageSparkListener",
        "spark.openlineage.transport.type": "file",
        "spark.openlineage.transport.location": str(events),
        "spark.openlineage.columnLineage.datasetLineageEnabled": "true",
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        "spark.sql.defaultCatalog": "lakehouse",
        catalog: "org.apache.iceberg.spark.SparkCatalog",
        f"{catalog}.type": "hadoop",
        f"{catalog}.warehouse": str(folder / "warehouse"),
    }
    builder = SparkSession.builder.master("local[1]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("OFF")
    for statement in filter(str.strip, TABLES.split(";")):
        spark.sql(statement)
    for name in ("t", "u"):
        spark.table(f"origins.{name}").createOrReplaceTempView(name)
    ours = {}
    for number, (query, _) in enumerate(QUERIES.values()):
        frame = spark.sql(query)
        ours[f"q{number}"] = dict(_ours(frame))
        frame.writeTo(f"origins.q{number}").createOrReplace()
    spark.stop()  # flushes the listener's events
    theirs = _theirs(events)
    return _compared(dict(zip(ours, QUERIES, strict=True)), ours, theirs)


def _ours(frame) -> Iterator[tuple[str, frozenset[str]]]:
    entry = trace(frame, MODEL, {})
    for name, column in entry.columns.items():
        yield name, _inputs(column)
    yield ROWS, _inputs(entry.rows)


def _inputs(found) -> frozenset[str]:
    """Return the known inputs as `table.column`."""
    return frozenset(f"{each.node.rpartition('.')[2]}.{each.column}" for each in found.origins)


def _theirs(events: Path) -> dict[str, dict[str, frozenset[str]]]:
    """Return the inputs of each written table's columns from OpenLineage's events."""
    found: dict[str, dict[str, frozenset[str]]] = {}
    for line in events.read_text().splitlines():
        for output in json.loads(line)["outputs"]:
            facet = output["facets"].get("columnLineage")
            if facet:
                columns = {name: told["inputFields"] for name, told in facet["fields"].items()}
                columns[ROWS] = facet.get("dataset", [])
                table = output["name"].rpartition("/")[2]
                found[table] = {
                    name: frozenset(f"{_table(each['name'])}.{each['field']}" for each in inputs)
                    for name, inputs in columns.items()
                }
    return found


def _table(name: str) -> str:
    return re.split(r"[/.]", name)[-1]


def _compared(queries: dict[str, str], ours: dict, theirs: dict) -> Comparison:
    same, differences = 0, []
    for table, name in queries.items():
        for column, inputs in ours[table].items():
            other = theirs.get(table, {}).get(column, frozenset())
            if inputs == other:
                same += 1
            elif table in theirs:
                differences.append(Difference(name, column, inputs - other, other - inputs))
    unseen = [name for table, name in queries.items() if table not in theirs]
    return Comparison(same, differences, unseen)


def lines(found: Comparison) -> Iterator[str]:
    """Yield the comparison as lines of text."""
    kinds = Counter(
        "both" if each.ours and each.theirs else "we" if each.ours else "OpenLineage"
        for each in found.differences
    )
    yield (
        f"{found.same} columns and rows have the same inputs. Some inputs are known to us only in "
        f"{kinds['we']}, to OpenLineage only in {kinds['OpenLineage']}, to either only in "
        f"{kinds['both']}. OpenLineage has no columns of {len(found.unseen)} queries."
    )
    for each in found.differences:
        only = [f"we: {', '.join(sorted(each.ours))}"] if each.ours else []
        only += [f"OpenLineage: {', '.join(sorted(each.theirs))}"] if each.theirs else []
        yield f"{each.query}: {each.column}: only {'; only '.join(only)}"
    yield from (f"{name}: no columns by OpenLineage" for name in found.unseen)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        sys.stdout.writelines(f"{line}\n" for line in lines(compare(Path(folder))))
