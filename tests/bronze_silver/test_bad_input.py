"""Bad input in the landing folder: one file for each kind, read in two builds.

The build must succeed with any input. Each record must end up in Silver with the right values, as a
duplicate of a Silver row, or in the rejected events, with its text and a readable reason.
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
    SILVER,
    YEAR,
    event,
)


@pytest.fixture(scope="module")
def landing(tmp_path_factory):
    """Return the landing folder."""
    return tmp_path_factory.mktemp("bad")


@pytest.fixture(scope="module")
def built(dbt, landing, module_schema):
    """Land the bad input in two parts, build after each, and return the second result."""
    land(landing, lambda name: not name.startswith(LATE))
    command = ("run", "--select", "bronze", "silver")
    first = dbt(*command, schema=module_schema, landing_path=str(landing), **AS_OF)
    assert first.success, first.text
    land(landing, lambda name: name.startswith(LATE))
    return dbt(*BUILD, schema=module_schema, landing_path=str(landing), **AS_OF)


@pytest.fixture(scope="module")
def cache():
    """Return a cache for `found`, which is made anew for each test."""
    return {}


@pytest.fixture
def found(built, read, cache, module_schema):
    """Return the Bronze record counts, Silver rows and rejected rows by source file."""
    if not built.success:
        pytest.fail("the build failed: see test_build_passes_with_any_landing_files", pytrace=False)
    if not cache:
        cache["bronze"] = Counter(
            row["source_file"] for row in read(f"{module_schema}_bronze", "bronze_car_events")
        )
        for name, table in zip(("silver", "rejected"), SILVER, strict=True):
            cache[name] = defaultdict(list)
            for row in read(f"{module_schema}_silver", table):
                cache[name][row["source_file"]].append(row)
    return cache


def test_build_passes_with_any_landing_files(built):
    assert built.success, built.text
    assert "No event was found" not in built.text
    left_alone = "4 files are left alone, of no kind that is read: "
    assert f"{left_alone}.gz (1), .txt (1), .zst (1), no ending (1)" in built.said


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
    assert "larger than 128 MiB" in row["rejection_reason"]


def test_no_record_is_lost(found):
    silver, rejected = (
        sum(len(rows) for rows in found[name].values()) for name in ("silver", "rejected")
    )
    duplicates = sum(case.duplicates for case in CASES.values()) + 1  # one version of the tie
    assert found["bronze"].total() == silver + rejected + duplicates


@pytest.mark.slow
def test_file_that_changes_is_read_again(built, landing, dbt, read, module_schema):
    def silver():
        return [
            {row[key]: row for row in read(f"{module_schema}_silver", name)} for name, key in keys
        ]

    keys = tuple(zip(SILVER, ("event_id", "raw_record"), strict=True))
    rows, rejected_rows = silver()
    corrected = event("fraction", {YEAR: 2025, COLOR: "Corrected"})
    newer = event("huge", {COLOR: "Newer"}, processing_timestamp="2025-11-05T00:00:00Z")
    (landing / "type/fraction.json").write_text(corrected)
    (landing / "number/huge.json").write_text(newer)
    (landing / "twice/rejected.jsonl").write_text(lines("x", "y"))
    # These files change only in their modification time.
    os.utime(landing / "keys/extra.json", (1, 1))
    os.utime(landing / "binary.json", (1, 1))

    result = dbt("run", schema=module_schema, landing_path=str(landing), **AS_OF)

    assert result.success, result.text
    rows_after, rejected_after = silver()
    changed = {key for key in rows_after if rows_after[key] != rows.get(key)}
    assert {key: rows_after[key]["color"] for key in changed} == {
        "fraction": "Corrected",
        "huge": "Newer",
    }
    assert set(rows_after) == {*rows, "fraction"}
    # A rejected record stays in the table after its file is corrected.
    assert rejected_after.pop("y")["rejection_reason"] == "not valid JSON"
    assert rejected_after == rejected_rows


@pytest.mark.slow
def test_nothing_to_read(dbt, read, tmp_path, schema):
    """A build succeeds when the landing folder is missing or contains no events."""
    landing = tmp_path / "landing"
    variables = {"landing_path": str(landing), **AS_OF}
    missing = dbt(*BUILD, schema=schema, **variables)
    assert read(f"{schema}_bronze", "bronze_car_events") == []
    assert [read(f"{schema}_silver", name) for name in SILVER] == [[], []]
    assert [read(f"{schema}_gold", name) for name in GOLD] == [[], [], []]
    assert f"landing.car_events: there is no {landing}; nothing is read." in missing.said
    landing.mkdir()
    (landing / "notes.txt").write_text(event("not-read"))
    without_events = dbt("run", "--select", "bronze", schema=schema, **variables)
    assert read(f"{schema}_bronze", "bronze_car_events") == []
    for result in (missing, without_events):
        assert result.success, result.text
        assert f"No event was found under landing_path '{landing}'." in result.text


@pytest.mark.slow
def test_any_spelling_of_the_landing_path_works(dbt, read, tmp_path, schema):
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
        # The first run reads both files. Later runs find the same files.
        result = dbt("run", "--select", "bronze_car_events", schema=schema, landing_path=path)
        assert result.success, result.text
        rows = read(f"{schema}_bronze", "bronze_car_events")
        assert sorted(row["source_file"] for row in rows) == ["a.json", "b.jsonl"]


@pytest.mark.slow
def test_a_landing_path_that_is_no_folder(dbt, tmp_path, schema):
    file = tmp_path / "a.json"
    file.write_text(event("a"))
    for path, told in (
        (str(file), f"{file} is a file: name the folder that it is in."),
        ("https://example.com/landing", "https://example.com/landing cannot be listed: name a "),
        ("s4://bucket/x", 'No FileSystem for scheme "s4"'),
    ):
        result = dbt("run", "--select", "bronze_car_events", schema=schema, landing_path=path)
        assert not result.success
        message = result.message["bronze_car_events"]
        assert told in message and "Traceback" not in message
