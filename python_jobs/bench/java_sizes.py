"""From how many events on a build is quicker with `LAKEHOUSE_SIZE=large`."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from python_jobs.bench.benchmark import Result, say
from python_jobs.bench.contestants.base import ROOT, Contestant, Step
from python_jobs.bench.contestants.ours import POOL_OFF, ours, show
from python_jobs.bench.landing import Landing
from python_jobs.bench.one_step import take
from python_jobs.bench.processes import Measured

SMALL, LARGE = "small", "large"


def run(place: Path, sizes: Sequence[int], runs: int) -> list[Result]:
    """Measure a cold build of each number of events with both settings in turn.

    Args:
        place: A folder for all output. A size's folders are removed when it has been measured.
        sizes: The numbers of events.
        runs: The number of turns.

    Returns:
        All measured builds.

    Raises:
        CommandFailedError: If a build failed.
    """
    results = []
    for size in sizes:
        say(f"{size:,} events")
        folder = place / "java_sizes" / str(size)
        try:
            landing = Landing(folder, size)
            build = ours(folder / "D", landing.folder)
            _take(build, _start_up(folder / "D", landing.folder), SMALL)
            for number in range(1, runs + 1):
                for setting in (SMALL, LARGE):
                    build.empty()
                    measured = _take(build, build.steps[0], setting)
                    say(f"  {setting}, turn {number} of {runs}: {measured}")
                    results.append(Result(size, setting, number, measured))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return results


def _start_up(place: Path, landing: Path) -> Step:
    """Return an untimed step, after which dbt has parsed and Java has its archive of classes."""
    command = show(place, landing)
    return Step("start-up", [command], lead_in=[command])


def _take(build: Contestant, step: Step, setting: str) -> Measured:
    step = replace(step, environment={"LAKEHOUSE_SIZE": setting, **POOL_OFF})
    return take(step, build.environment, ROOT, build.tables.parents[1] / "output")
