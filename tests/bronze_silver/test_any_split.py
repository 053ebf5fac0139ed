"""The result does not depend on how records are split into files and builds.

The same records land in any number of builds, in any order, and any number of times. Files are
overwritten, or land again unchanged, and some builds stop halfway. Silver and Gold must then equal,
value by value, the result of one build of all records.
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
    """Return lines of a generated file for a small fleet, with duplicate and corrupt records."""
    options = "--events 24 --cars 3 --seed 7 --duplicates 0.25 --corrupt 0.2 --out unused"
    text = io.StringIO()
    WRITERS[form](text, feed(parse_args([*options.split(), "--format", form]), Counter()))
    return text.getvalue().splitlines()


def at(minute, event_id, color=None, **top_level):
    """Return a version of an event that was processed at `minute`."""
    time = f"2025-11-04T14:{minute}:00Z"
    return event(event_id, {COLOR: color}, processing_timestamp=time, **top_level)


# Zeros that compare equal but are written differently.
TIRE = f"{TELEMETRY}.tire_pressures_psi.front_left"
ZEROS = [event("zero", {TIRE: zero}) for zero in (0.0, -0.0)]
# Trips of one car in one month. Summed as doubles, the total depends on the order.
TRIPS = [event(f"trip of {km} km", {f"{TRIP}.tripMileage": km}) for km in (1e30, 1.5, -1e30)]
CONFLICTS = [
    # Versions with the same times: their content breaks the tie.
    *(at(31, "tie", color) for color in ("Red", "Blue", None)),
    # Versions with a later, or an unknown, processing time.
    *(at(minute, "newest", f"of minute {minute}") for minute in (31, 33, 32)),
    event("newest", {COLOR: "of an unknown minute"}),
    # The later version of the event is in another month and belongs to another car.
    at(32, "moved", event_primary_timestamp="2025-11-30T23:59:59Z"),
    at(31, "moved", event_primary_timestamp="2025-12-01T00:00:00Z", carChassis="other car"),
    # One moment, written in two time zones.
    at(31, "spelled", event_primary_timestamp="2025-11-04T12:00:00Z"),
    at(31, "spelled", event_primary_timestamp="2025-11-04T09:00:00-03:00"),
    # The newest version cannot be parsed.
    event("spoilt", {MILEAGE: 5}),
    event("spoilt", {MILEAGE: "n/a"}, processing_timestamp="2025-11-05T00:00:00Z"),
    *ZEROS,
    *TRIPS,
]


def is_object(text):
    """Return whether the text is a JSON object."""
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


CSV_HEADER, *ROWS = generated("csv")
TEXTS = [*generated("jsonl"), *CONFLICTS]
RECORDS = list(dict.fromkeys([*TEXTS, *ROWS]))


def files_for(text):
    """Return the files that a record can land in. Broken JSON fits only in a file of lines."""
    if text in ROWS:
        return ["table.csv", "day=2/table.csv"]
    return ["lines.jsonl", "day=2/lines.ndjson", *["array.json"] * is_object(text)]


FILES = list(map(files_for, RECORDS))


def land(folder, files):
    """Write `files`, a dict from file name to record numbers, and overwrite existing files."""
    for name, numbers in files.items():
        records = [RECORDS[number] for number in numbers]
        if name.endswith(".json"):
            text = f"[{', '.join(records)}]"
        else:
            text = "\n".join([CSV_HEADER, *records] if name.endswith(".csv") else records)
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


# ---- the splits

# The models that run before a build stops.
BRONZE = ("bronze_car_events",)
STAGED = (*BRONZE, "stg_car_events")
BREAKS = (BRONZE, STAGED, (*STAGED, SILVER[0]), (*STAGED, SILVER[1]))
WHOLE = ("bronze", "silver", "gold")
# Earlier builds use either day. The last build uses the first one.
DAYS = (AS_OF["as_of_date"], "2025-11-01")


@dataclass
class Build:
    """One build: the models that it runs, and the files that land before it."""

    models: tuple[str, ...] = WHOLE
    # Whether files that already landed get a new modification time, with the same content.
    touch: bool = False
    # The `as_of_date` of Gold.
    as_of: str = DAYS[0]
    files: dict[str, list[int]] = field(default_factory=dict)

    def add(self, number, file=0):
        """Add a record to one of the files that it can land in."""
        name = FILES[number][file % len(FILES[number])]
        self.files.setdefault(name, []).append(number)


def in_turn(*lots):
    """Return a split in which each lot lands in its own build, and the other records last."""
    rest = [text for text in RECORDS if not any(text in lot for lot in lots)]
    builds = []
    for lot in (*lots, rest):
        builds.append(Build())
        for text in lot:
            builds[-1].add(RECORDS.index(text))
    return builds


def hard_split():
    """Return three builds: known hard cases, one that stops early, and a repeat of old records."""
    # The order decides which of two equal zeros comes first, and where a sum starts.
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
    """Draw a list of builds in which each record lands at least once."""
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
        # Hypothesis tries the simplest split first: it alternates between the builds.
        builds[(position + build) % len(builds)].add(number, position + file)
    return builds


# ---- the test

MODELS = {
    "bronze": ("bronze_car_events",),
    "silver": ("stg_car_events", *SILVER),
    "gold": GOLD,
}


def silver_and_gold(read, schema):
    """Return the rows of Silver and Gold by table, as text: -0.0 differs from 0.0, NaN is NaN."""
    events = without_columns(read(f"{schema}_silver", SILVER[0]), "source_file", "ingested_at")
    found = {name: without_columns(read(f"{schema}_gold", name), *RUN_TIMES) for name in GOLD}
    return {name: list(map(str, rows)) for name, rows in {**found, SILVER[0]: events}.items()}


def reasons(read, schema):
    """Return the event ID, car and rejection reason of each rejected text."""
    rows = read(f"{schema}_silver", SILVER[1])
    return {
        row["raw_record"]: (row["event_id"], row["car_chassis"], row["rejection_reason"])
        for row in rows
    }


def places(read, schema):
    """Count the rejected rows by source file and text."""
    rows = read(f"{schema}_silver", SILVER[1])
    return Counter((row["source_file"], row["raw_record"]) for row in rows)


@pytest.fixture(scope="module")
def at_once(dbt, tmp_path_factory, module_schema):
    """Build all records at once, each in one file, and return the schema."""
    folder = tmp_path_factory.mktemp("at_once")
    land(folder, in_turn()[0].files)
    schema = f"{module_schema}_at_once"
    result = dbt(*BUILD_TABLES, schema=schema, landing_path=str(folder), **AS_OF)
    assert result.success, result.text
    return schema


@pytest.fixture(scope="module")
def folder(dbt, tmp_path_factory, module_schema):
    """Return the landing folder. All splits share it: a new path makes dbt parse again."""
    folder = tmp_path_factory.mktemp("split")
    result = dbt("seed", schema=module_schema, landing_path=str(folder), **AS_OF)
    assert result.success, result.text
    return folder


@pytest.fixture(scope="module")
def check(at_once, dbt, spark, folder, module_schema):
    """Return a function that runs the builds of a split and compares the result."""

    def run(split, read):
        build(split, dbt, spark, folder, module_schema)
        compare(split, read, module_schema, at_once)

    return run


def build(split, dbt, spark, folder, schema):
    """Drop the tables, then run the builds of a split."""
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
    """Compare the result of a split with one build of all records."""
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


# These are long integration tests with shared fixtures, which Hypothesis warns about.
BASE = settings(database=None, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.slow
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
