"""`dbt build`, killed at any moment: readers see the build before, and the next makes it good."""

import random

import pytest

from python_jobs.generate_landing import main as generate_landing
from tests.support.published import BUILD_TABLES, TABLES, rows_of, versions_of

PHASES = ("begin", "seed", "bronze", "silver", "gold", "test", "publish")


@pytest.fixture(scope="module")
def landing(tmp_path_factory):
    """A landing folder, and the lines that are to land in it."""
    pool = tmp_path_factory.mktemp("pool")
    arguments = "--events 400 --cars 5 --seed 7 --format jsonl --duplicates 0.1 --corrupt 0.1"
    generate_landing([*arguments.split(), "--out", str(pool)])
    lines = [line for file in sorted(pool.rglob("*.jsonl")) for line in file.open()]
    return tmp_path_factory.mktemp("landing"), lines


class Killer:
    """Runs `dbt build` in a process of its own, and kills it."""

    def __init__(self, dbt, schema: str, variables: dict) -> None:
        self.dbt = dbt
        self.schema = schema
        self.variables = variables

    def __call__(self, phase: str, fraction: float = 0, delay: float = 0, whom: str = "all") -> int:
        """Out: the exit code, -9 if it was killed."""
        run = ("tests.support.killed_dbt", phase, str(fraction), str(delay), whom, "--")
        target = self.dbt.home / "killed"
        process = self.dbt.start(
            "build", schema=self.schema, target_path=target, run=run, **self.variables
        )
        self.said, _ = process.communicate()
        return process.returncode


def moments(count: int) -> list[tuple]:
    """Seeded moments: each phase in turn, a statement of it, a delay in seconds, whom to kill."""
    chance = random.Random(20261124)
    return [
        (PHASES[-1 - number % len(PHASES)], chance.random(), chance.choice([0, 0.05, 0.3]),
         chance.choice(["all", "dbt"]))
        for number in range(count)
    ]  # fmt: skip


def check_killed_at(dbt, spark, landing, schema: str, chosen: list[tuple]) -> None:
    """Kill a build at each of the moments, look, and build again."""
    folder, lines = landing
    folder = folder / schema
    folder.mkdir()
    batches = iter([lines[start : start + 8] for start in range(0, len(lines), 8)])
    variables = {"landing_path": str(folder), "as_of_date": "2026-01-15"}
    killer = Killer(dbt, schema, variables)

    def land(number: int) -> None:
        (folder / f"{number}.jsonl").write_text("".join(next(batches)))

    def never_killed() -> dict:
        result = dbt(*BUILD_TABLES, schema=f"un{schema}", **variables)
        assert result.success, result.text
        return rows_of(dbt.home, f"un{schema}")

    land(0)
    never_killed()
    assert dbt(*BUILD_TABLES, schema=schema, **variables).success
    land(1)
    assert killer("none") == 0, killer.said  # counts the statements of a build
    assert rows_of(dbt.home, schema) == never_killed()
    killed = 0
    for number, moment in enumerate(chosen, start=2):
        land(number)
        before = versions_of(dbt.home, schema)
        code = killer(*moment)
        assert code in (0, -9), killer.said
        killed += code == -9
        after = versions_of(dbt.home, schema)
        expected = never_killed()
        if code == 0:
            assert rows_of(dbt.home, schema) == expected, moment
        elif moment[0] == "publish":
            # A table at a time: each is the one before, or the new one, whole.
            for name, (_, rows) in after.items():
                assert rows in (before[name][1], expected[name]), (moment, name)
        else:
            assert after == before, moment
        again = dbt(*BUILD_TABLES, schema=schema, **variables)
        assert again.success, (moment, again.text)
        assert rows_of(dbt.home, schema) == expected, moment
    assert killed >= 0.8 * len(chosen)
    result = dbt("run-operation", "maintain", schema=schema, **variables)
    assert result.success, result.text
    check_nothing_is_left(dbt, spark, schema)


def check_nothing_is_left(dbt, spark, schema: str) -> None:
    """No branch, lock, checkpoint or file that no snapshot knows."""
    assert not spark.catalog.tableExists(f"{schema}_ops.build_lock")
    assert not list((dbt.home / "checkpoints").glob("dbt_*"))
    for layer, names in TABLES.items():
        for name in names:
            table = f"{schema}_{layer}.{name}"
            spark.sql(f"refresh table {table}")
            assert [row.name for row in spark.table(f"{table}.refs").collect()] == ["main"]
            known = {row.file_path for row in spark.table(f"{table}.all_files").collect()}
            data = dbt.home / f"warehouse/{schema}_{layer}/{name}/data"
            there = {str(file) for file in data.rglob("*.parquet")}
            assert there == {path.removeprefix("file:") for path in known}


def test_killed_at_a_handful_of_moments(dbt, spark, landing):
    check_killed_at(dbt, spark, landing, "killed", moments(5))


@pytest.mark.soak
def test_killed_at_many_moments(dbt, spark, landing):
    check_killed_at(dbt, spark, landing, "killed_often", moments(35))
