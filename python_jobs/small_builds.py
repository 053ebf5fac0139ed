"""Measure many small incremental builds, with maintenance and without it.

    uv run --group bench python -m python_jobs.small_builds --builds 200 --write-docs

Two sets of three Iceberg tables get the same increments in turn: Bronze is appended to, Silver is
merged by key, Gold is computed from all of Silver and replaced. A build takes the lock, writes to
its branch and publishes it, as a dbt build does, but without dbt's parsing and tests. One of the
sets is maintained at regular intervals.
"""

import argparse
import json
import os
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "operations.md"
PICTURE = "small_builds.png"

WITH, WITHOUT = "with maintenance", "without"
COLORS = {WITH: "#b8860b", WITHOUT: "#6f7c85"}
CARS = 50

# The builds of a year run within minutes here, so snapshots are kept by number instead of days: as
# many as there are builds between two maintenances.
SETTINGS = {"keep_days": 0, "metadata_files": 20}


@dataclass(frozen=True)
class Built:
    """One build.

    Attributes:
        tables: `WITH` or `WITHOUT`.
        number: Its number, from 1.
        seconds: How long it took.
        files: The data files of the three tables, as readers see them.
        on_disk: All files in the folders of the three tables, including metadata.
        maintenance: How long the maintenance after it took, or 0.
    """

    tables: str
    number: int
    seconds: float
    files: int
    on_disk: int
    maintenance: float = 0.0


class Tables:
    """Three tables, and the builds of them."""

    def __init__(self, spark: "SparkSession", schema: str, keep_snapshots: int) -> None:
        """Create the tables, empty.

        Args:
            spark: The session.
            schema: Their schema.
            keep_snapshots: The number of snapshots that maintenance keeps.
        """
        self._spark, self._schema = spark, schema
        self._operations = f"{schema}_ops"
        self.names = [f"{schema}.{name}" for name in ("bronze", "silver", "gold")]
        self._bronze, self._silver, self._gold = self.names
        meta = {"maintenance": {**SETTINGS, "keep_snapshots": keep_snapshots}}
        config = {"materialized": "incremental", "file_format": "iceberg", "meta": meta}
        self._nodes = {
            f"model.{name}": {
                "name": name,
                "resource_type": "model",
                "relation_name": name,
                "columns": {},
                "config": config,
            }
            for name in self.names
        }
        spark.sql(f"create namespace {schema}")
        for table in (self._bronze, self._silver):
            self._create(table, "event_id bigint, car bigint, km bigint")
        self._create(self._gold, "car bigint, events bigint, km bigint")

    def _create(self, table: str, columns: str) -> None:
        from dbt_spark_contracts.publish import branches

        self._spark.sql(f"create table {table} ({columns}) using iceberg")
        branches.open_to_branches(self._spark, table)

    def build(self, number: int, events: int) -> None:
        """Read, merge and publish the events of one build.

        Args:
            number: The number of the build.
            events: The number of its events.
        """
        from dbt_spark_contracts.publish.run import Run

        run, command = Run(lambda: self._operations), self._command("build")
        run.begin(command, {"nodes": self._nodes, "sources": {}}, [])
        first = number * events
        landed = (
            f"select id as event_id, id % {CARS} as car, id % 97 as km "
            f"from range({first}, {first + events}, 1, 1)"
        )
        try:
            self._spark.sql(f"insert into {self._bronze} {landed}")
            self._spark.sql(
                f"merge into {self._silver} old using ({landed}) new "
                "on old.event_id = new.event_id when matched then update set * "
                "when not matched then insert *"
            )
            self._spark.sql(
                f"insert into {self._gold} replace where true "
                "select car, count(*) as events, sum(km) as km "
                f"from {self._silver} group by car"
            )
            run.end(command, [])
        finally:
            run.complete()

    def maintain(self) -> None:
        """Maintain the tables, with the log and the lock."""
        from dbt_spark_contracts.publish.maintenance import job
        from dbt_spark_contracts.publish.maintenance.wanted import Wanted
        from dbt_spark_contracts.publish.run import Run

        run = Run(lambda: self._operations)
        try:
            job.maintain(
                run.ownership, self._command("run-operation"), self._nodes, Wanted(None, [])
            )
        finally:
            run.complete()

    def files(self) -> int:
        """Return the number of data files that readers of the tables open."""
        from dbt_spark_contracts import tables
        from dbt_spark_contracts.publish.sizes import size_of

        loaded = [tables.load_anew(self._spark, name) for name in self.names]
        return sum(size_of(each, each.currentSnapshot()).files for each in loaded)

    def on_disk(self) -> int:
        """Return the number of files in the folders of the tables."""
        from dbt_spark_contracts import tables

        places = [tables.load(self._spark, name).location() for name in self.names]
        folders = [Path(place.removeprefix("file:")) for place in places]
        return sum(
            not path.name.endswith(".crc") and path.is_file()
            for folder in folders
            for path in folder.rglob("*")
        )

    def rows(self) -> list[tuple[int, int, int]]:
        """Return Gold as readers see it."""
        return sorted(tuple(row) for row in self._spark.table(self._gold).collect())

    def _command(self, which: str) -> Any:
        from dbt_spark_contracts.publish.command import Command

        now = datetime.now(timezone.utc)
        return Command(which, False, uuid.uuid4().hex, now, self._operations, True, 90, 0)


