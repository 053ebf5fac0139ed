"""OpenLineage's listener for Spark, from Maven, and what its events are compared with."""

import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from dbt_spark_contracts.spark.settings import bundled_iceberg_jar

from tests.support.maven import artifact

LISTENER = "io.openlineage:openlineage-spark_2.12:1.37.0:jar"

# The rows of a table, beside its columns.
ROWS = "(rows)"

# By table and column, the inputs: `table.column`.
Inputs = Mapping[str, Mapping[str, frozenset[str]]]


class Difference(NamedTuple):
    """A column of a table, and the inputs of it that one of the two alone has."""

    table: str
    column: str
    ours: frozenset[str]
    theirs: frozenset[str]


class Comparison(NamedTuple):
    """How many columns are the same, and which differ. `unseen` tables have no event."""

    same: int
    differences: list[Difference]
    unseen: list[str]


def settings(events: Path) -> dict[str, str]:
    """Spark's settings with which the listener writes its events to a file."""
    return {
        "spark.driver.extraClassPath": f"{artifact(LISTENER)}{os.pathsep}{bundled_iceberg_jar()}",
        "spark.extraListeners": "io.openlineage.spark.agent.OpenLineageSparkListener",
        "spark.openlineage.transport.type": "file",
        "spark.openlineage.transport.location": str(events),
        "spark.openlineage.columnLineage.datasetLineageEnabled": "true",
    }


def inputs_of(found) -> frozenset[str]:
    """The inputs of a column or of rows that we know."""
    return frozenset(f"{each.node.rpartition('.')[2]}.{each.column}" for each in found.origins)


def inputs_by(events: Path) -> Inputs:
    """Of each written table, the inputs by OpenLineage's events."""
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


def compared(ours: Inputs, theirs: Inputs) -> Comparison:
    """Compare the inputs of each column that we have."""
    same, differences = 0, []
    for table, columns in ours.items():
        for column, inputs in columns.items():
            other = theirs.get(table, {}).get(column, frozenset())
            if inputs == other:
                same += 1
            elif table in theirs:
                differences.append(Difference(table, column, inputs - other, other - inputs))
    return Comparison(same, differences, [table for table in ours if table not in theirs])


def lines(found: Comparison, table: str) -> Iterator[str]:
    """The comparison as lines of text, with a word for what it calls a table."""
    kinds = Counter(
        "both" if each.ours and each.theirs else "we" if each.ours else "OpenLineage"
        for each in found.differences
    )
    yield (
        f"{found.same} columns and rows have the same inputs. Some inputs are known to us only in "
        f"{kinds['we']}, to OpenLineage only in {kinds['OpenLineage']}, to either only in "
        f"{kinds['both']}. OpenLineage has no columns of {len(found.unseen)} {table}."
    )
    for each in found.differences:
        only = [f"we: {', '.join(sorted(each.ours))}"] if each.ours else []
        only += [f"OpenLineage: {', '.join(sorted(each.theirs))}"] if each.theirs else []
        yield f"{each.table}: {each.column}: only {'; only '.join(only)}"
    yield from (f"{name}: no columns by OpenLineage" for name in found.unseen)
