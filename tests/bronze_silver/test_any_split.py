"""Records may be late, repeated, or split into files and builds: the tables are the same.

One set of records lands in any number of builds, in any order and any number of times; files are
replaced by later ones of the same name, or come again as they are; builds break off. Silver and
Gold then hold, value by value, what one build of all the records gives.
"""

import io
import json
import os
import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import hypothesis
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from python_jobs.generate_landing import WRITERS, feed, parse_args
from tests.support.events import (
    AS_OF,
    COLOR,
    GOLD,
    MILEAGE,
    RUN_TIMES,
    SILVER,
    TELEMETRY,
    TRIP,
    event,
    without_columns,
)
from tests.support.published import BUILD_TABLES

# ---- the records


def generated(form):
    """Records of a small fleet, with duplicates and corrupt ones, as lines of a file."""
    options = "--events 24 --cars 3 --seed 7 --duplicates 0.25 --corrupt 0.2 --out unused"
    text = io.StringIO()
    WRITERS[form](text, feed(parse_args([*options.split(), "--format", form]), Counter()))
    return text.getvalue().splitlines()


def at(minute, event_id, color=None, **top_level):
    """A version of an event that was put together at `minute`."""
    time = f"2025-11-04T14:{minute}:00Z"
    return event(event_id, {COLOR: color}, processing_timestamp=time, **top_level)


# Zeros that are equal, and are not written alike.
TIRE = f"{TELEMETRY}.tire_pressures_psi.front_left"
ZEROS = [event("zero", {TIRE: zero}) for zero in (0.0, -0.0)]
# Of one car and month; in doubles, their sum depends on the order.
TRIPS = [event(f"trip of {km} km", {f"{TRIP}.tripMileage": km}) for km in (1e30, 1.5, -1e30)]
CONFLICTS = [
    # The same times: what they hold decides.
    *(at(31, "tie", color) for color in ("Red", "Blue", None)),
    # Put together later, or nobody knows when.
    *(at(minute, "newest", f"of minute {minute}") for minute in (31, 33, 32)),
    event("newest", {COLOR: "of an unknown minute"}),
    # What happened later is in another month and of another car.
    at(32, "moved", event_primary_timestamp="2025-11-30T23:59:59Z"),
    at(31, "moved", event_primary_timestamp="2025-12-01T00:00:00Z", carChassis="other car"),
    # One moment, spelled in two ways.
    at(31, "spelled", event_primary_timestamp="2025-11-04T12:00:00Z"),
    at(31, "spelled", event_primary_timestamp="2025-11-04T09:00:00-03:00"),
    # The newest version cannot be read.
    event("spoilt", {MILEAGE: 5}),
    event("spoilt", {MILEAGE: "n/a"}, processing_timestamp="2025-11-05T00:00:00Z"),
    *ZEROS,
    *TRIPS,
]


def is_object(text):
    """Is it a JSON object?"""
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


CSV_HEADER, *ROWS = generated("csv")
TEXTS = [*generated("jsonl"), *CONFLICTS]
RECORDS = list(dict.fromkeys([*TEXTS, *ROWS]))


def files_for(text):
    """The files that a record may come in: only among lines is broken JSON of one's own."""
    if text in ROWS:
        return ["table.csv", "day=2/table.csv"]
    return ["lines.jsonl", "day=2/lines.ndjson", *["array.json"] * is_object(text)]


FILES = list(map(files_for, RECORDS))


def land(folder, files):
    """Write files, given as numbers of records by name; those of the same name are replaced."""
    for name, numbers in files.items():
        records = [RECORDS[number] for number in numbers]
        if name.endswith(".json"):
            text = f"[{', '.join(records)}]"
        else:
            text = "\n".join([CSV_HEADER, *records] if name.endswith(".csv") else records)
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


# ---- their splits

# How far a build comes that breaks off.
BRONZE = ("bronze_car_events",)
STAGED = (*BRONZE, "stg_car_events")
BREAKS = (BRONZE, STAGED, (*STAGED, SILVER[0]), (*STAGED, SILVER[1]))
WHOLE = ("bronze", "silver", "gold")
# Gold is as of one of these days before it is as of the last.
DAYS = (AS_OF["as_of_date"], "2025-11-01")


@dataclass
class Build:
    """One build: the models that it runs, and the files that land before it."""

    models: tuple[str, ...] = WHOLE
    # Do the files that are there get a new time, and stay as they are?
    touch: bool = False
    # The day that Gold is as of.
    as_of: str = DAYS[0]
    files: dict[str, list[int]] = field(default_factory=dict)

    def add(self, number, file=0):
        """Let a record come in one of the files that it may come in."""
        name = FILES[number][file % len(FILES[number])]
        self.files.setdefault(name, []).append(number)


def in_turn(*lots):
    """A split in which these lots of records land one after the other, and then all others."""
    rest = [text for text in RECORDS if not any(text in lot for lot in lots)]
    builds = []
    for lot in (*lots, rest):
        builds.append(Build())
        for text in lot:
            builds[-1].add(RECORDS.index(text))
    return builds


