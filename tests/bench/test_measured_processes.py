"""The benchmark measures all processes of a command, even grandchildren and orphans."""

import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

import psutil
import pytest

from python_jobs.bench import one_step
from python_jobs.bench.contestants.base import ROOT, Step
from python_jobs.bench.processes import (
    MARK,
    CommandFailedError,
    Watch,
    end_all,
    measure,
    wait_until_quiet,
)

MIB = 1024 * 1024

# A grandchild holds memory, prints a line when it does, and ends on input.
HOLDS_MEMORY = """
import subprocess, sys
grandchild = "held = b'x' * (150 << 20); print('held', flush=True); input()"
child = subprocess.Popen(
    [sys.executable, "-c", grandchild], stdin=subprocess.PIPE, stdout=subprocess.PIPE
)
child.stdout.readline()
print('held', flush=True)
input()
child.communicate(b"\\n")
"""

# Leaves a process in its own session, which sleeps longer than any test runs.
LEAVES_ONE_BEHIND = """
import subprocess, sys
subprocess.Popen(
    [sys.executable, "-c", "import time; time.sleep(600)"],
    start_new_session=True,
    stdout=subprocess.DEVNULL,
)
"""


@pytest.fixture
def mark():
    """Yield a mark for this test, and end all processes with it afterwards."""
    mark = uuid.uuid4().hex
    yield mark
    end_all(mark)


def processes(mark: str) -> list[psutil.Process]:
    """Return the processes that have the mark, once there is one."""
    watch, deadline = Watch(mark), time.monotonic() + 30
    while not (found := list(watch.processes())) and time.monotonic() < deadline:
        time.sleep(0.01)
    return found


def run(mark: str, tmp_path: Path, *programs: str):
    """Run Python programs one after the other and return the measurement."""
    commands = [[sys.executable, "-c", program] for program in programs]
    return measure(commands, {}, tmp_path, mark, tmp_path / "output.log")


def test_the_memory_of_a_grandchild_is_counted(mark):
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS_MEMORY],
        env={**os.environ, MARK: mark},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        child.stdout.readline()
        watch = Watch(mark)
        watch.look()
        child.communicate(b"\n")
    assert watch.peak_bytes > 150 * MIB
    peak = watch.peak_bytes
    watch.look()
    assert watch.peak_bytes == peak
    assert not list(watch.processes())


def test_processes_with_another_mark_are_not_counted(mark):
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS_MEMORY],
        env={**os.environ, MARK: mark},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        child.stdout.readline()
        watch = Watch("another mark")
        watch.look()
        child.communicate(b"\n")
    assert watch.peak_bytes == 0


def test_cpu_time_is_that_since_the_start(mark):
    busy = "while True: pass"
    environment = {**os.environ, MARK: mark}
    with subprocess.Popen([sys.executable, "-c", busy], env=environment) as child:
        while sum(psutil.Process(child.pid).cpu_times()[:2]) < 0.2:
            pass
        watch = Watch(mark)
        watch.start()
        before = sum(psutil.Process(child.pid).cpu_times()[:2])
        while sum(psutil.Process(child.pid).cpu_times()[:2]) < before + 0.2:
            pass
        watch.look()
        after = sum(psutil.Process(child.pid).cpu_times()[:2])
        child.kill()
    assert 0.15 < watch.cpu_seconds <= after - before + 0.05


def test_commands_run_one_after_the_other_and_are_measured_as_one(mark, tmp_path):
    measured = run(mark, tmp_path, "print('first')", "print('second')")
    assert (tmp_path / "output.log").read_text().split() == ["first", "second"]
    assert measured.seconds > 0


def test_a_failed_command_is_reported_with_the_end_of_its_output(mark, tmp_path):
    with pytest.raises(CommandFailedError, match=r"ended with 3(?s:.*)out of fuel"):
        run(mark, tmp_path, "import sys; print('out of fuel'); sys.exit(3)")


def test_what_outlives_its_command_is_found_and_ended(mark, tmp_path):
    run(mark, tmp_path, LEAVES_ONE_BEHIND)
    (left,) = processes(mark)
    wait_until_quiet(mark)  # the process sleeps, so the wait returns
    assert left.is_running()
    end_all(mark)
    assert not left.is_running()
    assert not list(Watch(mark).processes())


# Fails unless the process that a lead-in has left is still there.
NEEDS_WHAT_WAS_LEFT = """
import os
from python_jobs.bench.processes import MARK, Watch
assert any(process.pid != os.getpid() for process in Watch(os.environ[MARK]).processes())
"""


def test_a_step_has_what_its_lead_in_left_and_leaves_nothing(tmp_path, monkeypatch):
    marks = []
    monkeypatch.setattr(one_step, "end_all", lambda mark: (marks.append(mark), end_all(mark)))
    lead_in, command = (
        [sys.executable, "-c", program] for program in (LEAVES_ONE_BEHIND, NEEDS_WHAT_WAS_LEFT)
    )
    environment = {"PYTHONPATH": str(ROOT)}
    log = tmp_path / "output.log"
    step = Step("x", [command], lead_in=[lead_in])
    assert one_step.take(step, environment, tmp_path, log).seconds > 0
    with pytest.raises(CommandFailedError):
        one_step.take(Step("x", [command]), environment, tmp_path, log)
    assert len(set(marks)) == 2
    assert not [process for mark in marks for process in Watch(mark).processes()]
