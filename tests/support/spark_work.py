"""Counts Spark's work: SQL statements, jobs, tasks, analyses of plans, calls to Java."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from py4j.protocol import MEMORY_COMMAND_NAME
from pyspark.sql import SparkSession

# The log line of a statement: the connection's name, then dbt's query comment.
STATEMENT = re.compile(r'^On (\S+): /\* {"app": "dbt"', re.MULTILINE)

# The analyzer rule that resolves a `pivot`. It is effective once per analysis of a query with a
# pivot, and never on an analyzed plan.
PIVOT_RULE = "org.apache.spark.sql.catalyst.analysis.Analyzer$ResolvePivot"


def statements(text: str, connection: str | None = None) -> int:
    """Count the SQL statements that a dbt command has sent.

    Args:
        text: The command's log.
        connection: Count only this dbt connection: a node's unique id.
    """
    return sum(connection in (None, name) for name in STATEMENT.findall(text))


@dataclass
class Work:
    """Counters of Spark's work.

    Attributes:
        jobs: Started Spark jobs.
        tasks: Started tasks of these jobs.
        pivots: Analyses of queries with a `pivot`.
        calls: Calls to Java.
        characters: The total length of Java's answers.
    """

    jobs: int = 0
    tasks: int = 0
    pivots: int = 0
    calls: int = 0
    characters: int = 0


@contextmanager
def counted(spark: SparkSession) -> Iterator[Work]:
    """Count the work of all threads inside the block. The counters are set when it ends."""
    work = Work()
    before = _jobs(spark), _tasks(spark), _pivots(spark)
    client = spark.sparkContext._gateway._gateway_client
    send = client.send_command

    def counting(command, *arguments, **options):
        # Python's garbage collector also sends memory commands to Java. Do not count them.
        work.calls += not command.startswith(MEMORY_COMMAND_NAME)
        answer = send(command, *arguments, **options)
        work.characters += len(answer) if isinstance(answer, str) else 0
        return answer

    client.send_command = counting
    try:
        yield work
    finally:
        del client.send_command
    work.jobs = _jobs(spark) - before[0]
    work.tasks = _tasks(spark) - before[1]
    work.pivots = _pivots(spark) - before[2]


def _jobs(spark: SparkSession) -> int:
    return spark.sparkContext._jsc.sc().dagScheduler().numTotalJobs()


def _tasks(spark: SparkSession) -> int:
    return spark.sparkContext._jsc.sc().taskScheduler().nextTaskId()


def _pivots(spark: SparkSession) -> int:
    """Read Spark's metrics of its rules: `<rule>  <times>  <effective runs> / <runs>`."""
    report = spark._jvm.org.apache.spark.sql.catalyst.rules.RuleExecutor.dumpTimeSpent()
    runs = re.search(rf"{re.escape(PIVOT_RULE)}\s+\d+ / \d+\s+(\d+) / \d+", report)
    return int(runs[1]) if runs else 0
