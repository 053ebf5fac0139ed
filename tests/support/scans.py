"""What Spark has read of a table, by the plans and the metrics of its queries."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pyspark.sql import SparkSession


@dataclass(frozen=True)
class Scan:
    """One scan of an Iceberg table.

    Attributes:
        columns: What was read of each row. The names of a wide table are cut short.
        planned: The files that the scan was planned with.
        files: The files that were read. Each is one split, because those of tests are small.
        rows: The rows that were read.
    """

    columns: tuple[str, ...]
    planned: int
    files: int
    rows: int


@dataclass
class Recorded:
    """What the queries inside of a block did.

    Attributes:
        scans: The scans of each table, by its name without the catalog's.
        steps: The names of the steps of each query that writes, by the table.
    """

    scans: dict[str, list[Scan]]
    steps: dict[str, list[list[str]]]


@contextmanager
def recorded(spark: SparkSession) -> Iterator[Recorded]:
    """What all threads ask of Spark inside the block, known when it has ended."""
    store = spark._jsparkSession.sharedState().statusStore()
    found = Recorded({}, {})
    _wait(spark)
    before = _queries(store)
    yield found
    _wait(spark)
    for query in sorted(_queries(store) - before):
        _add(found, store, query)


def _wait(spark: SparkSession) -> None:
    spark.sparkContext._jsc.sc().listenerBus().waitUntilEmpty()


def _queries(store) -> set[int]:
    queries = store.executionsList()
    return {queries.apply(number).executionId() for number in range(queries.size())}


def _add(found: Recorded, store, query: int) -> None:
    metrics = store.executionMetrics(query)
    nodes = store.planGraph(query).allNodes()
    nodes = [nodes.apply(number) for number in range(nodes.size())]
    for node in nodes:
        if written := re.search(r"IcebergWrite\(table=([^,)]+)", node.desc()):
            steps = [each.name() for each in nodes]
            found.steps.setdefault(_without_catalog(written[1]), []).append(steps)
        if scanned := re.match(r"BatchScan (\S+?)\[(.*?)\]", node.desc()):
            columns = tuple(name.strip().split("#")[0] for name in scanned[2].split(","))
            of = _metrics(node, metrics)
            scan = Scan(
                columns,
                of("number of result data files"),
                of("number of file splits read"),
                of("number of output rows"),
            )
            found.scans.setdefault(_without_catalog(scanned[1]), []).append(scan)


def _metrics(node, metrics):
    ids = [node.metrics().apply(number) for number in range(node.metrics().size())]
    found = {each.name(): metrics.get(each.accumulatorId()) for each in ids}

    def number(name: str) -> int:
        """0 for a metric of a scan that did not run, because nothing asked for its rows."""
        value = found[name]
        return int(value.get().replace(",", "")) if value.isDefined() else 0

    return number


def _without_catalog(table: str) -> str:
    return table.partition(".")[2]
