"""A run, an operation or a recovery may be killed at any step: all of it is published, or none.

The package `publish` is tested without dbt, so that a test can stop it at each step. To simulate a
kill, every later step raises an error.
"""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from itertools import count
from types import SimpleNamespace

import pytest
from dbt_common.exceptions import DbtRuntimeError
from dbt_spark_contracts import tables
from dbt_spark_contracts.publish import branches, lease, operations, ownership, tell
from dbt_spark_contracts.publish.command import Command
from dbt_spark_contracts.publish.lease_table import LeaseTable
from dbt_spark_contracts.publish.maintenance import job
from dbt_spark_contracts.publish.maintenance.wanted import Wanted
from dbt_spark_contracts.publish.ownership import Ownership
from dbt_spark_contracts.publish.run import Run
from dbt_spark_contracts.publish.tags import is_tag
from dbt_spark_contracts.spark import session
from dbt_spark_contracts.spark.checkpoints import Checkpoints

from tests.support.operations import operate

TABLES = ("a", "b")


class Killed(BaseException):
    """Simulates SIGKILL."""


class House:
    """Two tables, and runs that write to both of them."""

    def __init__(self, spark, schema: str, monkeypatch) -> None:
        self.spark, self.schema, self.monkeypatch = spark, schema, monkeypatch
        self.names = [f"{schema}.{name}" for name in TABLES]
        self.graph = {
            "sources": {},
            "nodes": {
                f"model.{name}": {
                    "name": name,
                    "resource_type": "model",
                    "relation_name": name,
                    "config": {"materialized": "table", "file_format": "iceberg"},
                }
                for name in self.names
            },
        }
        self.numbers = count(1)
        self.runs: list[Run] = []
        self.term = 60
        self.checkpoints: str | None = None
        spark.sql(f"create namespace if not exists {schema}")
        for name in self.names:
            spark.sql(
                f"create table {name} using iceberg tblproperties ('write.wap.enabled' = 'true') "
                "as select 0 as build"
            )

    def command(self, which: str = "build") -> Command:
        number = next(self.numbers)
        started_at = datetime(2026, 1, 2, tzinfo=timezone.utc) + timedelta(minutes=number)
        return Command(which, False, f"{number:08x}", started_at, f"{self.schema}_ops", True, 60, 0)

    def run(self) -> Run:
        owner = Ownership(Checkpoints(self.checkpoints))
        self.runs.append(Run(lambda: f"{self.schema}_ops", ownership=owner))
        return self.runs[-1]

    def write(self, number: int) -> Run:
        """Start a run that writes `number` to its branch of both tables."""
        run = self.run()
        run.begin(self.command(), self.graph, [])
        for name in self.names:
            self.spark.sql(f"insert into {name} replace where true select {number} as build")
        return run

    def end(self, run: Run, failed: bool = False) -> None:
        node = SimpleNamespace(name="n", resource_type="model", unique_id="model.n")
        result = SimpleNamespace(status="error", node=node, failures=None)
        try:
            run.end(run.ownership.command, [result] if failed else [])
        finally:
            run.complete()

    def build(self, number: int, failed: bool = False) -> Run:
        run = self.write(number)
        self.end(run, failed)
        return run

    def operate(self, operation, *args) -> None:
        command = self.command("run-operation")
        operate(self.run(), operation, command, self.graph["nodes"], *args)

    def kill_at(self, step: int, action) -> bool:
        """Run `action` and kill it before a step. Return whether it reached that step."""
        steps = count()
        with self.monkeypatch.context() as patch:

            def change(what: str) -> None:
                if next(steps) >= step:
                    raise Killed

            patch.setattr(tell, "change", change)
            patch.setattr(lease.Lease, "give_back", lambda self: self._stop.set())
            with suppress(Killed):
                action()
        self.bury()
        return next(steps) > step

    def bury(self) -> None:
        """Mark the processes of all runs as ended."""
        session.use_branch(None)
        for run in self.runs:
            if own := run.ownership.lease:
                own._stop.set()
                lease._ended.add(own.owner)

    def seen(self) -> set[int]:
        """Return the build numbers that readers see in the two tables."""
        for name in self.names:
            tables.forget(self.spark, name)
        one, other = map(self.spark.table, self.names)
        return {row.build for row in one.union(other).collect()}

    def recover(self, held: str = "main") -> set[int]:
        """Recover as the next build does. Return the build numbers that readers see then."""
        self.operate(operations.unlock)
        one, other = branches.refs(self.spark, self.names).values()
        assert set(one) == set(other)  # the tags, too
        assert {ref for ref in one if not is_tag(ref)} <= {"main", held}
        for name in self.names:
            branches.drop(self.spark, name, held) if held in one and held != "main" else None
        return self.seen()


@pytest.fixture
def house(spark, schema, monkeypatch):
    house = House(spark, schema, monkeypatch)
    yield house
    house.bury()


def test_a_build_that_is_killed_at_any_step(house):
    """This includes the first build."""
    before, outcomes = 0, []
    for step in count():
        if not house.kill_at(step, lambda step=step: house.build(step + 1)):
            break
        assert house.seen() <= {before, step + 1}
        (after,) = house.recover()
        assert after in (before, step + 1), step
        outcomes.append(after == before)
        before = after
    assert house.seen() == {step + 1}
    assert set(outcomes) == {True, False} and len(outcomes) >= 5


