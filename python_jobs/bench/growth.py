"""How the cost of our build grows with its data, and what many small files cost.

Each size gets a landing folder and a warehouse of its own.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pyiceberg.table import StaticTable

from python_jobs.bench.benchmark import Result, say
from python_jobs.bench.contestants.base import ROOT
from python_jobs.bench.contestants.ours import POOL_OFF, ours, show
from python_jobs.bench.landing import Landing
from python_jobs.bench.one_step import take
from python_jobs.current_metadata import current_metadata

LAYERS = ("bronze", "silver", "gold")
START_UP, COLD, NOTHING_NEW, NEW = "start-up", "cold", "nothing new", "1 % new"


@dataclass(frozen=True)
class Tables:
    """What the tables of a layer hold, as their readers see it: rows, files and bytes."""

    rows: int
    files: int
    size: int


@dataclass(frozen=True)
class Grown(Result):
    """One measured step, with the tables after it.

    Attributes:
        landing_files: The number of files that have landed.
        layers: The tables of each layer.
    """

    landing_files: int = 0
    layers: dict[str, Tables] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return a line of progress, which is all that is left if a later step fails."""
        held = "".join(f", {layer}: {tables.files} files" for layer, tables in self.layers.items())
        return f"{self.step}: {self.measured}, {self.measured.peak_bytes >> 20:,} MiB{held}"


def run(place: Path, sizes: Sequence[int], runs: int) -> list[Grown]:
    """Measure start-up, a build of everything, of nothing new, and of one per cent more.

    Args:
        place: A folder for all output. A size's folders are removed when it has been measured.
        sizes: The numbers of events.
        runs: The number of turns.

    Returns:
        All measured steps.

    Raises:
        CommandFailedError: If a command failed.
    """
    steps = (START_UP, COLD, NOTHING_NEW, NEW)
    return _take(place, [(size, False) for size in sizes], steps, runs)


def run_small_files(place: Path, sizes: Sequence[int], runs: int) -> list[Grown]:
    """Measure the same events in one file, and in a file for each event. Arguments as in `run`."""
    landings = [(size, is_split) for size in sizes for is_split in (False, True)]
    return _take(place, landings, (COLD, NOTHING_NEW), runs)


def _take(
    place: Path, landings: Sequence[tuple[int, bool]], names: Sequence[str], runs: int
) -> list[Grown]:
    results = []
    for size, is_split in landings:
        folder = place / "growth" / f"{size}{'_files' if is_split else ''}"
        say(f"{size:,} events in {size if is_split else 1:,} files")
        try:
            landing = Landing(folder, size, is_split)
            for number in range(1, runs + 1):
                results += _turn(folder / "D", landing, size, names, number)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return results


def _turn(
    place: Path, landing: Landing, size: int, names: Sequence[str], number: int
) -> list[Grown]:
    build = ours(place, landing.folder)
    cold, _, nothing_new, new = build.steps
    steps = {
        START_UP: replace(nothing_new, commands=[show(place, landing.folder)]),
        COLD: cold,
        NOTHING_NEW: nothing_new,
        NEW: new,
    }
    landing.remove_new_events()
    build.empty()
    results = []
    for name in names:
        step = steps[name]
        if step.has_new_events:
            landing.add_new_events()
        # A warm Java would make the steps after the first one look cheaper.
        step = replace(step, environment={**step.environment, **POOL_OFF})
        measured = take(step, build.environment, ROOT, place / "output")
        files = len(list(landing.folder.iterdir()))
        layers = {} if name == START_UP else {layer: held(build.tables, layer) for layer in LAYERS}
        results.append(Grown(size, name, number, measured, files, layers))
        say(f"  {results[-1]}")
    return results


def held(warehouse: Path, namespace: str) -> Tables:
    """Return what the tables of a namespace of a folder catalog hold, without Spark."""
    rows = files = size = 0
    for table in (folder.name for folder in (warehouse / namespace).iterdir()):
        static = StaticTable.from_metadata(current_metadata(f"{namespace}.{table}", warehouse))
        for file in static.inspect.files().to_pylist():
            rows += file["record_count"] if file["content"] == 0 else 0
            files += 1
            size += file["file_size_in_bytes"]
    return Tables(rows, files, size)
