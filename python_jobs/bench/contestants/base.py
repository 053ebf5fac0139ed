"""What the benchmark knows of a contestant."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from python_jobs.bench.gold import Gold

ROOT = Path(__file__).parents[3]

# The day that insurance is judged by, the same for all.
AS_OF_DATE = "2026-01-15"

Command = Sequence[str]


@dataclass(frozen=True)
class Step:
    """One measurement of a contestant.

    Attributes:
        name: What it is called in the report.
        commands: What is timed, one after the other, as one.
        starts_empty: There is no table yet.
        has_new_events: One per cent of new events has arrived.
        lead_in: Commands before it, which are not timed.
        environment: Variables of this step alone.
    """

    name: str
    commands: Sequence[Command]
    starts_empty: bool = True
    has_new_events: bool = False
    lead_in: Sequence[Command] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Contestant:
    """Somebody who builds the Gold tables.

    Attributes:
        key: One or two letters.
        title: Who that is, for the report.
        tables: The folder of its tables.
        folder: Where its commands run.
        environment: Variables of all its commands.
        steps: What is measured, in order.
        read_gold: Reads what it has built.
        prepare: Commands that make what is kept from run to run, and so is not timed.
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
