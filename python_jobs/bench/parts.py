"""The parts of the benchmark, by the names of their sections in docs/performance.md."""

from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from python_jobs.bench import benchmark, commands, growth, java_sizes, many_models, report
from python_jobs.bench.benchmark import Result


@dataclass(frozen=True)
class Part:
    """A part.

    Attributes:
        measure: Measures it in a folder, according to the arguments. They may ask for nothing.
        report: Returns its figures as Markdown.
    """

    measure: Callable[[Namespace, Path], Sequence[Result]]
    report: Callable[[Any], str]


def _builds(args: Namespace, place: Path) -> Sequence[Result]:
    return benchmark.run(
        place, args.sizes, args.contestants, args.runs, args.warm_up, first_steps_only=args.smoke
    )


def _models(args: Namespace, place: Path) -> Sequence[Result]:
    return many_models.run(place, args.models, args.runs)


def _growth(args: Namespace, place: Path) -> Sequence[Result]:
    return growth.run(place, args.growth, args.runs)


def _small_files(args: Namespace, place: Path) -> Sequence[Result]:
    return growth.run_small_files(place, args.small_files, args.runs)


def _java_sizes(args: Namespace, place: Path) -> Sequence[Result]:
    return java_sizes.run(place, args.java_sizes, args.runs)


def _commands(args: Namespace, place: Path) -> Sequence[Result]:
    return commands.run(place, args.runs) if args.commands else []


PARTS = {
    "builds": Part(_builds, report.builds),
    "models": Part(_models, report.models),
    "growth": Part(_growth, report.growth),
    "small files": Part(_small_files, report.small_files),
    "java sizes": Part(_java_sizes, report.java_sizes),
    "commands": Part(_commands, report.commands),
}
