"""`dbt build` may be killed at any time. Readers see the last build, and the next one recovers."""

import os
import random
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

import pytest
from dbt_spark_contracts.publish.lease_table import LeaseTable
from dbt_spark_contracts.publish.tags import is_tag

from python_jobs.generate_landing import main as generate_landing
from tests.support.killed_dbt import count
from tests.support.published import BUILD_TABLES, rows_of, tables_of, versions_of
from tests.support.toy import TABLES, Toy


class Moment(NamedTuple):
    """When and how a build is killed.

    Attributes:
        phase: The phase of the build.
        part: The fraction of the phase's statements that are sent before.
        delay: Seconds after the statement.
        whom: "dbt" or "all", as in tests/support/killed_dbt.py.
    """

    phase: str
    part: float
    delay: float
    whom: str


def moments(phases: Iterable[str], chance: random.Random) -> list[Moment]:
    """Return a random moment in each phase."""
    return [
        Moment(phase, chance.random(), chance.choice([0, 0.05, 0.3]), chance.choice(["all", "dbt"]))
        for phase in phases
    ]


def kill(start: Callable, statements: list[str], moment: Moment) -> bool:
    """Start a build that is killed at a moment. Return whether the kill came before its end."""
    number = int(moment.part * count(statements)[moment.phase])
    run = ("tests.support.killed_dbt", moment.phase, str(number), str(moment.delay), moment.whom)
    process = start(run=(*run, "--"))
    said, _ = process.communicate()
    assert process.returncode in (0, -9), said
    return process.returncode == -9


def check_what_readers_see(moment: Moment, killed: bool, before: dict, after: dict, expected: dict):
    """Check that readers see the last build, or a published one.

    Args:
        moment: The moment of the kill.
        killed: Whether the build was killed before it ended.
        before: The result of `versions_of` before the build.
        after: The result of `versions_of` after the build.
        expected: The rows of each table after this build.
    """
    rows = {name: table for name, (_, table) in after.items()}
    if not killed:
        assert rows == expected, moment
    elif moment.phase == "publish":
        # Tables are published one by one: each table has all rows of the old or the new build.
        for name, table in rows.items():
            assert table in (before[name][1], expected[name]), (moment, name)
    else:
        assert after == before, moment


def check_nothing_is_left(dbt, spark, ops: str, tables: Iterable[str]) -> None:
    """Check that no branch, lock, checkpoint or orphan file is left."""
    assert LeaseTable(spark, f"{ops}.build_lease").read()[1] is None
    assert not list((dbt.home / "checkpoints").glob("dbt_*"))
    for table in tables:
        spark.sql(f"refresh table {table}")
        refs = [row.name for row in spark.table(f"{table}.refs").collect()]
        assert [name for name in refs if not is_tag(name)] == ["main"]
        known = {row.file_path for row in spark.table(f"{table}.all_files").collect()}
        data = dbt.home / "warehouse" / table.replace(".", "/") / "data"
        there = {str(file) for file in data.rglob("*.parquet")}
        assert there == {path.removeprefix("file:") for path in known}


def grow_old(dbt, tables: Iterable[str]) -> None:
    """Set the files' times so far back that `maintain` deletes orphan files."""
    four_days_ago = time.time() - 4 * 24 * 3600
    for table in tables:
        for file in (dbt.home / "warehouse" / table.replace(".", "/") / "data").rglob("*"):
            os.utime(file, (four_days_ago, four_days_ago))


@pytest.mark.slow
def test_killed_before_while_and_after_it_writes(dbt, spark, tmp_path, schema):
    toy = Toy(dbt, tmp_path / "toy", schema)
    toy.land({1: 10, 2: 20})
    assert toy.build().success
    toy.land({1: 11, 2: 21})
    built = toy.build()  # like the killed builds, it has news and creates no tables
    assert built.success, built.text
    assert toy.rows() == toy.expected()
    phases = ("begin", "seed", "gold", "test", "publish")
    assert set(phases) <= set(count(built.statements))
    start = partial(toy.start, tmp_path / "target")
    killed = 0
    for number, moment in enumerate(moments(phases, random.Random(20261124)), start=3):
        before = toy.versions()
        toy.land({1: number, number: number})
        was_killed = kill(start, built.statements, moment)
        killed += was_killed
        check_what_readers_see(moment, was_killed, before, toy.versions(), toy.expected())
        again = toy.build()
        assert again.success, (moment, again.text)
        assert toy.rows() == toy.expected(), moment
    assert killed >= len(phases) - 1
    tables = [f"{schema}.{name}" for name in TABLES]
    grow_old(dbt, tables)
    result = toy.dbt("run-operation", "maintain", schema=schema)
    assert result.success, result.text
    check_nothing_is_left(dbt, spark, f"{schema}_ops", tables)


@pytest.fixture
def lots(tmp_path):
    """Return an iterator over batches of landing lines."""
    pool = tmp_path / "pool"
    arguments = "--events 400 --cars 5 --seed 7 --format jsonl --duplicates 0.1 --corrupt 0.1"
    generate_landing([*arguments.split(), "--out", str(pool)])
    lines = [line for file in sorted(pool.rglob("*.jsonl")) for line in file.open()]
    return iter([lines[start : start + 8] for start in range(0, len(lines), 8)])


@pytest.mark.full
def test_this_project_killed_at_many_moments(dbt, spark, lots, tmp_path, schema, seed):
    """Compare with a lakehouse whose builds are never killed."""
    landing = tmp_path / "landing"
    landing.mkdir()
    variables = {"landing_path": str(landing), "as_of_date": "2026-01-15"}
    tables = tables_of(schema)

    def build(schema: str):
        result = dbt(*BUILD_TABLES, schema=schema, **variables)
        assert result.success, result.text

    def never_killed() -> dict:
        build(f"un{schema}")
        return rows_of(dbt.home, f"un{schema}")

    (landing / "0.jsonl").write_text("".join(next(lots)))
    command = ("build", "--exclude-resource-type", "unit_test")
    build(schema)
    (landing / "00.jsonl").write_text("".join(next(lots)))
    built = dbt(*command, schema=schema, **variables)  # with news, like the killed builds
    assert built.success, built.text
    start = partial(
        dbt.start, *command, schema=schema, target_path=tmp_path / "target", **variables
    )
    phases = ("begin", "bronze", "silver", "gold", "test", "publish")  # the seed has no news
    chosen = moments(phases * 5, random.Random(seed))
    killed = 0
    for number, moment in enumerate(chosen, start=1):
        (landing / f"{number}.jsonl").write_text("".join(next(lots)))
        before, expected = versions_of(dbt.home, tables), never_killed()
        was_killed = kill(start, built.statements, moment)
        killed += was_killed
        after = versions_of(dbt.home, tables)
        check_what_readers_see(moment, was_killed, before, after, expected)
        build(schema)
        assert rows_of(dbt.home, schema) == expected, moment
    assert killed >= 0.8 * len(chosen)
    grow_old(dbt, tables)
    result = dbt("run-operation", "maintain", schema=schema, **variables)
    assert result.success, result.text
    check_nothing_is_left(dbt, spark, f"{schema}_ops", tables)
