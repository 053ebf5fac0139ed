"""`python -m python_jobs.start_up_times` reads dbt's log, and docs/start_up.md has its result.

The command itself is run by docs/test_documented_commands.py.
"""

import json
from datetime import datetime, timedelta, timezone

import pytest

from python_jobs.start_up_times import COLD, MARKS, PAGE, WARM, page, seconds_until

pytestmark = pytest.mark.quick

BEGAN = datetime(2026, 1, 15, tzinfo=timezone.utc)


def line(name: str, second: float, text: str = "") -> str:
    at = (BEGAN + timedelta(seconds=second)).isoformat().replace("+00:00", "Z")
    return json.dumps({"info": {"name": name, "ts": at, "msg": text}, "data": {}})


LOG = [
    line("MainReportVersion", 1.5),
    line("Note", 2, "something else"),
    line("Note", 2.25, "A new Java is started."),
    line("FoundStats", 2.5),
    line("FoundStats", 2.75),
    line("LogHookEndLine", 3),
    line("LogHookEndLine", 3.5),
    line("LogStartLine", 4),
    line("LogHookEndLine", 8),
    line("LogStartLine", 9),
]


def test_a_mark_is_its_first_line_and_that_of_the_hooks_the_last():
    assert seconds_until(LOG, BEGAN) == {
        "dbt is imported": 1.5,
        "Java is started, or a warm one taken": 2.25,
        "the project is parsed": 2.5,
        "the hooks have run: checks of vars, lock, branch": 3.5,
        "the first model starts": 4,
    }


def test_the_table_has_medians_and_differences():
    found = [seconds_until(LOG, BEGAN + timedelta(seconds=early)) for early in (0, 0.1, 1)]
    text = page({COLD: found, WARM: found[2:]}, "A machine")
    assert "| dbt is imported | 1.4 | 1.4 | 0.5 | 0.5 |" in text
    assert "| *Java is started, or a warm one taken* | 2.1 |  | 1.2 |  |" in text
    assert "| the first model starts | 3.9 | 0.5 | 3.0 | 0.5 |" in text
    assert text.endswith("Median of 1. A machine")


def test_the_page_has_each_mark():
    text = PAGE.read_text(encoding="utf-8")
    assert [mark.what for mark in MARKS if mark.what not in text] == []