def measure(
    spark: "SparkSession",
    schema: str,
    builds: int,
    every: int,
    events: int,
    say: Callable[[str], None] = print,
) -> list[Built]:
    """Build two sets of tables in turn, of which one is maintained.

    Args:
        spark: The session.
        schema: The beginning of the schemas' names.
        builds: The number of builds of each set.
        every: The number of builds between two maintenances.
        events: The number of events of each build.
        say: Prints a line of progress.

    Returns:
        All builds, in their order.

    Raises:
        AssertionError: If the two sets do not have the same Gold in the end.
    """
    warm = Tables(spark, f"{schema}_warm_up", every)
    for number in range(3):  # Java is slow at first
        warm.build(number, events)
    warm.maintain()
    sets = {
        WITH: Tables(spark, f"{schema}_kept", every),
        WITHOUT: Tables(spark, f"{schema}_left", every),
    }
    found = []
    for number in range(1, builds + 1):
        for kind, tables in sets.items():
            began = time.monotonic()
            tables.build(number, events)
            built = time.monotonic()
            is_due = kind == WITH and number % every == 0
            if is_due:
                tables.maintain()
            spent = time.monotonic() - built if is_due else 0.0
            counted = (tables.files(), tables.on_disk())
            found.append(Built(kind, number, built - began, *counted, spent))
        if number % every == 0:
            say(", ".join(f"{each.tables}: {told(each)}" for each in found[-2:]))
    with_rows, without_rows = (tables.rows() for tables in sets.values())
    assert with_rows == without_rows and sum(row[1] for row in with_rows) == builds * events
    return found


def told(built: Built) -> str:
    """Return a build as a line of progress."""
    return f"build {built.number} took {built.seconds:.1f} s, {built.files} files"


