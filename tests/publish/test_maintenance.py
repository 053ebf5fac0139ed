"""Maintenance acts on what it measures, and removes nothing that is still needed."""

import os
import time
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
from dbt_common.exceptions import DbtRuntimeError
from dbt_spark_contracts import tables
from dbt_spark_contracts.publish import branches, operations
from dbt_spark_contracts.publish.command import Command
from dbt_spark_contracts.publish.maintenance import job
from dbt_spark_contracts.publish.maintenance.wanted import Wanted
from dbt_spark_contracts.publish.ownership import Ownership
from dbt_spark_contracts.publish.run import Run
from dbt_spark_contracts.spark import session
from dbt_spark_contracts.spark.checkpoints import Checkpoints

from tests.support.operations import operate

FOUR_DAYS = 4 * 24 * 3600
# Deletes are written as delete files, one per statement.
ON_READ = "'write.delete.mode' = 'merge-on-read', 'write.delete.granularity' = 'partition'"
# Turns all actions off. Each test declares those that it needs.
OFF = {
    "keep_days": False,
    "small_file_ratio": False,
    "deletes_per_file": False,
    "deleted_row_ratio": False,
    "small_delete_files": False,
    "small_manifests": False,
    "metadata_files": False,
    "orphan_days": False,
}


class House:
    """Tables with maintenance settings, and the commands on them."""

    def __init__(self, spark, schema: str, folder: Path) -> None:
        self.spark, self.schema = spark, schema
        self.checkpoints = folder / "checkpoints"
        self.nodes: dict[str, dict] = {}
        self.numbers = count(1)
        spark.sql(f"create namespace if not exists {schema}")

    def table(self, name: str, properties: str = "", **settings) -> str:
        """Create an empty table whose meta declares these settings. Return its name."""
        full = f"{self.schema}.{name}"
        told = ", ".join(filter(None, ["'write.wap.enabled' = 'true'", properties]))
        self.spark.sql(f"create table {full} (id bigint) using iceberg tblproperties ({told})")
        self.nodes[f"model.{name}"] = {
            "name": name,
            "resource_type": "model",
            "relation_name": full,
            "columns": {},
            "config": {
                "materialized": "table",
                "file_format": "iceberg",
                "meta": {"maintenance": settings},
            },
        }
        return full

    def append(self, table: str, times: int, rows: int = 10) -> None:
        """Append this number of small files, each with new ids."""
        for _ in range(times):
            first = next(self.numbers) * 1000
            self.spark.range(first, first + rows, 1, 1).writeTo(table).append()

    def rows(self, table: str, version: str = "") -> list[int]:
        tables.forget(self.spark, table)
        return sorted(r.id for r in self.spark.sql(f"select id from {table} {version}").collect())

    def snapshot(self, table: str) -> int:
        return tables.load_anew(self.spark, table).currentSnapshot().snapshotId()

    def command(self, which: str = "build") -> Command:
        number = next(self.numbers)
        at = datetime(2026, 1, 2, tzinfo=timezone.utc) + timedelta(minutes=number)
        return Command(which, False, f"{number:08x}", at, f"{self.schema}_ops", True, 60, 0)

    @contextmanager
    def building(self, *written: str, row: int = 7, fails: bool = False):
        """Run a build that has written a row to its branch of each table. It ends with the block.

        Yields:
            The build's branch.
        """
        run, command = Run(lambda: f"{self.schema}_ops"), self.command()
        run.begin(command, {"sources": {}, "nodes": self.nodes}, [])
        try:
            for table in written:
                self.spark.sql(f"insert into {table} replace where true select {row}L as id")
            session.use_branch(None)
            yield run.branch
            session.use_branch(run.branch)
            node = SimpleNamespace(name="n", resource_type="model", unique_id="model.n")
            result = SimpleNamespace(status="error", node=node, failures=None)
            run.end(command, [result] if fails else [])
        finally:
            run.complete()

    def operate(self, operation, *args):
        run = Run(
            lambda: f"{self.schema}_ops", ownership=Ownership(Checkpoints(str(self.checkpoints)))
        )
        return operate(run, operation, self.command("run-operation"), self.nodes, *args)

    def maintain(self, *only: str, **options) -> dict[str, dict]:
        """Maintain these tables, or all with settings. Return the rows of the report by table."""
        own = [node["relation_name"] for node in self.nodes.values()]
        return self.maintain_all(only=[*only] or own, **options)

    def maintain_all(self, keep_days=None, only=(), **options) -> dict[str, dict]:
        """Maintain all tables including the log and the lock, with branches and checkpoints."""
        rows = self.operate(job.maintain, Wanted(keep_days, [*only], **options))
        return {row["table"]: row for row in rows}


