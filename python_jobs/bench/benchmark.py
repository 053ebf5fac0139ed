"""Measure contestants in turn, on the same events, and compare their Gold tables."""

import sys
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from python_jobs.bench import gold
from python_jobs.bench.contestants import CONTESTANTS
from python_jobs.bench.contestants.base import Contestant, Step
from python_jobs.bench.landing import Landing
from python_jobs.bench.processes import Measured, end_all, measure, wait_until_quiet


@dataclass(frozen=True)
class Result:
    """One measured run.

    Attributes:
        size: The number of events, or of models. 0 where it has none.
        step: What was measured.
        turn: The number of the turn. Runs of one turn are a pair.
        measured: The measurement.
    """

    size: int
    step: str
    turn: int
    measured: Measured


class Course:
    """One size: its events, and the contestants that build from them.

    Attributes:
        golds: The Gold tables of each step, without and with the new events.
    """

    def __init__(self, place: Path, size: int, keys: Sequence[str]) -> None:
        self.size = size
        self.landing = Landing(place / "events", size)
        self.contestants = [CONTESTANTS[key](place / key, self.landing.folder) for key in keys]
        self.logs = place / "output"
        self.golds: dict[bool, dict[str, gold.Gold]] = {False: {}, True: {}}

    def warm_up(self) -> None:
        """Run each build once, untimed, with the new events.

        Afterwards everything exists that is made once and cached (compiled Python, dbt's parsed
        project, class archives), and also Gold tables to compare later builds with.
        """
        for contestant in self.contestants:
            warm_up = replace(
                contestant.steps[0],
                name=f"{contestant.key} warm-up",
                has_new_events=True,
                lead_in=contestant.prepare,
            )
            self._take(contestant, [warm_up])

    def turn(self, number: int, first_steps_only: bool) -> list[Result]:
        """Run the steps of each contestant once, in order."""
        return [
            Result(self.size, step.name, number, measured)
            for contestant in self.contestants
            for step, measured in self._take(
                contestant, contestant.steps[:1] if first_steps_only else contestant.steps
            )
        ]

    def _take(self, contestant: Contestant, steps: Sequence[Step]) -> list[tuple[Step, Measured]]:
        mark = uuid.uuid4().hex
        try:
            return [(step, self._measure(contestant, step, mark)) for step in steps]
        finally:
            end_all(mark)

    def _measure(self, contestant: Contestant, step: Step, mark: str) -> Measured:
        environment = {**contestant.environment, **step.environment}
        log = self.logs / f"{step.name.replace(' ', '_')}.log"
        log.unlink(missing_ok=True)
        if step.has_new_events:
            self.landing.add_new_events()
        else:
            self.landing.remove_new_events()
        for command in step.lead_in:
            measure([command], environment, contestant.folder, mark, log)
        if step.starts_empty:
            contestant.empty()
        wait_until_quiet(mark)
        measured = measure(step.commands, environment, contestant.folder, mark, log)
        say(f"  {step.name}: {measured.seconds:.1f} s")
        golds = self.golds[step.has_new_events]
        golds[step.name] = contestant.read_gold()
        gold.check_same(golds)
        return measured


def run(
    place: Path,
    sizes: Sequence[int],
    keys: Sequence[str],
    runs: int,
    warm_up: bool,
    first_steps_only: bool,
) -> list[Result]:
    """Measure all contestants at all sizes.

    Args:
        place: A folder for all output of the contestants.
        sizes: The numbers of events.
        keys: The contestants.
        runs: The number of turns of each.
        warm_up: Whether to run each build once before, untimed.
        first_steps_only: Whether to run only the first step of each contestant.

    Returns:
        All measured runs.

    Raises:
        CommandFailedError: If a contestant failed.
        DifferentGoldError: If two contestants have built different Gold tables.
    """
    results = []
    for size in sizes:
        say(f"{size:,} events")
        course = Course(place, size, keys)
        if warm_up:
            course.warm_up()
        for number in range(1, runs + 1):
            say(f"turn {number} of {runs}")
            results += course.turn(number, first_steps_only)
    return results


def say(line: str) -> None:
    """Print the progress to stderr. The result goes to stdout."""
    print(line, file=sys.stderr, flush=True)