def hard_split():
    """Three builds: of what once made a difference, one that breaks off, and all over again."""
    # Which of two equal zeros is first, and what a sum begins with.
    builds = in_turn([ZEROS[1], TRIPS[1]], TEXTS[::2])
    builds[0].as_of = DAYS[1]
    builds[1].models = STAGED
    for build in builds[1:]:
        build.touch = True
    for position, text in enumerate(TEXTS[::4]):
        builds[-1].add(RECORDS.index(text), file=1 + position % 2)
    return builds


@st.composite
def splits(draw):
    """Any split: builds in which each record comes once at least."""
    every = range(len(RECORDS))
    numbers = draw(st.permutations([*every, *draw(st.lists(st.sampled_from(every), max_size=40))]))
    builds = [
        Build(
            draw(st.sampled_from((WHOLE, WHOLE, *BREAKS))),
            draw(st.booleans()),
            draw(st.sampled_from(DAYS)),
        )
        for _ in range(draw(st.integers(2, 4)))
    ]
    places = st.tuples(st.integers(0, 3), st.integers(0, 2))
    drawn = draw(st.lists(places, min_size=len(numbers), max_size=len(numbers)))
    for position, (number, (build, file)) in enumerate(zip(numbers, drawn, strict=True)):
        # The simplest split, the first to be tried, alternates rather than that it is no split.
        builds[(position + build) % len(builds)].add(number, position + file)
    return builds


# ---- the test

MODELS = {
    "bronze": ("bronze_car_events",),
    "silver": ("stg_car_events", *SILVER),
    "gold": GOLD,
}


def silver_and_gold(read, schema):
    """What is in Silver and Gold, by table; as text, so that -0.0 is not 0.0, and NaN is NaN."""
    events = without_columns(read(f"{schema}_silver", SILVER[0]), "source_file", "ingested_at")
    found = {name: without_columns(read(f"{schema}_gold", name), *RUN_TIMES) for name in GOLD}
    return {name: list(map(str, rows)) for name, rows in {**found, SILVER[0]: events}.items()}


def reasons(read, schema):
    """Of each rejected text: what it is rejected for."""
    rows = read(f"{schema}_silver", SILVER[1])
    return {
        row["raw_record"]: (row["event_id"], row["car_chassis"], row["rejection_reason"])
        for row in rows
    }


def places(read, schema):
    """The file and text of each row of the rejected."""
    rows = read(f"{schema}_silver", SILVER[1])
    return Counter((row["source_file"], row["raw_record"]) for row in rows)


@pytest.fixture(scope="module")
def at_once(dbt, tmp_path_factory, module_schema):
    """One build of all the records, each in one file: its schema."""
    folder = tmp_path_factory.mktemp("at_once")
    land(folder, in_turn()[0].files)
    schema = f"{module_schema}_at_once"
    result = dbt(*BUILD_TABLES, schema=schema, landing_path=str(folder), **AS_OF)
    assert result.success, result.text
    return schema


@pytest.fixture(scope="module")
def folder(dbt, tmp_path_factory, module_schema):
    """The landing folder of the splits. It is one for all: dbt would parse anew for another."""
    folder = tmp_path_factory.mktemp("split")
    result = dbt("seed", schema=module_schema, landing_path=str(folder), **AS_OF)
    assert result.success, result.text
    return folder


@pytest.fixture(scope="module")
def check(at_once, dbt, spark, folder, module_schema):
    """A function that runs the builds of a split and compares: `check(split, read)`."""

    def run(split, read):
        build(split, dbt, spark, folder, module_schema)
        compare(split, read, module_schema, at_once)

    return run


def build(split, dbt, spark, folder, schema):
    """Run the builds of a split in a lakehouse without tables."""
    for layer, names in MODELS.items():
        for name in names:
            spark.sql(f"drop table if exists {schema}_{layer}.{name}")
    shutil.rmtree(folder)
    folder.mkdir()
    for step in split:
        if step.touch:
            for file in filter(Path.is_file, folder.rglob("*")):
                os.utime(file)
        land(folder, step.files)
        models = MODELS if step is split[-1] else step.models
        day = AS_OF if step is split[-1] else {"as_of_date": step.as_of}
        result = dbt("run", "--select", *models, schema=schema, landing_path=str(folder), **day)
        assert result.success, result.text


def compare(split, read, schema, at_once):
    """Hold what the builds of a split ended in against one build of all records."""
    expected = silver_and_gold(read, at_once)
    for name, rows in silver_and_gold(read, schema).items():
        assert rows == expected[name]
    why = reasons(read, at_once)
    assert reasons(read, schema) == why
    landed = {
        (name, RECORDS[number])
        for build in split
        for name, numbers in build.files.items()
        for number in numbers
    }
    assert places(read, schema) == Counter(place for place in landed if place[1] in why)


# Hypothesis takes this for a unit test: slow, and with fixtures that one should not share.
BASE = settings(database=None, deadline=None, suppress_health_check=list(HealthCheck))


def test_a_hard_split_ends_in_the_same_tables(check, read):
    check(hard_split(), read)


@pytest.mark.full
def test_any_split_ends_in_the_same_tables(check, read, seed):
    @hypothesis.seed(seed)
    @settings(BASE, max_examples=30)
    @given(splits())
    def many(split):
        check(split, read)

    many()
