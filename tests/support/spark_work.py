"""Counts what is asked of Spark: SQL statements, jobs, tasks, analyses of a plan, calls to Java."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from py4j.protocol import MEMORY_COMMAND_NAME
from pyspark.sql import SparkSession

# dbt's comment at the head of every statement that it sends, after the connection's name.
STATEMENT = re.compile(r'^On (\S+): /\* {"app": "dbt"', re.MULTILINE)

# The rule of Spark's analyzer that resolves a `pivot`. It changes a plan once in each analysis of a
# query that holds one, and never one that is analyzed already.
PIVOT_RULE = "org.apache.spark.sql.catalyst.analysis.Analyzer$ResolvePivot"


def statements(text: str, connection: str | None = None) -> int:
    """How many SQL statements a dbt command has sent, by all that it logged.

    Args:
        text: The log.
        connection: Count those of this dbt connection only: a node's unique id.
    """
    return sum(connection in (None, name) for name in STATEMENT.findall(text))


@dataclass
class Work:
    """Spark jobs and tasks that were started, analyses of queries with a `pivot`, and calls to Java
    with the length of the answers."""

    jobs: int = 0
    tasks: int = 0
    pivots: int = 0
    calls: int = 0
    characters: int = 0


@contextmanager
def counted(spark: SparkSession) -> Iterator[Work]:
    """The work of all threads inside the block, known when it has ended."""
    work = Work()
    before = _jobs(spark), _tasks(spark), _pivots(spark)
    client = spark.sparkContext._gateway._gateway_client
    send = client.send_command

    def counting(command, *arguments, **options):
        # Python tells Java of each object that it has forgotten, whenever it collects garbage.
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
    """By the meter that Spark keeps of its rules: `<rule>  <times>  <effective runs> / <runs>`."""
    report = spark._jvm.org.apache.spark.sql.catalyst.rules.RuleExecutor.dumpTimeSpent()
    runs = re.search(rf"{re.escape(PIVOT_RULE)}\s+\d+ / \d+\s+(\d+) / \d+", report)
    return int(runs[1]) if runs else 0