def first_and_last(found: Sequence[Built], kind: str) -> tuple[list[Built], list[Built]]:
    """Return the first and the last tenth of the builds of a set, at least one each."""
    own = [each for each in found if each.tables == kind]
    count = max(1, len(own) // 10)
    return own[:count], own[-count:]


def page(found: Sequence[Built], every: int, events: int, machine: str) -> str:
    """Return the figures as Markdown."""
    builds = max(each.number for each in found)
    lines = [
        f"![Seconds and files of {builds} builds, with maintenance and without](images/{PICTURE})",
        "",
        f"| {builds} builds | median of the first tenth | median of the last tenth | data files "
        "at the end | files on disk at the end |",
        "|---|---|---|---|---|",
    ]
    for kind in (WITH, WITHOUT):
        first, last = first_and_last(found, kind)
        seconds = [median(each.seconds for each in part) for part in (first, last)]
        lines.append(
            f"| {kind} | {seconds[0]:.2f} s | {seconds[1]:.2f} s | {last[-1].files:,} | "
            f"{last[-1].on_disk:,} |"
        )
    spent = [each.maintenance for each in found if each.maintenance]
    most = max(each.files for each in found if each.tables == WITH)
    lines += [
        "",
        f"A build brings {events:,} events. After every {every} builds one set of tables is "
        f"maintained, which took {median(spent):.1f} s (median of {len(spent)}). In between it has "
        f"at most {most} data files.",
        "",
        f"Measured on: {machine}",
    ]
    return "\n".join(lines)


def draw(found: Sequence[Built], file: Path) -> None:
    """Draw seconds and files of all builds into a file."""
    from matplotlib.figure import Figure

    picture = Figure(figsize=(9, 6), layout="constrained")
    panels = (
        ("seconds of a build (a line is the median of ten)", "seconds"),
        ("data files that a reader opens", "files"),
    )
    for axes, (title, name) in zip(picture.subplots(2, 1, sharex=True), panels, strict=True):
        for kind, color in COLORS.items():
            own = [each for each in found if each.tables == kind]
            numbers = [each.number for each in own]
            values = [getattr(each, name) for each in own]
            if name == "seconds":
                axes.plot(numbers, values, ".", color=color, alpha=0.35, markersize=4)
                values = [median(values[max(0, end - 10) : end]) for end in numbers]
            axes.plot(numbers, values, color=color, label=kind)
        axes.set_title(title, loc="left", fontsize=10)
        axes.set_ylim(bottom=0)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
    axes.set_xlabel("build")
    file.parent.mkdir(parents=True, exist_ok=True)
    picture.savefig(file, dpi=120, metadata={"Software": None})


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the checked arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m python_jobs.small_builds", description=(__doc__ or "").partition("\n")[0]
    )
    add = parser.add_argument
    add("--builds", type=positive, default=200, help="of each set of tables; default: %(default)s")
    add("--every", type=positive, default=20, help="builds between two maintenances; default: 20")
    add("--events", type=positive, default=200, help="that a build brings; default: %(default)s")
    add("--out", type=Path, metavar="DIR", help="for results.json, page.md and the picture")
    add("--write-docs", action="store_true", help="write the figures into docs/operations.md")
    args = parser.parse_args(argv)
    if args.every > args.builds:
        parser.error("--every is more than --builds: nothing would be maintained")
    return args


def positive(text: str) -> int:
    """Return a whole number of at least 1."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def report(found: Sequence[Built], args: argparse.Namespace, folder: Path) -> None:
    """Write the results, and update the docs if requested."""
    from python_jobs.bench import docs_page, machine

    text = page(found, args.every, args.events, machine.describe(ROOT))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps([asdict(each) for each in found], indent=1))
    (folder / "page.md").write_text(f"{text}\n", encoding="utf-8")
    draw(found, folder / PICTURE)
    if args.write_docs:
        docs_page.replace_part(PAGE, "small builds", text)
        draw(found, PAGE.parent / "images" / PICTURE)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure with tables in a temporary folder."""
    args = parse_args(argv)
    out = args.out or ROOT / ".lakehouse" / "small_builds"
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"LAKEHOUSE_HOME": home, "DBT_SPARK_POOL": "off"}
        from dbt.cli.main import dbtRunner
        from dbt_spark_contracts.spark import session

        options = ["--project-dir", str(ROOT), "--profiles-dir", str(ROOT)]
        options += ["--target-path", f"{home}/target", "--log-path", f"{home}/logs"]
        if not dbtRunner().invoke(["parse", "--log-level", "error", *options]).success:
            sys.exit("This project does not parse: see `dbt parse`.")
        found = measure(session.get(), "small_builds", args.builds, args.every, args.events)
        report(found, args, out)
        session.get().stop()
    print(f"Written: {out}")


if __name__ == "__main__":
    main()
