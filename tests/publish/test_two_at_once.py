"""Concurrent builds, and readers during a build: no mixed states and no lost records."""

import os
import signal
import threading
import time
from contextlib import suppress

import pytest

from tests.support.dbt_runner import environment
from tests.support.namespaces import alone
from tests.support.toy import TABLES, WAITS_FOR, Toy

STOPPED = "Another build of these tables runs: dbt_"


@pytest.fixture
def toy(dbt, tmp_path, schema):
    """Return a small project in a lakehouse without tables."""
    return Toy(dbt, tmp_path / "toy", schema)


def test_of_two_builds_started_together_one_is_stopped(toy, tmp_path):
    """Whichever is first waits in its last model until the other has ended."""
    toy.land({1: 10, 2: 20})
    goes_on = tmp_path / "goes_on"
    with environment(**{WAITS_FOR: str(goes_on)}):
        builds = [toy.start(tmp_path / name) for name in ("one", "other")]
    try:
        stopped = first_to_end(builds)
        said, _ = stopped.communicate()
        assert stopped.returncode > 0, said
        assert STOPPED in said
        assert "Traceback" not in said
        (running,) = (build for build in builds if build is not stopped)
        assert running.poll() is None
        goes_on.touch()
        said, _ = running.communicate()
        assert running.returncode == 0, said
    finally:
        for build in builds:
            build.kill()
    assert toy.rows() == toy.expected()
    toy.land({2: 21, 3: 30})
    assert toy.build().success
    assert toy.rows() == toy.expected()


@pytest.mark.slow
def test_a_task_of_a_scheduler_waits_for_another(dbt, toy, tmp_path, schema):
    """With lock_wait_seconds, a build waits for a running one and starts from its tables."""
    toy.land({1: 10})
    goes_on = tmp_path / "goes_on"
    with environment(**{WAITS_FOR: str(goes_on)}):
        first = toy.start(tmp_path / "first")
    second = None
    try:
        merged = dbt.home / "warehouse" / schema / "silver_merged"
        wait_for(lambda: list(merged.rglob("*.parquet")))
        second = toy.start(tmp_path / "second", lock_wait_seconds=300)
        said = next((line for line in second.stdout if "Waiting for dbt_" in line), "")
        goes_on.touch()
        rest, _ = second.communicate(timeout=300)
        assert said and second.returncode == 0, rest
        said, _ = first.communicate(timeout=300)
        assert first.returncode == 0, said
    finally:
        for build in filter(None, (first, second)):
            build.kill()
    assert toy.rows() == toy.expected()


@pytest.mark.slow
def test_a_build_that_was_stopped_for_longer_than_its_lock_lasts(dbt, toy, tmp_path, schema):
    """The stopped build is alive on this host. Another one takes over, and it publishes nothing."""
    toy.land({1: 10})
    goes_on = tmp_path / "goes_on"
    with environment(**{WAITS_FOR: str(goes_on)}):
        stopped = toy.start(tmp_path / "stopped", lock_seconds=3)
    try:
        merged = dbt.home / "warehouse" / schema / "silver_merged"
        wait_for(lambda: list(merged.rglob("*.parquet")))
        assert STOPPED in toy.build().text  # while it renews its lock
        os.killpg(stopped.pid, signal.SIGSTOP)
        toy.merged.clear()
        toy.land({2: 20})
        result = toy.dbt("build", schema=schema, lock_wait_seconds=60)
        assert result.success, result.text
        assert "Waiting for dbt_" in result.text
        assert "was killed before it ended" in result.text
        goes_on.touch()
        os.killpg(stopped.pid, signal.SIGCONT)
        said, _ = stopped.communicate(timeout=300)
        assert stopped.returncode > 0, said
        assert "The lock of these tables was taken over" in said
    finally:
        with suppress(ProcessLookupError):
            os.killpg(stopped.pid, signal.SIGKILL)
    assert toy.rows() == toy.expected()


@pytest.mark.full
def test_two_containers(dbt, toy, tmp_path, schema):
    """Each container has its own PIDs and network, so it cannot see whether the other is alive."""
    before = alone()
    toy.land({1: 10})
    local = {"SPARK_LOCAL_IP": "127.0.0.1"}
    with environment(**local, **{WAITS_FOR: str(tmp_path / "never")}):
        killed = toy.start(tmp_path / "killed", before=before, lock_seconds=5)
    try:
        merged = dbt.home / "warehouse" / schema / "silver_merged"
        wait_for(lambda: list(merged.rglob("*.parquet")))
        with environment(**local):
            other = toy.start(tmp_path / "other", before=before)
            said, _ = other.communicate(timeout=300)
            assert other.returncode > 0 and STOPPED in said, said
            os.killpg(killed.pid, signal.SIGKILL)
            killed.wait()
            toy.merged.clear()
            toy.land({2: 20})
            other = toy.start(tmp_path / "other", before=before, lock_wait_seconds=60)
            said, _ = other.communicate(timeout=300)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(killed.pid, signal.SIGKILL)
    assert other.returncode == 0, said
    assert "Waiting for dbt_" in said and "was killed before it ended" in said, said
    assert toy.rows() == toy.expected()


def wait_for(condition) -> None:
    """Wait until the condition is true. Fail after five minutes."""
    deadline = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def first_to_end(builds):
    """Return the first of these processes that ends. Fail after five minutes."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        for build in builds:
            if build.poll() is not None:
                return build
        time.sleep(0.1)
    pytest.fail("both builds run: neither was stopped")


@pytest.mark.slow
def test_a_reader_sees_whole_builds_only(toy):
    """A reader reads continuously during six builds, one of which fails."""
    toy.land({0: 0})
    assert toy.build().success
    published = [toy.versions()]
    seen = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.append(toy.versions())

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for number in range(6):
            fails = number == 2  # in its data test, when all tables have been written
            toy.land({-1: 5} if fails else {number: number, 100 + number: 7})
            result = toy.build()
            assert result.success != fails, result.text
            assert (toy.versions() == published[-1]) == fails
            published.append(toy.versions())
            if not fails:
                assert toy.rows() == toy.expected()
    finally:
        done.set()
        reader.join()
    assert len(seen) > 20
    for name in TABLES:
        versions = {repr(version[name]) for version in published}
        assert len(versions) == 6  # seven builds, of which one was not published
        assert {repr(version[name]) for version in seen} <= versions
