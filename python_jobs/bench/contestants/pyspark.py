"""H, Ht and S: the tables in PySpark without dbt: hand-written, tuned, and as four jobs."""

import sys
from collections.abc import Sequence
from pathlib import Path

from dbt_spark_contracts.spark.java import find_java_home
from dbt_spark_contracts.spark.settings import bundled_iceberg_jar

from python_jobs.bench.contestants.base import AS_OF_DATE, ROOT, Command, Contestant, Step
from python_jobs.bench.gold import read_iceberg

RIVALS = Path(__file__).parents[1] / "rivals"
JOBS = ("silver", "state", "efficiency", "alerts")


def hand_written(place: Path, landing: Path) -> Contestant:
    """Return H: plain PySpark, all tables in one session."""
    command = _command("hand_written.py", place, landing)
    return _contestant("H", "hand-written PySpark, one session", place, [command])


def tuned(place: Path, landing: Path) -> Contestant:
    """Return Ht: the same, tuned as far as possible."""
    # Outside the tables' folder, so the archive of Java classes is kept when they are removed.
    command = _command("tuned.py", place, landing, str(place / "classes.jsa"))
    return _contestant("Ht", "the same, tuned", place, [command], prepare=[[*command, "record"]])


def separate_jobs(place: Path, landing: Path) -> Contestant:
    """Return S: plain PySpark, one process per job."""
    commands = [_command("hand_written.py", place, landing, job) for job in JOBS]
    return _contestant("S", "hand-written PySpark, four jobs", place, commands)


def _command(script: str, place: Path, landing: Path, *more: str) -> Command:
    rules = ROOT / "seeds" / "alert_rules.csv"
    arguments = [landing, _tables(place), rules, AS_OF_DATE, bundled_iceberg_jar(), *more]
    return [sys.executable, *map(str, [RIVALS / script, *arguments])]


def _tables(place: Path) -> Path:
    return place / "warehouse"


def _contestant(
    key: str, title: str, place: Path, commands: list[Command], prepare: Sequence[Command] = ()
) -> Contestant:
    place.mkdir(parents=True, exist_ok=True)
    tables = _tables(place)
    return Contestant(
        key=key,
        title=title,
        tables=tables,
        folder=place,
        environment={"JAVA_HOME": str(find_java_home()), "PYSPARK_PYTHON": sys.executable},
        steps=[Step(key, commands)],
        prepare=prepare,
        read_gold=lambda: read_iceberg(tables),
    )
