"""The operation commands: their reports, and dry runs, which change nothing."""

import json
import os
import time

import pytest

from tests.support.toy import TABLES


@pytest.fixture
def built(project):
    """Return the toy project after two published builds and one that is held back."""
    for worths in ({1: 10}, {1: 11, 2: 20}, {1: 12, -1: 5}):
        project.land(worths)
        result = project.build()
    assert not result.success
    return project


@pytest.fixture
def told(tool):
    """Return a function that runs a command with --json and returns the parsed output."""

    def run(*args):
        code, out, err = tool(*args, "--json")
        assert code == 0, err
        return json.loads(out)

    return run


def names(built) -> list[str]:
    return sorted(f"{built.schema}.{name}" for name in TABLES)


@pytest.mark.slow
def test_each_command_by_the_names_that_history_lists(built, tool, told):
    history = told("history")
    assert [(row["status"], row["tables"]) for row in history] == [
        ("held back", 3),
        ("published", 3),
        ("published", 3),
    ]
    held, second, first = (row["run"] for row in history)
    assert [row["run"] for row in told("history", "--limit", "1")] == [held]
    seen = built.versions()

    # A dry run reports what the command would do, and changes nothing.
    would = told("roll-back", first, "--dry-run")
    assert built.versions() == seen
    assert [row["table"] for row in would] == names(built)
    assert [row["rows_now"] for row in would] == [2, 2, 2]  # Iceberg's summaries say 1
    assert [row["rows_after"] for row in would] == [1, 1, 1]
    assert told("roll-back", first) == would
    assert {name: len(rows) for name, rows in built.rows().items()} == dict.fromkeys(TABLES, 1)
    assert [row["to_snapshot_id"] for row in told("roll-back", history[1]["at"])] == [
        row["from_snapshot_id"] for row in would
    ]
    assert built.versions() == seen
    assert second != first

    # Publish a branch that a failed test held back.
    would = told("publish", held, "--dry-run")
    assert built.versions() == seen
    assert [row["table"] for row in would] == names(built)
    assert told("publish", held) == would
    assert built.rows()["events"] == [(-1, 5), (1, 12)]
    code, out, err = tool("history", "--limit", "1")
    assert (code, err) == (0, "")
    head, line, row = out.splitlines()
    assert head.split() == [
        *("at", "status", "run", "tables", "rows", "files", "seconds", "git_commit")
    ]
    assert set(line) == {"-", " "} and "published" in row and held in row


def test_maintenance_reports_what_it_would_remove_and_then_removes_it(built, told):
    table = f"{built.schema}.gold_doubled"
    seen = built.rows()
    orphan = built.dbt.home / f"warehouse/{built.schema}/gold_doubled/data/left.parquet"
    orphan.write_bytes(b"")
    four_days_ago = time.time() - 4 * 24 * 3600
    os.utime(orphan, (four_days_ago, four_days_ago))
    (would,) = told("maintain", "--table", table, "--keep-days", "0", "--dry-run")
    assert orphan.exists()
    counted = {"branches_dropped": 1, "files_before": 1, "files_after": 1, "snapshots_before": 4}
    # The held-back branch and a tag, which would be dropped, keep no snapshot.
    counted |= {"snapshots_after": 1, "orphan_files": 1}
    assert counted.items() <= would.items()
    steps = ["expire snapshots", "delete orphans"]
    assert [(step["action"], step["done"]) for step in would["actions"]] == [
        (step, False) for step in steps
    ]
    assert would["actions"][0]["why"] == (
        "3 of 4 snapshots are older than 0 days and needed by no branch or tag"
    )
    (done,) = told("maintain", "--table", table, "--keep-days", "0")
    assert not orphan.exists()
    assert counted.items() <= done.items()
    assert [(step["action"], step["done"]) for step in done["actions"]] == [
        (step, True) for step in steps
    ]
    assert built.rows() == seen
    rows = told("maintain")
    assert {row["table"] for row in rows} >= {*names(built), f"{built.schema}_ops.publish_log"}


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("publish", "x"), "publish failed: 'x' is not a branch of a run"),
        (("publish", "dbt_20260102t030405_00000000"), "No table has the branch"),
        (("roll-back", "dbt_20260102t030405_00000000"), "No run dbt_20260102t030405_00000000 was"),
        (("roll-back", "soon"), "roll-back failed: to must be a time"),
        (("maintain", "--table", "nope"), "maintain failed: nope is not a table of this project"),
        (("maintain", "--keep-days", "-1"), "keep_days must be a number from 0 to 36500, or"),
        (("maintain", "--budget", "soon"), "budget must be a time like 90s, 10m or 1.5h"),
        (("history", "--limit", "0"), "limit must be a number of builds"),
        (("history", "--target", "nope"), "history failed: The profile 'lakehouse' does not have"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_2(tool, args, words):
    code, out, err = tool(*args)
    assert (code, out) == (2, "")
    *progress, line = err.splitlines()
    assert words in line and not progress