@pytest.fixture
def house(spark, schema, tmp_path):
    return House(spark, schema, tmp_path)


def steps(row: dict) -> dict[str, str]:
    """Return the reason of each action that was done."""
    assert all(step["done"] for step in row["actions"])
    return {step["action"]: step["why"] for step in row["actions"]}


# It acts on what it measures


@pytest.mark.slow
def test_small_files_are_merged_from_their_share_on(house):
    many = house.table("many", **OFF | {"small_file_ratio": 0.5})
    few = house.table("few", **OFF | {"small_file_ratio": 0.5})
    off = house.table("off", **OFF)
    for table, times in ((many, 6), (few, 4), (off, 6)):
        house.append(table, times)
    before = {table: house.rows(table) for table in (many, few, off)}
    would = house.maintain(dry_run=True)
    assert (would[many]["files_before"], would[many]["files_after"]) == (6, 1)
    assert [step["done"] for step in would[many]["actions"]] == [False]
    done = house.maintain()
    assert steps(done[many]) == {"compact": "6 of 6 files are far from 512 MB (100%, from 50% on)"}
    assert (done[many]["files_before"], done[many]["files_after"]) == (6, 1)
    for table, files in ((few, 4), (off, 6)):
        assert done[table]["actions"] == []
        assert (done[table]["files_before"], done[table]["files_after"]) == (files, files)
    assert {table: house.rows(table) for table in before} == before
    assert house.maintain()[many]["actions"] == []


def test_a_share_below_the_setting_is_left_alone(house):
    """Some files are small, and others have the target size."""
    table = house.table("t", **OFF | {"small_file_ratio": 0.5, "target_file_size_mb": 0.0018})
    house.append(table, 6, rows=1000)
    house.append(table, 5, rows=1)
    assert house.maintain()[table]["actions"] == []
    house.append(table, 1, rows=1)
    assert steps(house.maintain()[table])["compact"].startswith("6 of 12 files")


