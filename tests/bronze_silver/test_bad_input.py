"""What a landing folder should not hold, and does: all kinds of bad input, a file each, one build.

Whatever lies there, the build passes, and each record is found again: in Silver with the right
values, as a duplicate of a Silver row, or among the rejected, with its text and a reason that a
person understands.
"""

import os
from collections import Counter, defaultdict

import pytest

from tests.support.bad_input import CASES, LARGE, LATE, land, lines
from tests.support.dbt_runner import ROOT
from tests.support.events import (
    AS_OF,
    BUILD,
    COLOR,
    GOLD,
    RUN_TIMES,
    SILVER,
    YEAR,
    event,
    without_columns,
)


@pytest.fixture(scope="module")
def landing(tmp_path_factory):
    """All the bad input in one folder."""
    folder = tmp_path_factory.mktemp("bad")
    land(folder)
    return folder


@pytest.fixture(scope="module")
def built(dbt, landing):
    """The first build of all the bad input."""
    return dbt(*BUILD, schema="bad", landing_path=str(landing), **AS_OF)


@pytest.fixture(scope="module")
def cache():
    """What `found` holds, read once: its `read` lives no longer than a test."""
    return {}


@pytest.fixture
def found(built, read, cache):
    """Of each landing file: its number of Bronze records, its Silver rows, its rejected texts."""
    if not built.success:
        pytest.fail("the build failed: see test_build_passes_whatever_lands", pytrace=False)
    if not cache:
        cache["bronze"] = Counter(
            row["source_file"] for row in read("bad_bronze", "bronze_car_events")
        )
        for name, table in zip(("silver", "rejected"), SILVER, strict=True):
            cache[name] = defaultdict(list)
            for row in read("bad_silver", table):
                cache[name][row["source_file"]].append(row)
    return cache


def test_build_passes_whatever_lands(built):
    assert built.success, built.text
    assert "No event was found" not in built.text


@pytest.mark.parametrize("name", CASES)
def test_record_is_in_silver_or_rejected(found, name):
    case = CASES[name]
    rows = {row["event_id"]: row for row in found["silver"][name]}
    reasons = {row["raw_record"]: row["rejection_reason"] for row in found["rejected"][name]}

    expected = {(key, *value) for key, values in case.silver.items() for value in values.items()}
    assert set(rows) == set(case.silver)
    assert {(key, column, rows[key][column]) for key, column, _ in expected} == expected
    assert set(reasons) == set(case.rejected)
    for text, words in case.rejected.items():
        assert words in reasons[text]
    assert found["bronze"][name] == len(rows) + len(reasons) + case.duplicates


def test_file_too_large_to_be_read_whole_is_rejected(found):
    (row,) = found["rejected"][LARGE]
    assert "larger than 256 MiB" in row["rejection_reason"]


def test_no_record_is_lost(found):
    silver, rejected = (
        sum(len(rows) for rows in found[name].values()) for name in ("silver", "rejected")
    )
    duplicates = sum(case.duplicates for case in CASES.values()) + 1  # one of the tie
    assert found["bronze"].total() == silver + rejected + duplicates


def test_second_build_changes_nothing(built, dbt, read, landing):
    def tables():
        gold = {name: without_columns(read("bad_gold", name), *RUN_TIMES) for name in GOLD}
        others = [("bad_bronze", "bronze_car_events")] + [("bad_silver", name) for name in SILVER]
        return gold | {name: without_columns(read(schema, name)) for schema, name in others}

    before = tables()
    result = dbt("run", schema="bad", landing_path=str(landing), **AS_OF)
    assert result.success, result.text
    assert tables() == before


@pytest.fixture(scope="module")
def landed_late(dbt, tmp_path_factory):
    """The same input in two lots and builds, and the folder that it lies in."""
    folder = tmp_path_factory.mktemp("late")
    for command, is_late in ((("run", "--select", "bronze", "silver"), False), (BUILD, True)):
        land(folder, lambda name, is_late=is_late: name.startswith(LATE) == is_late)
        result = dbt(*command, schema="late", landing_path=str(folder), **AS_OF)
        assert result.success, result.text
    return folder


def test_order_of_arrival_does_not_matter(built, landed_late, read):
    for table in SILVER:
        at_once, late = (
            without_columns(read(f"{schema}_silver", table), "ingested_at")
            for schema in ("bad", "late")
        )
        assert late == at_once


def test_file_that_changes_is_read_again(landed_late, dbt, read):
    def silver():
        return [{row[key]: row for row in read("late_silver", name)} for name, key in keys]

    keys = tuple(zip(SILVER, ("event_id", "raw_record"), strict=True))
    rows, rejected_rows = silver()
    corrected = event("fraction", {YEAR: 2025, COLOR: "Corrected"})
    newer = event("huge", {COLOR: "Newer"}, processing_timestamp="2025-11-05T00:00:00Z")
    (landed_late / "type/fraction.json").write_text(corrected)
    (landed_late / "number/huge.json").write_text(newer)
    (landed_late / "twice/rejected.jsonl").write_text(lines("x", "y"))
    # Nothing in it is new but its time.
    os.utime(landed_late / "keys/extra.json", (1, 1))
    os.utime(landed_late / "binary.json", (1, 1))

    result = dbt(*BUILD, schema="late", landing_path=str(landed_late), **AS_OF)

    assert result.success, result.text
    rows_after, rejected_after = silver()
    changed = {key for key in rows_after if rows_after[key] != rows.get(key)}
    assert {key: rows_after[key]["color"] for key in changed} == {
        "fraction": "Corrected",
        "huge": "Newer",
    }
    assert set(rows_after) == {*rows, "fraction"}
    # What was once rejected stays on record.
    assert rejected_after.pop("y")["rejection_reason"] == "not valid JSON"
    assert rejected_after == rejected_rows


def test_nothing_to_read(dbt, read, tmp_path):
    landing = tmp_path / "landing"
    for is_there in (False, True):
        if is_there:
            landing.mkdir()
            (landing / "notes.txt").write_text(event("not-read"))
        result = dbt(*BUILD, schema="nothing", landing_path=str(landing), **AS_OF)
        assert result.success, result.text
        assert f"No event was found under landing_path '{landing}'." in result.text
        assert read("nothing_bronze", "bronze_car_events") == []
        assert [read("nothing_silver", name) for name in SILVER] == [[], []]
        assert [read("nothing_gold", name) for name in GOLD] == [[], [], []]


def test_landing_path_may_be_spelled_in_any_way(dbt, read, tmp_path):
    landing = tmp_path / "a [new] landing: 100% full"
    landing.mkdir()
    (landing / "a.json").write_text(event("a"))
    (landing / "b.jsonl").write_text(event("b"))
    relative = os.path.relpath(landing, ROOT)
    for path in (
        relative,
        f"{landing}/",
        f"{landing.parent}/./{landing.name}",
        f"file://{landing}",
    ):
        # The first run reads both files; the others see that they are the same.
        result = dbt("run", "--select", "bronze_car_events", schema="spelled", landing_path=path)
        assert result.success, result.text
        rows = read("spelled_bronze", "bronze_car_events")
        assert sorted(row["source_file"] for row in rows) == ["a.json", "b.jsonl"]
