"""Figures from measured runs: medians, spreads, and ratios of medians."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from python_jobs.bench.benchmark import Result
from python_jobs.bench.processes import Measured


@dataclass(frozen=True)
class Figure:
    """A median, with the minimum and maximum of its values."""

    middle: float
    least: float
    most: float


def summarize(values: Sequence[float]) -> Figure:
    """Return the median of `values`, and their range."""
    return Figure(median(values), min(values), max(values))


def figure(
    results: Sequence[Result], size: int, step: str, value: Callable[[Measured], float]
) -> Figure:
    """Return the figure of one step at one size, for the measure that `value` returns."""
    return summarize([value(result.measured) for result in _runs(results, size, step)])


def seconds(measured: Measured) -> float:
    """Return the elapsed seconds, which most ratios compare."""
    return measured.seconds


def ratio(
    results: Sequence[Result],
    size: int,
    step: str,
    rival: str,
    value: Callable[[Measured], float] = seconds,
) -> Figure:
    """Return how many times as long a step takes as its rival, or as much of another measure.

    The middle is the ratio of the two medians. The range covers the pairs: each run of the step,
    divided by the rival's run of the same turn.
    """
    ours = {run.turn: value(run.measured) for run in _runs(results, size, step)}
    theirs = {run.turn: value(run.measured) for run in _runs(results, size, rival)}
    pairs = [spent / theirs[turn] for turn, spent in ours.items()]
    return Figure(median(ours.values()) / median(theirs.values()), min(pairs), max(pairs))


def sizes(results: Sequence[Result]) -> list[int]:
    """Return the measured sizes, in order."""
    return list(dict.fromkeys(result.size for result in results))


def steps(results: Sequence[Result]) -> list[str]:
    """Return the measured steps, in order."""
    return list(dict.fromkeys(result.step for result in results))


def _runs(results: Sequence[Result], size: int, step: str) -> list[Result]:
    return [result for result in results if (result.size, result.step) == (size, step)]
