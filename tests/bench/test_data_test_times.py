"""`python -m python_jobs.data_test_times` adds up the parts of the data tests of a build.

The command itself is run by docs/test_documented_commands.py.
"""

from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest
from dbt_common.events.contextvars import log_contextvars

from python_jobs.data_test_times import (
    COMPILE,
    JOBS,
    PAGE,
    PARTS,
    REST,
    TASKS,
    Times,
    page,
    wrapped,
)

pytestmark = pytest.mark.quick

BEGAN = datetime(2026, 1, 15)


def timing(name: str, seconds: float) -> SimpleNamespace:
    ended = BEGAN + timedelta(seconds=seconds)
    return SimpleNamespace(name=name, started_at=BEGAN, completed_at=ended)


def result(kind: str) -> SimpleNamespace:
    return SimpleNamespace(
        node=SimpleNamespace(resource_type=kind),
        timing=[timing("compile", 1), timing("execute", 5)],
    )


def test_what_is_no_part_of_spark_is_dbts():
    times = Times()
    for kind in ("test", "model"):
        with log_contextvars(node_info={"resource_type": kind}):
            times.add(JOBS, 3)
    times.add_results([result("test"), result("model"), result("test")])
    assert times.tests == 2
    assert times.seconds == {JOBS: 3, COMPILE: 2, REST: 7}


def test_a_stage_counts_if_a_test_has_fetched_then():
    times = Times()
    times.seconds[JOBS] = 9
    times.fetches = [(10, 20), (30, 40)]
    times.add_stages([(5, 9), (12, 14), (25, 28), (39.5, 40)])
    assert times.seconds == {JOBS: 6.5, TASKS: 2.5}


def test_a_method_is_timed_in_the_block_only():
    class Owner:
        def call(self, number: int) -> int:
            return number + 1

    told: list[Owner] = []
    owner = Owner()
    with wrapped(Owner, "call", lambda who, seconds: told.append(who)):
        assert owner.call(1) == 2
    assert owner.call(number=2) == 3
    assert told == [owner]


def test_the_table():
    text = page({part: float(number) for number, part in enumerate(PARTS)}, 3, "A machine")
    assert f"| {JOBS} | 6.00 | 2000 | 21% |" in text
    assert "| all 3 data tests | 28.00 | 9333 |  |" in text


def test_the_page_has_each_part():
    text = PAGE.read_text(encoding="utf-8")
    assert [part for part in PARTS if f"| {part} |" not in text] == []
