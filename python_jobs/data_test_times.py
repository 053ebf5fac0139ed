"""Measure where the time of a build's data tests goes: dbt, the guard, Spark's planning, its jobs.

    uv run python -m python_jobs.data_test_times --write-docs

It builds the sample in an empty lakehouse with one thread, so that no two tests run at once, and
their seconds add up.
"""

import argparse
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from python_jobs.bench import docs_page, machine
from python_jobs.bench.contestants.base import ROOT
from python_jobs.bench.report import table

PAGE = ROOT / "docs" / "performance.md"

COMPILE = "dbt compiles the test"
REST = "dbt runs the test: its macros, events and results"
BEFORE = "the guard: whether it has passed on these rows"
AFTER = "the guard: whether its result depends on these rows alone"
ANALYSIS = "Spark parses and analyzes the query"
PLANNING = "Spark optimizes and plans it"
JOBS = "Spark generates code and schedules jobs"
TASKS = "Spark's tasks run"
PARTS = (COMPILE, REST, BEFORE, AFTER, ANALYSIS, PLANNING, JOBS, TASKS)

# The phases of Spark's own QueryPlanningTracker, all before the first job.
PLANNED = ("optimization", "planning")


class Times:
    """The seconds of each part, of all data tests together.

    Attributes:
        seconds: By part.
        fetches: When the rows of each test were fetched, from and until, in seconds since 1970.
        tests: The number of tests.
    """

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.fetches: list[tuple[float, float]] = []
        self.tests = 0

    def add(self, part: str, seconds: float) -> None:
        """Count the seconds of a part, if a data test runs."""
        if _is_in_a_test():
            self.seconds[part] += seconds

    def add_fetch(self, seconds: float, planned: float) -> None:
        """Count a fetch of rows that has just ended, if a data test runs."""
        if _is_in_a_test():
            self.seconds[PLANNING] += planned
            self.seconds[JOBS] += seconds - planned
            self.fetches.append((time.time() - seconds, time.time()))

    def add_stages(self, stages: Sequence[tuple[float, float]]) -> None:
        """Count when tasks have run: from the first task of each stage until its end."""
        for began, ended in stages:
            if any(first <= began <= last for first, last in self.fetches):
                self.seconds[TASKS] += ended - began
                self.seconds[JOBS] -= ended - began

    def add_results(self, results: Sequence[Any]) -> None:
        """Count what dbt has timed. The rest of it is dbt's own."""
        inner = sum(self.seconds.values())
        for result in results:
            if str(result.node.resource_type) == "test":
                self.tests += 1
                spent = {each.name: _seconds(each) for each in result.timing}
                self.seconds[COMPILE] += spent["compile"]
                self.seconds[REST] += spent["execute"]
        self.seconds[REST] -= inner


def _is_in_a_test() -> bool:
    from dbt_common.events.contextvars import get_node_info

    return get_node_info().get("resource_type") == "test"


def _seconds(timing: Any) -> float:
    return (timing.completed_at - timing.started_at).total_seconds()


@contextmanager
def wrapped(owner: Any, name: str, timed: Callable[[Any, float], None]) -> Iterator[None]:
    """Call `timed(self, seconds)` after each call of a method, while the block runs."""
    method = getattr(owner, name)

    def timing(self: Any, *arguments: Any, **options: Any) -> Any:
        began = time.perf_counter()
        try:
            return method(self, *arguments, **options)
        finally:
            timed(self, time.perf_counter() - began)

    setattr(owner, name, timing)
    try:
        yield
    finally:
        setattr(owner, name, method)


def planning(frame: Any) -> float:
    """Return the seconds that Spark took to optimize and plan the query of a DataFrame."""
    phases = frame._jdf.queryExecution().tracker().phases()
    found = [phases.get(name) for name in PLANNED]
    return sum(each.get().durationMs() for each in found if each.isDefined()) / 1000


def stages_of(session: Any) -> list[tuple[float, float]]:
    """Return when the first task of each of Spark's stages began and when the stage ended."""
    context = session.sparkContext
    java = context._jvm.java.util.ArrayList
    quantiles = context._gateway.new_array(context._jvm.double, 0)
    found = context._jsc.sc().statusStore().stageList(java(), False, False, quantiles, java())
    stages = [found.apply(number) for number in range(found.size())]
    times = [(each.firstTaskLaunchedTime(), each.completionTime()) for each in stages]
    return [
        (began.get().getTime() / 1000, ended.get().getTime() / 1000)
        for began, ended in times
        if began.isDefined() and ended.isDefined()
    ]


def build(home: Path) -> Times:
    """Build this project in an empty lakehouse, and return the times of its data tests."""
    os.environ |= {"LAKEHOUSE_HOME": str(home), "DBT_SPARK_POOL": "off"}
    from dbt.artifacts.schemas.run import RunExecutionResult
    from dbt.cli.main import dbtRunner
    from dbt_spark_contracts.adapter import SparkAdapter
    from dbt_spark_contracts.connection import SessionCursor
    from dbt_spark_contracts.spark import session

    times = Times()

    def fetched(cursor: Any, seconds: float) -> None:
        times.add_fetch(seconds, planning(cursor.frame) if cursor.frame else 0.0)

    options = ["--project-dir", str(ROOT), "--profiles-dir", str(ROOT), "--threads", "1"]
    options += ["--target-path", str(home / "target"), "--log-path", str(home / "logs")]
    with (
        wrapped(SessionCursor, "execute", lambda cursor, seconds: times.add(ANALYSIS, seconds)),
        wrapped(SessionCursor, "fetchall", fetched),
        wrapped(SparkAdapter, "has_passed", lambda adapter, seconds: times.add(BEFORE, seconds)),
        wrapped(SparkAdapter, "remember", lambda adapter, seconds: times.add(AFTER, seconds)),
    ):
        done = dbtRunner().invoke(["build", *options])
    if not done.success or not isinstance(done.result, RunExecutionResult):
        sys.exit("This project does not build: see `dbt build`.")
    times.add_results(done.result.results)
    times.add_stages(stages_of(session.get()))
    return times


def page(seconds: Mapping[str, float], tests: int, described: str) -> str:
    """Return the times as Markdown."""
    total = sum(seconds.values())
    rows = [
        [
            part,
            f"{seconds[part]:.2f}",
            f"{seconds[part] / tests * 1000:.0f}",
            f"{seconds[part] / total:.0%}",
        ]
        for part in PARTS
    ]
    rows.append([f"all {tests} data tests", f"{total:.2f}", f"{total / tests * 1000:.0f}", ""])
    header = ["", "seconds", "milliseconds a test", "share"]
    return f"{table(header, rows, 'lrrr')}\n\n{described}"


def main(argv: Sequence[str] | None = None) -> None:
    """Measure in a temporary folder, and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m python_jobs.data_test_times", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--write-docs", action="store_true", help=f"write it into {PAGE.name}")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as home:
        times = build(Path(home))
    text = page(times.seconds, times.tests, machine.describe(ROOT))
    print(text)
    if args.write_docs:
        docs_page.replace_part(PAGE, "data tests", text)


if __name__ == "__main__":
    main()
