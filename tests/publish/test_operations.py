"""The operation commands: their reports, and dry runs, which change nothing."""

import json
import os
import time

import pytest
from dbt_spark_contracts import tables
from dbt_spark_contracts.publish import branches
from dbt_spark_contracts.publish.branches import Move

from tests.support.toy import TABLES

# A data test of Gold that fails.
FAILS = "-- depends_on: {{ ref('gold_doubled') }}\nselect 1 as one"


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


# What was rolled back, or written outside of the log


@pytest.fixture
def call(spark):
    """Return a function that calls one of Iceberg's procedures, as by hand."""

    def run(procedure: str, arguments: str) -> None:
        catalog = spark.catalog.currentCatalog()
        spark.sql(f"call {catalog}.system.{procedure}({arguments})").collect()

    return run


def refused(tool, *args) -> str:
    """Run a command that must be refused. Return its only line."""
    code, out, err = tool(*args)
    assert (code, out) == (2, ""), (out, err)
    (line,) = err.splitlines()
    return line


@pytest.mark.slow
def test_what_is_held_back_is_not_published_over_a_roll_back(project, tool, told, call):
    """The branch has written Gold only, from a Silver that is rolled back."""
    for worths in ({1: 10}, {1: 11, 2: 20}):
        project.land(worths)
        assert project.build().success
    second, first = (row["run"] for row in told("history"))
    fails = project.dbt.project_dir / "tests/fails.sql"
    fails.parent.mkdir(exist_ok=True)
    fails.write_text(FAILS)
    only_gold = ("build", "--select", "gold_doubled")
    assert not project.dbt(*only_gold, schema=project.schema).success
    held = told("history", "--limit", "1")[0]["run"]
    fails.write_text(FAILS + " where false")

    # Rolled back by hand.
    gold = f"{project.schema}.gold_doubled"
    (move,) = told("publish", held, "--dry-run")
    (older,) = (row for row in told("roll-back", first, "--dry-run") if row["table"] == gold)
    call("set_current_snapshot", f"'{gold}', {older['to_snapshot_id']}")
    assert f"{gold} has been written since the branch" in refused(tool, "publish", held)
    call("set_current_snapshot", f"'{gold}', {move['from_snapshot_id']}")

    # Rolled back by the command.
    told("roll-back", first)
    back = project.rows()
    why = f"was rolled back after the branch {held} was held back. Nothing was published: run `dbt"
    for command in (("publish", held, "--dry-run"), ("publish", held)):
        assert why in refused(tool, *command)
    retried = project.dbt("retry", schema=project.schema)
    assert not retried.success and why in retried.text
    assert project.rows() == back

    # Rolled forward: main is where the branch began.
    told("roll-back", second)
    assert told("publish", held) == [move]
    assert project.rows()["gold_doubled"] == [(1, 22), (2, 40)]


def test_main_is_where_a_branch_began_whatever_its_snapshots_tell(spark, schema, call):
    """Rows that are written by hand, or by a hook, do not name their run."""
    table, branch = f"{schema}.t", "dbt_20260102t030405_00000000"
    spark.sql(f"create namespace {schema}")
    spark.sql(f"create table {table} (id bigint) using iceberg")

    def write(number: int, to: str = "") -> int:
        spark.sql(f"insert into {table}{to} values ({number})")
        return head("" if not to else branch)

    def head(of: str) -> int:
        return tables.tip(tables.load_anew(spark, table), of).snapshotId()

    def began(to: int) -> bool:
        return branches.can_move(spark, branch, Move(table, head(""), to))

    def set_main(to: int) -> None:
        call("set_current_snapshot", f"'{table}', {to}")

    first, second = write(1), write(2)
    call("rewrite_data_files", f"table => '{table}', options => map('rewrite-all', 'true')")
    compacted = head("")
    assert compacted != second
    spark.sql(f"alter table {table} create branch {branch}")
    held = write(3, f".branch_{branch}")
    held = write(4, f".branch_{branch}")
    seen = {}
    for name, to in (("compacted", compacted), ("second", second), ("first", first)):
        set_main(to)
        seen[name] = began(held)
    set_main(second)
    call("rewrite_data_files", f"table => '{table}', options => map('rewrite-all', 'true')")
    seen["compacted anew"] = began(held)
    write(5)
    seen["written"] = began(held)
    assert seen == {
        "compacted": True,
        "second": True,  # without the compaction, the rows are the same
        "first": False,
        "compacted anew": True,
        "written": False,
    }


@pytest.mark.slow
def test_what_was_written_outside_of_the_log_is_not_rolled_back_unseen(project, tool, told, call):
    for worths, variables in (({1: 10}, {}), ({2: 20}, {"write_audit_publish": False})):
        project.land(worths)
        assert project.dbt("build", schema=project.schema, **variables).success
    before = project.versions()
    (first,) = (row["run"] for row in told("history"))
    gold = project.dbt.project_dir / "models/gold_doubled.py"
    gold.write_text(gold.read_text().replace("worth * 2", "worth * 3"))
    assert project.dbt("build", "--select", "gold_doubled", schema=project.schema).success
    seen, second = project.versions(), told("history", "--limit", "1")[0]["run"]

    events, silver = (f"{project.schema}.{name}" for name in TABLES[:2])
    for to, *options in ((second, "--dry-run"), (second,), ("2999-01-01",)):
        line = refused(tool, "roll-back", to, *options)
        assert f"{events}, {silver}: written outside of the publish log before {to}" in line
        assert "name an earlier time, or a run that published these tables." in line
    assert project.versions() == seen

    # Before that write, the log is right. What it has changed is undone, but not in new tables.
    other = project.dbt.project_dir / "models/other.sql"
    other.write_text("select 1 as one")
    only_other = ("build", "--select", "other")
    assert project.dbt(*only_other, schema=project.schema, write_audit_publish=False).success
    code, _, err = tool("roll-back", first)
    assert code == 0, err
    left = f"Left as they are, because no run has published them: {project.schema}.other."
    assert left in err.splitlines()
    other.unlink()
    assert project.rows()["silver_merged"] == [(1, 10)]
    for name in TABLES[:2]:
        call("set_current_snapshot", f"'{project.schema}.{name}', {before[name][0]}")
    project.land({3: 30})
    assert project.build().success
    # This run has published all tables. A compaction afterwards changes no row.
    third = told("history", "--limit", "1")[0]["run"]
    call("rewrite_data_files", f"table => '{silver}', options => map('rewrite-all', 'true')")
    assert project.dbt(
        "build", "--select", "gold_doubled", "--full-refresh", schema=project.schema
    ).success
    newest = told("history", "--limit", "1")[0]["run"]
    rows = project.rows()
    assert rows["silver_merged"] == [(1, 10), (2, 20), (3, 30)]
    told("roll-back", newest)
    told("roll-back", third)
    assert project.rows() == rows