@pytest.mark.parametrize("version", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_deletes_are_applied_by_their_number_and_share(house, version):
    properties = f"{ON_READ}, 'format-version' = '{version}'"
    tables_of = {
        "number": house.table("number", properties, **OFF | {"deletes_per_file": 2}),
        "share": house.table("share", properties, **OFF | {"deleted_row_ratio": 0.3}),
        "low": house.table("low", properties, **OFF | {"deleted_row_ratio": 0.6}),
    }
    for table in tables_of.values():
        house.append(table, 2, rows=10)
        first = house.rows(table)
        for id in (*first[:3], first[10]):
            house.spark.sql(f"delete from {table} where id = {id}")
    before = {table: house.rows(table) for table in tables_of.values()}
    done = house.maintain()
    assert steps(done[tables_of["share"]]) == {
        "apply deletes": "1 of 2 files have 30% of their rows deleted"
    }
    if version == 2:  # format 3 has one deletion vector per file
        assert steps(done[tables_of["number"]]) == {
            "apply deletes": "1 of 2 files have 2 delete files"
        }
    assert done[tables_of["low"]]["actions"] == []
    # The file below the limit is not rewritten.
    row = done[tables_of["share"]]
    assert row["files_before"] == row["files_after"] == 2 and row["delete_files_after"]
    assert house.maintain(tables_of["share"])[tables_of["share"]]["actions"] == []
    assert {table: house.rows(table) for table in before} == before


def test_small_delete_files_are_merged(house):
    table = house.table("t", ON_READ, **OFF | {"small_delete_files": 3})
    house.append(table, 1, rows=10)
    first = house.rows(table)
    for id in first[:2]:
        house.spark.sql(f"delete from {table} where id = {id}")
    assert house.maintain()[table]["actions"] == []
    house.spark.sql(f"delete from {table} where id = {first[2]}")
    row = house.maintain()[table]
    assert steps(row) == {"merge delete files": "3 of 3 delete files are small"}
    assert (row["delete_files_before"], row["delete_files_after"]) == (3, 1)
    assert house.rows(table) == first[3:]


def test_manifests_are_merged_and_old_metadata_goes(house, dbt):
    tidy = house.table("tidy", **OFF | {"small_manifests": 6, "metadata_files": 4})
    few = house.table("few", **OFF | {"small_manifests": 7})
    house.append(tidy, 6)
    house.append(few, 6)
    before = house.rows(tidy)
    folder = dbt.home / "warehouse" / tidy.replace(".", "/") / "metadata"
    assert len([*folder.glob("*.metadata.json")]) == 7
    would = house.maintain(dry_run=True)[tidy]
    row = house.maintain()[tidy]
    assert steps(row) == {
        "merge manifests": "6 of 6 manifests are small (from 6 on)",
        "trim metadata": "7 old metadata files are listed (to keep: 4)",
    }
    for counted in (would, row):
        assert (counted["manifests_before"], counted["manifests_after"]) == (6, 1)
        assert (counted["metadata_files_before"], counted["metadata_files_after"]) == (6, 4)
    assert len([*folder.glob("*.metadata.json")]) == 5
    assert house.rows(tidy) == before
    house.append(tidy, 3)  # now each commit deletes the oldest metadata file
    assert len([*folder.glob("*.metadata.json")]) == 5
    assert house.maintain()[few]["actions"] == []


def test_metadata_that_a_table_keeps_on_purpose_is_kept(house):
    keeps = "'write.metadata.delete-after-commit.enabled' = 'false'"
    short = "'write.metadata.previous-versions-max' = '3'"
    on_purpose = house.table("on_purpose", f"{keeps}, {short}")
    forgotten = house.table("forgotten", short)
    house.append(on_purpose, 4)
    house.append(forgotten, 4)
    done = house.maintain()
    assert "trim metadata" not in steps(done[on_purpose])
    assert steps(done[forgotten])["trim metadata"].startswith("3 old metadata files are listed")


def test_snapshots_expire_by_age_but_for_the_newest(house):
    age = "'history.expire.max-snapshot-age-ms' = '1'"
    off = {name: value for name, value in OFF.items() if name != "keep_days"}
    newest = house.table("newest", **off | {"keep_days": 0, "keep_snapshots": 2})
    by_property = house.table("by_property", age, **off)
    never = house.table("never", **OFF)
    young = house.table("young", **off)
    for table in (newest, by_property, never, young):
        house.append(table, 4)
    time.sleep(0.01)
    assert house.maintain(dry_run=True)[newest]["snapshots_after"] == 2
    done = house.maintain()
    after = {table: done[table]["snapshots_after"] for table in (newest, by_property, never, young)}
    assert after == {newest: 2, by_property: 1, never: 4, young: 4}


# It removes nothing that is needed

HARD = {
    "keep_days": 0,
    "small_file_ratio": 0,
    "small_manifests": 2,
    "metadata_files": 1,
    "orphan_days": 1,
}


def test_what_a_tag_holds_is_kept(house):
    table = house.table("t", **HARD)
    house.append(table, 3)
    tagged = house.rows(table)
    house.spark.sql(f"alter table {table} create tag audited")
    untagged = house.snapshot(table)
    house.append(table, 4)
    gone = house.snapshot(table)
    house.append(table, 1)
    grow_old(house, table)
    done = steps(house.maintain()[table])
    assert {"compact", "expire snapshots"} <= {*done}
    assert house.rows(table, "version as of 'audited'") == tagged
    assert house.rows(table, f"version as of {untagged}") == tagged
    with pytest.raises(Exception, match=str(gone)):
        house.rows(table, f"version as of {gone}")
    house.spark.sql(f"alter table {table} drop tag audited")
    house.maintain()
    with pytest.raises(Exception, match=str(untagged)):
        house.rows(table, f"version as of {untagged}")


@pytest.mark.slow
def test_a_held_back_branch_can_be_published_afterwards(house):
    """This holds after main was compacted and unneeded files were deleted.

    A branch that is old enough is dropped.
    """
    hard = HARD | {"keep_days": 5}
    one, other = house.table("one", **hard), house.table("other", **HARD)
    house.append(one, 6)
    house.append(other, 6)
    before = house.rows(one)
    with house.building(one, other, fails=True) as branch:
        pass
    grow_old(house, one, other)
    done = house.maintain_all()
    assert done[one]["files_after"] == done[other]["files_after"] == 1
    assert done[one]["branches_dropped"] == done[other]["branches_dropped"] == 0
    assert house.rows(one) == before
    assert house.rows(f"{one}.branch_{branch}") == [7]
    # The log's snapshot for the branch is kept as long, although the log has no settings.
    log = f"{house.schema}_ops.publish_log"
    assert [row["summary"]["publish.run"] for row in snapshots(house, log)] == [branch]
    would = house.operate(operations.publish, branch, True)
    assert sorted(row["table"] for row in would) == [one, other]
    house.operate(operations.publish, branch)
    assert house.rows(one) == house.rows(other) == [7]

    with house.building(one, other, row=8, fails=True) as branch:
        pass
    # A branch is dropped from all of its tables or from none.
    assert {branch} <= {*branches.refs(house.spark, [other])[other]}
    assert house.maintain(other)[other]["branches_dropped"] == 0
    would = house.maintain_all(keep_days=0, dry_run=True)
    done = house.maintain_all(keep_days=0)
    assert done[one]["branches_dropped"] == done[other]["branches_dropped"] == 1
    for table in (one, other):  # the dropped branch no longer keeps snapshots
        assert would[table]["snapshots_after"] == done[table]["snapshots_after"] == 1
    assert {*branches.refs(house.spark, [one])[one]} == {"main"}
    assert house.rows(one) == [7]


def test_a_running_build_is_left_alone(house):
    table = house.table("t", **HARD)
    house.append(table, 6)
    before = house.rows(table)
    with house.building(table):
        files = all_files(house, table)
        with pytest.raises(DbtRuntimeError, match="Another build of these tables runs"):
            house.maintain()
        assert house.maintain(dry_run=True)[table]["files_after"] == 1
        assert all_files(house, table) == files
        assert house.rows(table) == before
    assert house.rows(table) == [7]
    assert house.maintain()[table]["snapshots_after"] == 1  # the earlier ones were kept until now


def test_a_reader_of_a_retained_snapshot_reads_on(house):
    """The reader reads some files before maintenance and the others after it."""
    table = house.table("t", **HARD | {"keep_snapshots": 3})
    house.append(table, 8, rows=100)
    retained, expected = house.snapshot(table), house.rows(table)
    rows = house.spark.sql(f"select id from {table} version as of {retained}").toLocalIterator()
    read = [next(rows).id]
    grow_old(house, table)
    done = steps(house.maintain()[table])
    assert {"compact", "merge manifests", "expire snapshots", "delete orphans"} <= {*done}
    read += [row.id for row in rows]
    assert sorted(read) == expected == house.rows(table, f"version as of {retained}")


def test_orphans_are_deleted_with_icebergs_margin(house, dbt):
    table = house.table("t")
    house.append(table, 1)
    data = dbt.home / "warehouse" / table.replace(".", "/") / "data"
    old, young = data / "old.parquet", data / "young.parquet"
    for file in (old, young):
        file.write_bytes(b"")
    grow_old(house, table)
    os.utime(young)
    assert house.maintain(dry_run=True)[table]["orphan_files"] == 1 and old.exists()
    assert house.maintain()[table]["orphan_files"] == 1
    assert young.exists() and not old.exists()


@pytest.mark.slow
def test_checkpoints_of_dead_runs_go(house):
    names = ("dbt_20260102t030405_0000000a", "dbt_20260102t030405_0000000b", "not_of_a_run")
    for name in names:
        (house.checkpoints / name / "inner").mkdir(parents=True)
        (house.checkpoints / name / "inner" / "part").write_text("")
    for path in (house.checkpoints, *house.checkpoints.rglob("*")):
        os.utime(path, (time.time() - FOUR_DAYS,) * 2)
    # A recent file: the build of another project may be running.
    os.utime(house.checkpoints / names[1] / "inner" / "part")
    house.table("t")
    dead = {"table": "checkpoints", "folders": [names[0]]}
    assert house.maintain_all(dry_run=True)["checkpoints"] == dead
    assert (house.checkpoints / names[0]).exists()
    assert house.maintain_all()["checkpoints"] == dead
    assert sorted(path.name for path in house.checkpoints.iterdir()) == [*names[1:]]


# Its time budget


def test_the_worst_table_comes_first_and_the_rest_is_named(house, monkeypatch, capsys):
    worst = house.table("z_worst", **OFF | {"small_file_ratio": 0, "keep_days": 0})
    bad = house.table("bad", **OFF | {"small_file_ratio": 0, "keep_days": 0})
    house.append(worst, 8)
    house.append(bad, 6)
    asked = count()
    with monkeypatch.context() as patch:
        patch.setattr(Wanted, "is_over", property(lambda self: next(asked) >= 1))
        done = house.maintain(budget="10m")
    assert [name for name in done if name.startswith(house.schema + ".")] == [worst, bad]
    assert [(s["action"], s["done"]) for s in done[worst]["actions"]] == [
        ("compact", True),
        ("expire snapshots", False),
    ]
    assert [step["done"] for step in done[bad]["actions"]] == [False, False]
    assert (done[worst]["files_after"], done[bad]["files_after"]) == (1, 6)
    assert house.maintain(budget="10m")[bad]["files_after"] == 1


@pytest.mark.slow
def test_the_command_shows_before_and_after_and_ends_with_1_when_its_time_is_over(
    project, tool, spark
):
    """Progress is printed on stderr, one line per action."""
    project.land({1: 10})
    assert project.build().success
    table = f"{project.schema}.silver_merged"
    for _ in range(6):
        spark.sql(f"insert into {table} values (1, 1)")
    code, out, err = tool("maintain", "--table", table, "--budget", "0s")
    assert code == 1
    left = f"The budget of 0s is used up. Left undone: {table}: compact, delete orphans."
    assert left in err.splitlines()
    row = out.splitlines()[2].split("  ")
    assert row[0] == table and "7" in [cell.strip() for cell in row]
    assert "(compact), (delete orphans)" in out
    code, out, err = tool("maintain", "--table", table, "--budget", "1h")
    assert code == 0
    head, _, row = out.splitlines()
    assert head.split()[:4] == ["table", "files", "delete_files", "manifests"]
    assert "  7 -> 1  " in row and "compact, delete orphans" in row
    why = "compact: 7 of 7 files are far from 512 MB (100%, from 20% on)."
    assert f"1/1 {table}: {why}" in err.splitlines()


def test_a_wrong_setting_of_any_node_stops_before_a_change(house):
    table = house.table("t", **HARD)
    house.append(table, 6)
    house.table("other", keep_day=7)
    with pytest.raises(DbtRuntimeError, match="other: meta maintenance: keep_day is no setting"):
        house.maintain(table)
    assert all_files(house, table) == 6
    assert not tables.exists(house.spark, f"{house.schema}_ops.build_lease")


def all_files(house: House, table: str) -> int:
    """Return the number of data files of all snapshots."""
    tables.forget(house.spark, table)
    return house.spark.table(f"{table}.all_data_files").select("file_path").distinct().count()


def snapshots(house: House, table: str) -> list:
    tables.forget(house.spark, table)
    found = house.spark.table(f"{table}.snapshots").where("operation = 'append'").collect()
    return [row for row in found if "publish.run" in row["summary"]]


def grow_old(house: House, *names: str) -> None:
    """Set the files' times so far back that orphan files would be deleted."""
    for name in names:
        folder = Path(tables.load(house.spark, name).location().removeprefix("file:"))
        for path in folder.rglob("*"):
            os.utime(path, (time.time() - FOUR_DAYS,) * 2)
