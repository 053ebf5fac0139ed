"""Ctrl-C and --fail-fast cancel what runs in Spark: SQL, checkpoints and Python workers.

The tests start real dbt processes. Spark's event log shows which jobs were cancelled, and when.

On a shared machine a fixed limit of two seconds would be flaky. So the tests print the seconds
(`pytest -rP`) and compare them with the time that dbt took to start these jobs, which grows with
the machine's load too.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.dbt_runner import LOGS, ROOT, make_project

# Models that run forever unless something stops them.
ENDLESS = {
    # In Java: generated code, which only processes rows and checks nothing else.
    "models/endless_sql.sql": """
select sum(a.id * b.id) as id from range(3000000000) as a cross join range(3000000000) as b
""",
    # In a Python worker during the checkpoint.
    "models/endless_python.py": """
import time
from pyspark.sql.functions import udf


def model(dbt, spark):
    return spark.range(1000000).select(udf(lambda id: time.sleep(5) or str(id))("id").alias("id"))
""",
    # In an action of the model itself.
    "models/endless_action.py": """
def model(dbt, spark):
    rows = spark.range(3000000000)
    rows.crossJoin(spark.range(3000000000).toDF("n")).where("n * id = -7").count()
    return rows
""",
}
# In Python code outside of Spark.
STUCK = """
import time
from pathlib import Path


def model(dbt, spark):
    Path({path!r}).touch()
    time.sleep(3600)
    return spark.range(1)
"""
BREAKS = {
    # Fails while the others run. Its child makes dbt wait for an endless model.
    "models/breaks.py": """
import time


def model(dbt, spark):
    while len(spark.sparkContext.statusTracker().getActiveJobsIds()) < 3:
        time.sleep(0.05)
    wrong = spark.range(1)
    raise ValueError("broken")
    return wrong
""",
    "models/child.sql": "select * from {{ ref('endless_sql') }}",
}
# Seconds. Generous for busy machines: without a cancel the wait would never end.
LIMIT = 60


@pytest.fixture
def start(dbt, tmp_path, schema, interruptible):
    """Yield a function that starts a dbt process on a new project, with an event log."""
    started = []
    events = tmp_path / "events"
    events.mkdir()

    def start(files, *args):
        project = make_project(dbt, tmp_path / "small", files)
        environment = {
            **os.environ,
            "LAKEHOUSE_HOME": str(tmp_path / "lake"),
            "LAKEHOUSE_SCHEMA": schema,
            "LAKEHOUSE_TARGET": "ci",
            "LAKEHOUSE_EVENT_LOG": str(events),
        }
        (tmp_path / "lake").mkdir()
        options = ["--project-dir", project.project_dir, "--profiles-dir", ROOT]
        options += ["--target-path", project.target_path, "--log-path", LOGS]
        process = subprocess.Popen(
            [sys.executable, "-m", "dbt.cli.main", "--no-use-colors", *args, *options],
            env=environment,
            cwd=ROOT,
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    start.events = events
    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def jobs(folder: Path) -> tuple[set[int], dict[int, str]]:
    """Return the jobs in an event log: the started ones, and the results of those that ended."""
    begun, ended = set(), {}
    for file in folder.rglob("*"):
        for line in file.read_text().splitlines() if file.is_file() else ():
            try:
                event = json.loads(line)
            except ValueError:
                continue  # the line is not complete yet
            if event["Event"] == "SparkListenerJobStart":
                begun.add(event["Job ID"])
            elif event["Event"] == "SparkListenerJobEnd":
                result = event["Job Result"]
                ended[event["Job ID"]] = result.get("Exception", {}).get("Message", "succeeded")
    return begun, ended


def cancelled_at(folder: Path) -> float:
    """Return when the last job ended, on the scale of time.time()."""
    lines = [line for file in folder.rglob("*") if file.is_file() for line in file.open()]
    ended = [json.loads(line) for line in lines if "SparkListenerJobEnd" in line]
    return max(event["Completion Time"] for event in ended) / 1000


def wait_for_running(folder: Path, count: int) -> None:
    deadline = time.monotonic() + 5 * LIMIT
    while time.monotonic() < deadline:
        begun, ended = jobs(folder)
        if len(begun - {*ended}) >= count:
            return
        time.sleep(0.2)
    raise AssertionError(f"{count} jobs did not begin: {jobs(folder)}")


def assert_cancelled(folder: Path, count: int) -> None:
    begun, ended = jobs(folder)
    cancelled = [job for job, message in ended.items() if "cancelled" in message]
    assert len(cancelled) >= count, ended
    assert begun == {*ended}, (begun, ended)


def assert_gone(group: int) -> None:
    """Check that all processes of the group end, including Java."""
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.2)
    raise AssertionError("a process of dbt's is still there")


def test_ctrl_c_stops_what_runs_in_spark(start):
    started = time.time()
    process = start(ENDLESS, "run", "--threads", "4")
    wait_for_running(start.events, 3)
    # Like a terminal, send it to dbt, its Java and the Python workers.
    interrupted = time.time()
    os.killpg(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=LIMIT)
    to_begin, to_cancel = interrupted - started, cancelled_at(start.events) - interrupted
    print(f"The last job ended {to_cancel:.2f} s after Ctrl-C; to begin took {to_begin:.2f} s.")
    assert to_cancel < to_begin
    assert process.returncode not in (0, None), said
    assert_cancelled(start.events, 3)
    for name in ("endless_sql", "endless_python", "endless_action"):
        assert f"CANCEL query model.small.{name}" in said, said
    assert "Exited because of keyboard interrupt" in said, said
    assert_gone(process.pid)


@pytest.mark.slow
def test_fail_fast_stops_the_siblings(start):
    process = start(ENDLESS | BREAKS, "--fail-fast", "run", "--threads", "4")
    said, _ = process.communicate(timeout=5 * LIMIT)
    assert process.returncode == 1, said
    assert_cancelled(start.events, 3)
    assert "ValueError: broken" in said
    assert "Cancelled: " in said and "cancelled job tag" not in said, said
    assert "OK created" not in said, said


@pytest.mark.full
def test_a_second_ctrl_c_ends_what_cannot_be_stopped(start, tmp_path):
    """dbt waits for its threads, and one of them is in Python code that cannot be interrupted."""
    began = tmp_path / "began"
    process = start({"models/stuck.py": STUCK.format(path=str(began))}, "run")
    deadline = time.monotonic() + 5 * LIMIT
    while not began.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    time.sleep(3)
    assert process.poll() is None
    os.killpg(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=LIMIT)
    assert process.returncode not in (0, None), said
    assert "CANCEL query model.small.stuck" in said, said
    assert_gone(process.pid)
