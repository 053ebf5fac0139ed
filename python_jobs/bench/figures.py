"""From measured runs to figures: medians, spreads, and ratios of medians."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from python_jobs.bench.benchmark import Result
from python_jobs.bench.processes import Measured


@dataclass(frozen=True)
class Figure:
    """A median, and the least and the greatest of what it is the median of."""

    middle: float
    least: float
    most: float


def summarize(values: Sequence[float]) -> Figure:
    """The median of `values`, and their range."""
    return Figure(median(values), min(values), max(values))


def figure(
    results: Sequence[Result], size: int, step: str, value: Callable[[Measured], float]
) -> Figure:
    """The figure of one step at one size; `value` says of what."""
    return summarize([value(result.measured) for result in _runs(results, size, step)])


def ratio(results: Sequence[Result], size: int, step: str, rival: str) -> Figure:
    """How many times as long a step takes as its rival.

    The middle is the ratio of the two medians. The range is that of the pairs: each turn's run of
    the step, divided by the rival's run of the same turn.
    """
    ours = {run.turn: run.measured.seconds for run in _runs(results, size, step)}
    theirs = {run.turn: run.measured.seconds for run in _runs(results, size, rival)}
    pairs = [seconds / theirs[turn] for turn, seconds in ours.items()]
    return Figure(median(ours.values()) / median(theirs.values()), min(pairs), max(pairs))


def sizes(results: Sequence[Result]) -> list[int]:
    """The sizes that were measured, in order."""
    return list(dict.fromkeys(result.size for result in results))


def steps(results: Sequence[Result]) -> list[str]:
    """The steps that were measured, in order."""
    return list(dict.fromkeys(result.step for result in results))


def _runs(results: Sequence[Result], size: int, step: str) -> list[Result]:
    return [result for result in results if (result.size, result.step) == (size, step)]