@pytest.mark.parametrize("foreign", [True, pytest.param(False, marks=pytest.mark.full)])
def test_a_recovery_that_is_killed_at_any_step(house, foreign):
    """This includes a recovery that cannot finish because of a foreign write."""
    house.build(0)
    for step in count():
        before = max(house.seen())
        assert house.kill_at(3, lambda before=before: house.build(before + 1))
        assert house.seen() == {before, before + 1}  # one table was moved
        if foreign:
            house.spark.sql(f"insert into {house.names[1]} values ({before})")
        if not house.kill_at(step, lambda: house.operate(operations.unlock)):
            break
        assert house.recover() == ({before} if foreign else {before + 1}), step
    assert step >= 3
    assert house.seen() == ({before} if foreign else {before + 1})


@pytest.mark.slow
def test_operations_that_are_killed_at_any_step(house):
    house.build(1)
    then = str(datetime.now(timezone.utc))
    house.build(2)
    for step in count():
        if not house.kill_at(step, lambda: house.operate(operations.roll_back, then)):
            break
        if house.recover() == {1}:
            house.build(2)
    assert step >= 4 and house.seen() == {1}
    log = house.spark.table(f"{house.schema}_ops.publish_log").where("run like 'roll_back_%'")
    ends = {row.status for row in log.select("status").distinct().collect()}
    assert ends == {"moving", "rolled back"}  # also if the recovery finished it

    for step in count():
        (before,) = house.seen()
        held = house.write(before + 1).branch
        house.end(house.runs[-1], failed=True)
        if not house.kill_at(step, lambda held=held: house.operate(operations.publish, held)):
            break
        # If the publish fails, the branch is held back as before.
        assert house.recover(held) in ({before}, {before + 1})
    assert step >= 4 and house.seen() == {before + 1}


@pytest.mark.slow
@pytest.mark.parametrize("every", [7, pytest.param(1, marks=pytest.mark.full)])
def test_maintenance_that_is_killed_at_any_step(house, every):
    """Readers see the same rows, and the next build and maintenance run normally."""

    def maintain() -> None:
        house.operate(job.maintain, Wanted(0, []))

    house.build(1)
    for step in count(0, every):
        (before,) = house.seen()
        house.build(-1, failed=True)  # maintenance drops its branch
        if not house.kill_at(step, maintain):
            break
        assert house.seen() == {before}
        assert house.build(before + 1).ownership.lease and house.seen() == {before + 1}
    assert step >= 12
    maintain()
    assert house.seen() == {before}
    for name in house.names:
        assert [*branches.refs(house.spark, [name])[name]] == ["main"]
        assert house.spark.table(f"{name}.snapshots").count() == 1


def test_who_was_taken_for_dead_publishes_nothing(house):
    """The run stops before a step of its end, and continues after another build has ended."""
    for step in count():
        stopped = house.write(-step - 1)
        steps = count()
        with house.monkeypatch.context() as patch:

            def change(what: str, step=step, steps=steps, patch=patch) -> None:
                if next(steps) == step:
                    patch.setattr(ownership, "has_ended", lambda process: True)
                    house.build(step + 1)

            patch.setattr(tell, "change", change)
            if step == 0:  # before its end
                change("")
            with suppress(DbtRuntimeError):
                house.end(stopped)
        if next(steps) <= step:
            break
        assert house.recover() == {step + 1}
        house.bury()
    assert step >= 3
    assert house.seen() == {-step - 1}


@pytest.mark.slow
def test_each_command_that_writes_takes_the_lock(house):
    house.term = 3
    running = house.write(1)
    unaudited = replace(house.command(), audits=False)
    commands = [
        lambda: house.run().begin(unaudited, house.graph, []),
        lambda: house.operate(operations.publish, "dbt_20260102t000100_00000009"),
        lambda: house.operate(operations.roll_back, "2026-01-02"),
        lambda: house.operate(job.maintain, Wanted(7, [])),
        lambda: house.operate(operations.unlock),  # refused, because the lease is renewed
    ]
    for command in commands:
        with pytest.raises(DbtRuntimeError, match="Another build of these tables runs: dbt_2026"):
            command()
    house.end(running)
    assert house.seen() == {1}


def test_the_lock_does_not_determine_a_path(house, tmp_path, monkeypatch):
    checkpoints, victim = tmp_path / "checkpoints", tmp_path / "victim"
    victim.mkdir()
    monkeypatch.setattr(house, "checkpoints", str(checkpoints))
    house.build(1)
    store = LeaseTable(house.spark, f"{house.schema}_ops.build_lease")
    dead = "dbt_20260102t030405_1a2b3c4d"
    (checkpoints / dead).mkdir(parents=True)
    for run in ("../victim", str(victim), dead):
        seen, _ = store.read()
        assert store.swap(seen, lease.Record("another", run, "?", term=1))
        house.build(2)
    assert victim.is_dir() and not (checkpoints / dead).exists()
