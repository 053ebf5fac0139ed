"""The parts of a contestant that the benchmark needs."""

import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from python_jobs.bench.gold import Gold

ROOT = Path(__file__).parents[3]

# The reference date for insurance, the same for all.
AS_OF_DATE = "2026-01-15"

Command = Sequence[str]


def program(name: str) -> str:
    """Return the path of a program that is installed beside this Python."""
    return str(Path(sys.executable).with_name(name))


@dataclass(frozen=True)
class Step:
    """One measurement of a contestant.

    Attributes:
        name: Its name in the report.
        commands: The timed commands, one after the other.
        starts_empty: Whether there are no tables yet.
        has_new_events: Whether one per cent of new events has arrived.
        lead_in: Untimed commands before it.
        environment: Environment variables of this step only.
    """

    name: str
    commands: Sequence[Command]
    starts_empty: bool = True
    has_new_events: bool = False
    lead_in: Sequence[Command] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Contestant:
    """A program that builds the Gold tables.

    Attributes:
        key: One or two letters.
        title: Its description in the report.
        tables: The folder of its tables.
        folder: The working directory of its commands.
        environment: Environment variables of all its commands.
        steps: The measured steps, in order.
        read_gold: Reads its Gold tables.
        prepare: Untimed commands that create what is kept between runs.
    """

    key: str
    title: str
    tables: Path
    folder: Path
    environment: Mapping[str, str]
    steps: Sequence[Step]
    read_gold: Callable[[], Gold]
    prepare: Sequence[Command] = ()

    def empty(self) -> None:
        """Remove its tables."""
        shutil.rmtree(self.tables, ignore_errors=True)
        self.tables.mkdir(parents=True)
