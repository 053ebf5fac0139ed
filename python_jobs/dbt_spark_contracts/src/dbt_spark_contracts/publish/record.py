"""The tables `dbt_runs` and `dbt_nodes`: the runs that may write tables, and their nodes.

The rows are written when the run ends, also if it failed. A killed process leaves none.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from dbt_spark_contracts import tables
from dbt_spark_contracts.publish import commits, limits
from dbt_spark_contracts.publish.rows import append
from dbt_spark_contracts.publish.written_rows import Written

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

RUNS = "dbt_runs"
NODES = "dbt_nodes"

# Results of a run, in addition to the statuses of the publish log.
FAILED = "failed"
NOT_PUBLISHED = "not published"
ON_MAIN = "written to main"
UNCHANGED = "unchanged"

_RUN_COLUMNS = {
    "started_at": "timestamp not null",
    "run": "string not null comment 'its name, and that of its branch'",
    "invocation_id": "string not null comment 'the dbt command'",
    "command": "string not null comment 'build, run, seed or snapshot'",
    "status": "string not null comment "
    "'published, held back, written to main, unchanged (nothing to publish), not published, or "
    "failed: it has written no table'",
    "seconds": "double not null",
    "tables": "bigint not null comment 'how many tables it has written'",
    "nodes": "bigint not null comment 'how many nodes have run'",
    "errors": "bigint not null comment 'how many of those ended in an error or failed'",
    "git_commit": "string comment 'of the project; it ends with -dirty if files differed from it'",
    "reason": "string comment 'why it was not published although no node failed'",
}
_NODE_COLUMNS = {
    "started_at": "timestamp not null comment 'when the run began'",
    "run": "string not null",
    "node": "string not null comment 'unique_id of dbt'",
    "status": "string not null",
    "seconds": "double not null",
    "table_name": "string",
    "snapshot_id": "bigint comment 'what it has committed'",
    "rows_written": "bigint",
    "files_written": "bigint",
    "bytes_written": "bigint",
    "total_rows": "bigint comment 'of the table, after it'",
    "failures": "bigint comment 'of a data test'",
    "contract_checksum": "string",
    "message": "string comment 'what dbt says of it'",
    "rejected": "bigint comment "
    "'rows that the run has written to the tables whose models hold its rejected records'",
    "null_counts": "map<string, bigint> comment 'of the rows written, by column'",
}


@dataclass(frozen=True)
class Outcome:
    """The result of a node.

    Attributes:
        status: dbt's status.
        relation: The name of its table, or "" if it has none.
        seconds: How long it took.
        message: dbt's message.
        failures: The number of rows that a data test found.
        written: What it wrote, if it wrote a table.
    """

    status: str
    relation: str = ""
    seconds: float = 0.0
    message: str = ""
    failures: int = 0
    written: Written | None = None


@dataclass(frozen=True)
class RunRow:
    """A row of `dbt_runs`. The attributes are the columns."""

    started_at: datetime
    run: str
    invocation_id: str
    command: str
    status: str
    seconds: float
    tables: int
    nodes: int
    errors: int
    git_commit: str | None
    reason: str | None


@dataclass(frozen=True)
class NodeRow:
    """A row of `dbt_nodes`. The attributes are the columns."""

    started_at: datetime
    run: str
    node: str
    status: str
    seconds: float
    table_name: str | None
    snapshot_id: int | None
    rows_written: int | None
    files_written: int | None
    bytes_written: int | None
    total_rows: int | None
    failures: int | None
    contract_checksum: str | None
    message: str | None
    rejected: int | None
    null_counts: dict[str, int] | None


def node_rows(
    run: RunRow, outcomes: Mapping[str, Outcome], nodes: Mapping[str, dict]
) -> list[NodeRow]:
    """Return the rows of the nodes of a run.

    Args:
        run: The row of the run.
        outcomes: How its nodes have ended, by unique id.
        nodes: dbt's nodes by unique id, as in its graph.
    """
    holders = limits.rejects_of(nodes)
    return [
        _node_row(run, key, how, nodes.get(key, {}), _rejected(outcomes, holders.get(key, ())))
        for key, how in outcomes.items()
    ]


def _node_row(run: RunRow, node: str, how: Outcome, dbts: dict, rejected: int | None) -> NodeRow:
    made = how.written
    return NodeRow(
        run.started_at,
        run.run,
        node,
        how.status,
        how.seconds,
        how.relation if made else None,
        made.snapshot_id if made else None,
        made.rows if made else None,
        made.files if made else None,
        made.bytes if made else None,
        made.total_rows if made else None,
        how.failures if node.startswith("test.") else None,
        (dbts.get("contract") or {}).get("checksum"),
        how.message or None,
        rejected,
        made.null_counts if made else None,
    )


def _rejected(outcomes: Mapping[str, Outcome], holders: Iterable[str]) -> int | None:
    """Return how many records of a node a run has rejected.

    Args:
        outcomes: How the nodes of the run have ended, by unique id.
        holders: The unique ids of the nodes that hold its rejected records.

    Returns:
        The rows that those have written; None if one of them was not built.
    """
    ended = [outcomes.get(holder) for holder in holders]
    built = [how for how in ended if how is not None and how.status == "success"]
    if not built or len(built) < len(ended):
        return None
    return sum(how.written.rows if how.written else 0 for how in built)


def write(
    session: "SparkSession", names: tuple[str, str], run: RunRow, nodes: Iterable[NodeRow]
) -> None:
    """Write a run and its nodes, in one commit per table.

    Args:
        session: The session. It must write to main.
        names: The names of the two tables. They are created if they do not exist.
        run: The run.
        nodes: Its nodes.
    """
    told = "Each dbt run that may write tables", "Each node of these runs"
    columns = (_RUN_COLUMNS, _NODE_COLUMNS)
    found: tuple = ([asdict(run)], [asdict(node) for node in nodes])
    for name, column, comment, values in zip(names, columns, told, found, strict=True):
        commits.create_table(session, name, _clause(column), {}, comment)
        _add_new(session, name, column)
        append(session, name, values, {})


def _clause(columns: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {column}" for name, column in columns.items())


def _add_new(session: "SparkSession", table: str, columns: Mapping[str, str]) -> None:
    """Add the columns that an older version of this package did not have."""
    there = {column.name() for column in tables.load(session, table).schema().columns()}
    if new := {name: column for name, column in columns.items() if name not in there}:
        session.sql(f"alter table {table} add columns ({_clause(new)})")


def read(
    session: "SparkSession",
    names: tuple[str, str],
    limit: int | None = None,
    only: Collection[str] | None = None,
) -> list[dict]:
    """Return the recorded runs, newest first.

    Args:
        session: The session.
        names: The names of the two tables.
        limit: The maximum number of runs. Default: all.
        only: The names of the runs to read. Default: all.

    Returns:
        One dict per run: its row, with the rows of its nodes as `nodes`. Times are texts in UTC.
        Empty before the first run is recorded.
    """
    if not all(tables.exists(session, name) for name in names):
        return []
    for name in names:
        tables.forget(session, name)
    # As numbers, because pyspark would convert a time to the time zone of this machine.
    runs, nodes = (
        session.table(name).withColumn("started_at", F.unix_micros("started_at")) for name in names
    )
    if only is not None:
        runs, nodes = (frame.where(F.col("run").isin(*only)) for frame in (runs, nodes))
    newest = runs.orderBy(F.desc("started_at"), "run")
    newest = newest if limit is None else newest.limit(limit)
    found = [row.asDict() | {"nodes": []} for row in newest.collect()]
    by_key = {(run["started_at"], run["run"]): run for run in found}
    if found:
        oldest = found[-1]["started_at"]
        for row in nodes.where(F.col("started_at") >= oldest).orderBy("node").collect():
            if run := by_key.get((row.started_at, row.run)):
                node = row.asDict()
                del node["started_at"], node["run"]
                run["nodes"].append(node)
    for run in found:
        run["started_at"] = as_text(run["started_at"])
    return found


def as_text(micros: int) -> str:
    """Return microseconds since 1970 as a time in UTC, with microseconds."""
    time = datetime.fromtimestamp(micros // 1_000_000, timezone.utc)
    return time.replace(microsecond=micros % 1_000_000).isoformat(timespec="microseconds")


def now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(timezone.utc)
