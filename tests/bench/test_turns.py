"""Contestants take turns, start each step in its required state, and must agree on Gold."""

import sys
from pathlib import Path

import pytest

from python_jobs.bench import benchmark
from python_jobs.bench.contestants.base import Contestant, Step
from python_jobs.bench.contestants.ours import LARGE_BYTES, ours
from python_jobs.bench.gold import TABLES, Content, DifferentGoldError
from python_jobs.bench.processes import Watch

# Writes its name, the number of landing files, whether a table exists, and a setting to a file.
SAY = """
import os, sys
from pathlib import Path
name, said, landing, tables = sys.argv[1:]
state = "empty" if not any(Path(tables).iterdir()) else "has tables"
with open(said, "a") as file:
    print(name, len(os.listdir(landing)), state, os.environ.get("SETTING", ""), file=file)
Path(tables, "table").touch()
"""


def imitation(key: str, said: Path, rows: int = 1):
    """Return a fake contestant whose commands log what they find. Its tables have `rows` rows."""

    def make(place: Path, landing: Path) -> Contestant:
        tables = place / "tables"
        tables.mkdir(parents=True)

        def command(name: str) -> list[str]:
            return [sys.executable, "-c", SAY, name, *map(str, (said, landing, tables))]

        return Contestant(
            key=key,
            title="an imitation",
            tables=tables,
            folder=place,
            environment={"SETTING": "of-all"},
            steps=[
                Step(f"{key} cold", [command(f"{key}-cold")], lead_in=[command(f"{key}-lead-in")]),
                Step(
                    f"{key} new",
                    [command(f"{key}-new"), command(f"{key}-more")],
                    starts_empty=False,
                    has_new_events=True,
                    environment={"SETTING": "of-step"},
                ),
            ],
            read_gold=lambda: dict.fromkeys(TABLES, Content(rows, "same")),
            prepare=[command(f"{key}-prepare")],
        )

    return make


@pytest.fixture
def said(tmp_path, monkeypatch) -> Path:
    """Return the log file of two fake contestants, A and B."""
    file = tmp_path / "said"
    pair = {key: imitation(key, file) for key in "AB"}
    monkeypatch.setattr(benchmark, "CONTESTANTS", pair)
    return file


def run(tmp_path: Path, runs: int, warm_up: bool = False, first_steps_only: bool = False):
    return benchmark.run(tmp_path / "work", [100], ["A", "B"], runs, warm_up, first_steps_only)


TURN = [
    *("A-lead-in 1 {before} of-all", "A-cold 1 empty of-all"),
    *("A-new 2 has tables of-step", "A-more 2 has tables of-step"),
    *("B-lead-in 1 {before} of-all", "B-cold 1 empty of-all"),
    *("B-new 2 has tables of-step", "B-more 2 has tables of-step"),
]


def test_each_turn_goes_through_all_steps_of_all_contestants(tmp_path, said):
    results = run(tmp_path, runs=2)
    first, second = ([line.format(before=state) for line in TURN] for state in STATES)
    assert said.read_text().splitlines() == first + second
    # A lead-in is not a step, and two commands of a step are one measurement.
    assert [(result.turn, result.step) for result in results] == [
        (turn, step) for turn in (1, 2) for step in ("A cold", "A new", "B cold", "B new")
    ]
    assert {result.size for result in results} == {100}


STATES = ("empty", "has tables")


def test_the_warm_up_has_the_new_events_and_is_not_reported(tmp_path, said):
    results = run(tmp_path, runs=1, warm_up=True, first_steps_only=True)
    assert said.read_text().splitlines() == [
        *("A-prepare 2 empty of-all", "A-cold 2 empty of-all"),
        *("B-prepare 2 empty of-all", "B-cold 2 empty of-all"),
        *("A-lead-in 1 has tables of-all", "A-cold 1 empty of-all"),
        *("B-lead-in 1 has tables of-all", "B-cold 1 empty of-all"),
    ]
    assert [result.step for result in results] == ["A cold", "B cold"]


def test_nothing_is_left_of_a_contestant_before_the_next(tmp_path, said, monkeypatch):
    marks = []
    end_all = benchmark.end_all
    monkeypatch.setattr(benchmark, "end_all", lambda mark: (marks.append(mark), end_all(mark)))
    run(tmp_path, runs=2)
    assert len(set(marks)) == 4
    assert not [process for mark in marks for process in Watch(mark).processes()]


def test_a_contestant_with_other_gold_ends_the_benchmark(tmp_path, said, monkeypatch):
    monkeypatch.setitem(benchmark.CONTESTANTS, "B", imitation("B", said, rows=2))
    with pytest.raises(DifferentGoldError, match="B cold: 2 rows"):
        run(tmp_path, runs=2)
    assert "B-new" not in said.read_text()


@pytest.mark.parametrize(
    ("size", "settings"),
    [
        (LARGE_BYTES - 1, ["small", "small", "small", "small"]),
        (LARGE_BYTES, ["large", "large", "small", "small"]),
        (100 * LARGE_BYTES, ["large", "large", "small", "large"]),
    ],
)
def test_our_build_is_set_for_the_size_of_its_new_input(size, settings, tmp_path):
    """As the README advises, and as Ht chooses its settings: cold, second, nothing, 1 % new."""
    landing = tmp_path / "landing"
    landing.mkdir()
    with (landing / "events.jsonl").open("wb") as file:
        file.truncate(size)  # takes no space
    steps = ours(tmp_path, landing).steps
    assert [step.environment["LAKEHOUSE_SIZE"] for step in steps] == settings
