"""Measure what happens before the first model of a build starts, and how long it takes.

    uv run python -m python_jobs.start_up_times --runs 5 --write-docs

Each run is a `dbt build` in a process of its own and in an empty lakehouse, once without a warm
Java and once with one. It builds one model without rows: what comes before the model is that of
any build. The times are those of the lines in dbt's own log.
"""

import argparse
import json
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from statistics import median

from python_jobs.bench import docs_page, machine
from python_jobs.bench.benchmark import say
from python_jobs.bench.contestants.base import ROOT, program
from python_jobs.bench.contestants.ours import POOL_OFF, POOL_ON
from python_jobs.bench.processes import end_all, measure, wait_until_quiet
from python_jobs.bench.report import table

PAGE = ROOT / "docs" / "start_up.md"
BUILD = ("build", "--empty", "--select", "bronze_car_events", "--exclude-resource-type", "test")
COLD, WARM = "without a warm Java", "with a warm Java"


@dataclass(frozen=True)
class Mark:
    """A line of dbt's log.

    Attributes:
        what: What has happened then, in words.
        event: The name of dbt's event.
        begins: How the line may begin.
        runs_beside: Whether it happens beside the lines around it.
        is_last: Whether the last of such lines before the first model counts, instead of the first.
    """

    what: str
    event: str
    begins: tuple[str, ...] = ("",)
    runs_beside: bool = False
    is_last: bool = False


MARKS = (
    Mark("dbt is imported", "MainReportVersion"),
    Mark(
        "Java is started, or a warm one taken",
        "Note",
        ("A new Java is started", "Spark runs in a Java that was warmed"),
        True,
    ),
    Mark("profile and project are read", "AdapterRegistered"),
    Mark("the project is parsed", "FoundStats"),
    Mark("Java answers", "Note", ("Java answers",), True),
    Mark("the session is there", "Note", ("The Spark session is there",), True),
    Mark("the schemas are there", "LogHookStartLine"),
    Mark("the hooks have run: checks of vars, lock, branch", "LogHookEndLine", is_last=True),
    Mark("the first model starts", "LogStartLine"),
)


def seconds_until(lines: Iterable[str], began: datetime) -> dict[str, float]:
    """Return after how many seconds each mark is in a log, up to the start of the first model.

    Args:
        lines: The lines of dbt's log, as JSON.
        began: When the process was started.
    """
    found: dict[str, float] = {}
    for line in lines:
        told = json.loads(line)["info"]
        for mark in MARKS:
            if told["name"] == mark.event and told["msg"].startswith(mark.begins):
                at = datetime.fromisoformat(told["ts"].replace("Z", "+00:00"))
                seconds = (at - began).total_seconds()
                found[mark.what] = seconds if mark.is_last else found.get(mark.what, seconds)
        if MARKS[-1].what in found:
            break
    return found


def page(found: dict[str, list[dict[str, float]]], described: str) -> str:
    """Return the medians of all runs as Markdown.

    Args:
        found: For each kind of run, the seconds of each.
        described: The machine.
    """
    rows = []
    before = dict.fromkeys(found, 0.0)
    for mark in MARKS:
        row = [f"*{mark.what}*" if mark.runs_beside else mark.what]
        for kind, runs in found.items():
            seconds = [run[mark.what] for run in runs if mark.what in run]
            if not seconds:
                row += ["", ""]
                continue
            at = median(seconds)
            row += [f"{at:.1f}", "" if mark.runs_beside else f"{at - before[kind]:.1f}"]
            before[kind] = before[kind] if mark.runs_beside else at
        rows.append(row)
    header = ["", *(text for kind in found for text in (f"at second, {kind}", "took"))]
    count = min(len(runs) for runs in found.values())
    return f"{table(header, rows, 'l' + 'r' * 2 * len(found))}\n\nMedian of {count}. {described}"


def run(place: Path, mark: str, environment: dict[str, str]) -> dict[str, float]:
    """Build in an empty lakehouse, and return the seconds until each mark."""
    home, logs = place / "home", place / "logs"
    for folder in (home, logs):
        shutil.rmtree(folder, ignore_errors=True)
    command = [program("dbt"), *BUILD, "--target", "local"]
    command += ["--log-format-file", "json", "--log-level-file", "debug", "--log-path", str(logs)]
    command += ["--target-path", str(place / "target")]
    variables = {"LAKEHOUSE_HOME": str(home), **environment}
    began = datetime.now(timezone.utc)
    measure([command], variables, ROOT, mark, place / "output.log")
    with (logs / "dbt.log").open(encoding="utf-8") as lines:
        found = seconds_until(lines, began)
    say(f"  {found[MARKS[-1].what]:.1f} s")
    return found


def measure_runs(place: Path, runs: int) -> dict[str, list[dict[str, float]]]:
    """Measure both kinds of runs in turn, after one that is not timed."""
    found: dict[str, list[dict[str, float]]] = {COLD: [], WARM: []}
    mark = uuid.uuid4().hex
    try:
        run(place, mark, POOL_ON)  # leaves all that is cached
        for _ in range(runs):
            wait_until_quiet(mark)
            end_all(mark)
            found[COLD].append(run(place, mark, POOL_OFF))
            run(place, mark, POOL_ON)  # leaves a warm Java
            wait_until_quiet(mark)
            found[WARM].append(run(place, mark, POOL_ON))
    finally:
        end_all(mark)
    return found


def main(argv: Sequence[str] | None = None) -> None:
    """Measure in a temporary folder, and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m python_jobs.start_up_times", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--runs", type=int, default=5, help="of each kind; default: %(default)s")
    parser.add_argument("--write-docs", action="store_true", help=f"write it into {PAGE.name}")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        text = page(measure_runs(Path(folder), args.runs), machine.describe(ROOT))
    print(text)
    if args.write_docs:
        docs_page.replace_part(PAGE, "start-up", text)


if __name__ == "__main__":
    main()
