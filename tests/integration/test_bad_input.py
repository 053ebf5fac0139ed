"""What a landing folder should not hold, and does: all kinds of bad input, a file each, one build.

Whatever lies there, the build passes, and each record is found again: in Silver with the right
values, as a duplicate of a Silver row, or among the rejected, with its text and a reason that a
person understands.
"""

import json
import os
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timezone

import pytest

from tests.conftest import ROOT

STATIC = "vehicle_static_info.data"
TRIP = "trip_data.trip_summary.data"
TELEMETRY = "trip_data.vehicle_telemetry_snapshot.data"
COLOR, YEAR, MILEAGE = f"{STATIC}.color", f"{STATIC}.year", f"{TELEMETRY}.currentMileage"
VALID_UNTIL = "vehicle_dynamic_state.insurance_info.data.validUntil"

CSV_HEADER = f"event_id,carChassis,event_primary_timestamp,{COLOR},{MILEAGE}\n"


def event(event_id, changes=None, **top_level):
    """One event as JSON text; `changes` are values by dotted path, `top_level` by key."""
    made = {
        "event_id": event_id,
        "carChassis": "car",
        "event_primary_timestamp": "2025-11-04T14:30:00Z",
        **top_level,
    }
    for path, value in (changes or {}).items():
        *parents, name = path.split(".")
        place = made
        for parent in parents:
            place = place.setdefault(parent, {})
        place[name] = value
    return json.dumps(made, ensure_ascii=False)


def without(event_id, key):
    """One event as JSON text that lacks `key`."""
    return json.dumps(
        {name: value for name, value in json.loads(event(event_id)).items() if name != key}
    )


def row(event_id, color="Red", mileage="12.5"):
    """One event as a row under CSV_HEADER."""
    return f"{event_id},car,2025-11-04T14:30:00Z,{color},{mileage}\n"


@dataclass
class Case:
    """A file and what becomes of it: Silver rows, as values by event_id and column; rejected texts,
    each with words of its reason; and how many records more there are, duplicates all."""

    content: str | bytes
    silver: dict[str, dict] = field(default_factory=dict)
    rejected: dict[str, str] = field(default_factory=dict)
    duplicates: int = 0


def accepted(event_id, changes=None, **silver):
    """A file of one good event, and values of its Silver row."""
    return Case(event(event_id, changes), {event_id: silver})


def rejected(text, reason):
    """A file whose whole text is one rejected record."""
    return Case(text, rejected={text.strip(): reason})


def wrong(event_id, path, value, reason):
    """A file of one event in which the value at `path` is wrong."""
    return rejected(event(event_id, {path: value}), f"{path} {reason}")


def at(event_id, text, *utc):
    """A file of one good event of the time `text`, which is `utc`."""
    utc = datetime(*utc, tzinfo=timezone.utc)
    return Case(
        event(event_id, event_primary_timestamp=text),
        {
            event_id: {
                "event_timestamp": utc,
                "event_primary_timestamp": text,
                "event_year": utc.year,
            }
        },
    )


def not_a_time(text):
    """A file of one event whose time cannot be read."""
    return wrong(f"time {text}", "event_primary_timestamp", text, "is not an ISO 8601 timestamp")


def encoded(text, encoding, event_id):
    """A file in an encoding, of one event whose colour is not ASCII."""
    return Case(text.encode(encoding), {event_id: {"color": "Citroën"}})


def version(number, color, minute):
    """A version of one event, put together at `minute`; at an unknown time, if that is None."""
    processed = minute and f"2025-11-04T14:{minute}:00Z"
    return event(f"newest-{number}", {COLOR: color}, processing_timestamp=processed)


def lines(*texts):
    """Texts, each on a line of its own."""
    return "".join(text + "\n" for text in texts)


def nested(depth):
    """Arrays in arrays."""
    return json.loads("[" * depth + "]" * depth)


GARBAGE = b"\x00\x80\xfe\x07PK\x03\x04 \x9c\xff"
DEEP = '{"event_id": "too-deep", "extra": ' + "[" * 5000 + "]" * 5000 + "}"
LONG_NUMBER = event("long-number").replace("}", ', "extra": ' + "9" * 5000 + "}")
TWICE = event("twice", {COLOR: "Red"})

# What a name may hold, for a file that is read whole and one that is read by line.
KINDS = ("json", "jsonl")
NAMES = (
    *("with space", "per%cent", "per%2Bcent", "plus+", "#1", "{a,b}", "}", "[ab]", "[a-", "*", "?"),
    *("back\\slash", "2025-11-04T14:30:00", "ação 日本 🚗", "it's", 'a "b"', "new\nline"),
    *("a.b", "a&b=c;d", "$x", "a~b"),
)

CASES = {
    # ---- JSON that is torn, or no event
    "torn/object.json": rejected('{"event_id": "torn", "carChas', "not valid JSON"),
    "torn/array.json": Case(
        f'[{event("torn-1")},\n {event("torn-2")},\n {{"event_id": "torn-3", "carCh',
        {"torn-1": {}, "torn-2": {}},
        {'{"event_id": "torn-3", "carCh': "not valid JSON"},
    ),
    "torn/inside_array.json": Case(
        f'[{event("around-1")}, {{"event_id": }}, {event("around-2")}]',
        {"around-1": {}, "around-2": {}},
        {'{"event_id": }': "not valid JSON"},
    ),
    "torn/last_line.jsonl": Case(
        lines(event("line-1")) + event("line-2")[:40],
        {"line-1": {}},
        {event("line-2")[:40]: "not valid JSON"},
    ),
    "torn/pretty.jsonl": Case(
        '{\n "event_id": "pretty"\n}\n',
        rejected=dict.fromkeys(("{", ' "event_id": "pretty"', "}"), "not valid JSON"),
    ),
    "other/number.json": rejected("42", "not an object"),
    "other/text.json": rejected('"event"', "not an object"),
    "other/null.json": rejected("null", "not an object"),
    "other/nested_array.json": Case(
        f"[[{event('nested')}]]", rejected={f"[{event('nested')}]": "not an object"}
    ),
    "other/empty_array.json": rejected("[]", "empty array"),
    "other/in_array.json": Case(
        f"[1, null, {event('in-array')}]",
        {"in-array": {}},
        {"1": "not an object", "null": "not an object"},
    ),
    "other/empty_object.json": rejected("{}", "event_id is missing"),
    "other/words.json": rejected("Bad gateway", "not valid JSON"),
    "other/single_quotes.json": rejected(event("single").replace('"', "'"), "not valid JSON"),
    "other/schema.json": rejected('{"user": 7, "action": "click"}', "carChassis is missing"),
    "other/two_in_line.jsonl": rejected(event("two-1") + " " + event("two-2"), "not valid JSON"),
    "other/list.jsonl": rejected(f"{event('two-3')}, {event('two-4')}", "2 JSON values"),
    "other/comma.jsonl": rejected(event("comma") + ",", "not valid JSON"),
    "other/end_of_outer.jsonl": rejected(event("outer") + "]}", "not valid JSON"),
    "other/array.jsonl": rejected(f"[{event('array')}]", "not an object"),
    "other/values.json": Case(
        event("value-1") + "\n" + event("value-2"), {"value-1": {}, "value-2": {}}
    ),
    "binary.json": rejected(GARBAGE.decode("latin-1"), "not valid JSON"),
    "binary.jsonl": rejected(GARBAGE.decode("latin-1"), "not valid JSON"),
    "binary.csv": rejected(GARBAGE.decode("latin-1"), "no rows"),
    "deep.json": accepted("deep", {"extra": nested(300)}),
    "too_deep.json": Case(
        f"[{event('deep-1')}, {DEEP}, {event('deep-2')}]",
        {"deep-1": {}, "deep-2": {}},
        {DEEP: "not valid JSON"},
    ),
    # ---- keys and values
    "keys/no_id.json": rejected(without("no-id", "event_id"), "event_id is missing"),
    "keys/no_car.json": rejected(without("no-car", "carChassis"), "carChassis is missing"),
    "keys/no_time.json": rejected(
        without("no-time", "event_primary_timestamp"), "event_primary_timestamp is missing"
    ),
    "keys/null.json": wrong(None, "event_id", None, "is missing"),
    "keys/empty.json": wrong("", "event_id", "", "is missing"),
    "keys/blank.json": wrong("blank-car", "carChassis", "  ", "is missing"),
    "keys/tab.json": wrong("\t\n", "event_id", "\t\n", "is missing"),
    "keys/extra.json": accepted(
        "extra", {"extra": {"a": [1]}, "events": 1, "_corrupt_record": "x", f"{TELEMETRY}.new": 1}
    ),
    "keys/nulls.json": accepted(
        "nulls", {"trip_data": None, COLOR: None, YEAR: None}, color=None, year=None
    ),
    "type/int.json": wrong("int", YEAR, "new", "is not a whole number"),
    "type/fraction.json": wrong("fraction", YEAR, 2025.5, "is not a whole number"),
    "type/large_int.json": wrong("large-int", YEAR, 10**12, "is not a whole number"),
    "type/number.json": wrong("number", MILEAGE, "n/a", "is not a number: n/a"),
    "type/bool.json": wrong("bool", MILEAGE, True, "is not a number: true"),
    "type/object.json": wrong("object", MILEAGE, {"km": 1}, "is not a number"),
    "type/array.json": wrong("array", MILEAGE, [1], "is not a number: [1]"),
    "type/date.json": wrong("date", VALID_UNTIL, "2025-02-30", "is not a date"),
    "type/date_0.json": wrong("date-0", VALID_UNTIL, "0000-01-01", "is not a date"),
    "type/time.json": wrong("time", f"{TRIP}.tripEndTimestamp", 1730000000, "is not an ISO 8601"),
    "type/color_object.json": wrong("color-object", COLOR, {"name": "Red"}, "is not a text"),
    "type/color_array.json": wrong("color-array", COLOR, ["Red"], "is not a text"),
    "type/color_empty.json": wrong("color-empty", COLOR, {}, "is not a text"),
    "type/outer_text.json": wrong("outer-text", "trip_data", "none", "is not an object"),
    "type/outer_number.json": wrong("outer-number", TELEMETRY, 1, "is not an object"),
    "type/outer_array.json": wrong("outer-array", TRIP, [{"tripMileage": 1}], "is not an object"),
    "type/outer_in_text.json": wrong("in-text", TRIP, '{"tripMileage": 1}', "is not an object"),
    "type/several.json": rejected(
        event("several", {YEAR: "new", MILEAGE: "far"}), "whole number: new; " + MILEAGE
    ),
    "text/braces.json": accepted("{{ id }}", {COLOR: "{{ x }}"}, color="{{ x }}"),
    "text/dollar.json": accepted("${id}", {COLOR: "${y}"}, color="${y}"),
    "text/brackets.json": accepted("[id]", {COLOR: "[z]"}, color="[z]"),
    "text/json.json": accepted("json", {COLOR: '{"a": [1]}'}, color='{"a": [1]}'),
    "text/quotes.json": accepted(
        "quotes", {COLOR: "a 'b' \"c\" \\ d\n"}, color="a 'b' \"c\" \\ d\n"
    ),
    "text/number.json": accepted("text-number", {COLOR: 5}, color="5"),
    "number/texts.json": accepted(
        "texts", {YEAR: "2025", MILEAGE: "1.5e3"}, year=2025, current_mileage_km=1500.0
    ),
    "number/whole.json": accepted(
        "whole", {YEAR: 2025.0, MILEAGE: 7}, year=2025, current_mileage_km=7.0
    ),
    "number/nan.json": rejected(
        event("nan", {MILEAGE: float("nan")}), f'{MILEAGE} is not a number: "NaN"'
    ),
    "number/infinity.json": rejected(
        event("infinity", {MILEAGE: float("-inf")}), f'{MILEAGE} is not a number: "-Infinity"'
    ),
    "number/nan_text.json": wrong("nan-text", MILEAGE, "NaN", "is not a number: NaN"),
    "number/1e400.json": rejected(
        event("1e400", {MILEAGE: 400}).replace("400}", "1e400}"), 'is not a number: "Infinity"'
    ),
    "number/huge.json": accepted("huge", {MILEAGE: 10**20}, current_mileage_km=1e20),
    "number/sum.json": accepted("sum", {f"{TRIP}.tripMileage": 1e300}, trip_distance_km=1e300),
    "number/long.json": Case(
        f"[{event('long-1')}, {LONG_NUMBER}, {event('long-2')}]",
        {"long-1": {}, "long-2": {}},
        {LONG_NUMBER: "not valid JSON"},
    ),
    # ---- times
    "time/offset.json": at("offset", "2025-11-04T14:30:00.25+05:30", 2025, 11, 4, 9, 0, 0, 250000),
    "time/small.json": at("small", "2025-11-04t23:30z", 2025, 11, 4, 23, 30),
    "time/next_day.json": at("next-day", "2025-12-31T23:30:00-0300", 2026, 1, 1, 2, 30),
    "time/year_1.json": at("year-1", "0001-01-01T00:00:00Z", 1, 1, 1),
    "time/year_9999.json": at("year-9999", "9999-12-31T23:59:59Z", 9999, 12, 31, 23, 59, 59),
    "time/year_0.json": not_a_time("0001-01-01T00:00:00+01:00"),
    "time/year_10000.json": not_a_time("10000-01-01T00:00:00Z"),
    "time/into_10000.json": not_a_time("9999-12-31T23:59:59-01:00"),
    "time/no_zone.json": not_a_time("2025-11-04T14:30:00"),
    "time/only_day.json": not_a_time("2025-11-04"),
    "time/no_such_day.json": not_a_time("2025-02-30T14:30:00Z"),
    "time/no_such_hour.json": not_a_time("2025-11-04T25:30:00Z"),
    "time/no_such_zone.json": not_a_time("2025-11-04T14:30:00+25:00"),
    "time/words.json": not_a_time("yesterday"),
    "time/number.json": not_a_time(1762266600),
    # ---- encodings
    "text/bom.json": encoded(event("bom-json", {COLOR: "Citroën"}), "utf-8-sig", "bom-json"),
    "text/bom.jsonl": Case(
        "\ufeff".join(("", lines(event("bom-1", {COLOR: "Citroën"})), lines(event("bom-2")))),
        {"bom-1": {"color": "Citroën"}, "bom-2": {}},
    ),
    "text/bom.csv": encoded(CSV_HEADER + row("bom-csv", "Citroën"), "utf-8-sig", "bom-csv"),
    "text/utf_16.json": encoded(event("utf-16", {COLOR: "Citroën"}), "utf-16", "utf-16"),
    "text/latin_1.json": encoded(event("latin-json", {COLOR: "Citroën"}), "latin-1", "latin-json"),
    "text/latin_1.jsonl": encoded(event("latin-l", {COLOR: "Citroën"}), "latin-1", "latin-l"),
    "text/latin_1.csv": encoded(CSV_HEADER + row("latin-csv", "Citroën"), "latin-1", "latin-csv"),
    # ---- nothing, and too much
    **{
        f"empty/{name}": Case("", rejected={"": "the file is empty"})
        for name in ("file.json", "file.jsonl", "file.ndjson", "file.csv", "a+b %20 é[1].json")
    },
    "empty/one_line.jsonl": Case("\n"),
    "empty/blank.json": Case(" \n\t\n", rejected={" \n\t\n": "empty"}),
    "empty/blank_lines.jsonl": Case(
        "\n" + event("between") + "\n \n\t\r\n\n" + event("blanks") + "\n",
        {"between": {}, "blanks": {}},
    ),
    # ---- CSV
    "csv/only_header.csv": rejected(CSV_HEADER, "no rows"),
    "csv/windows.csv": Case(
        (CSV_HEADER + "\n" + row("crlf") + "\n").replace("\n", "\r\n"),
        {"crlf": {"color": "Red", "current_mileage_km": 12.5}},
    ),
    "csv/empty_cells.csv": Case(
        CSV_HEADER + row("cells", "", ""), {"cells": {"color": None, "current_mileage_km": None}}
    ),
    "csv/no_column.csv": Case(
        "event_id,event_primary_timestamp\nx,2025-11-04T14:30:00Z\n",
        rejected={"x,2025-11-04T14:30:00Z": "carChassis is missing"},
    ),
    "csv/semicolons.csv": Case(
        CSV_HEADER.replace(",", ";") + row("semicolon").replace(",", ";"),
        rejected={row("semicolon").strip().replace(",", ";"): "event_id is missing"},
    ),
    "csv/wrong_type.csv": Case(
        CSV_HEADER + row("csv-1") + row("csv-2", mileage="far"),
        {"csv-1": {}},
        {row("csv-2", mileage="far").strip(): f"{MILEAGE} is not a number: far"},
    ),
    "csv/many_fields.csv": Case(
        CSV_HEADER + row("many-1", mileage="1,x") + row("many-2"),
        {"many-2": {}},
        {row("many-1", mileage="1,x").strip(): "6 fields, and the header has 5"},
    ),
    "csv/few_fields.csv": Case(
        CSV_HEADER + row("few-1") + "few-2,car,2025-11-04T14:30:00Z\n",
        {"few-1": {}},
        {"few-2,car,2025-11-04T14:30:00Z": "3 fields, and the header has 5"},
    ),
    "csv/torn_quote.csv": Case(
        CSV_HEADER + row("quote-1") + row("quote-2", '"Re') + row("quote-3"),
        {"quote-1": {}},
        {(row("quote-2", '"Re') + row("quote-3")).strip(): "not CSV"},
    ),
    "csv/text_after_quote.csv": Case(
        CSV_HEADER + row("after-1", '"Re"d') + row("after-2"),
        {"after-2": {}},
        {row("after-1", '"Re"d').strip(): "not CSV"},
    ),
    "csv/quoted.csv": Case(
        CSV_HEADER + row("quoted", '"Red,\n""dark"""'), {"quoted": {"color": 'Red,\n"dark"'}}
    ),
    # ---- the same more than once
    "twice/a.json": Case(f"[{TWICE}, {TWICE}]", {"twice": {"color": "Red"}}, duplicates=1),
    "twice/b.jsonl": Case(lines(TWICE), duplicates=1),
    "twice/c.csv": Case(CSV_HEADER + row("twice", mileage=""), duplicates=1),
    "twice/rejected.jsonl": Case(lines("x", "x"), rejected={"x": "not valid JSON"}, duplicates=1),
    "newest/a_unknown.json": Case(version("1", "Unknown", None), duplicates=1),
    "newest/b_new.json": Case(version("1", "New", 32), {"newest-1": {"color": "New"}}),
    "newest/c_old.jsonl": Case(lines(version("1", "Old", 31)), duplicates=1),
    "newest/d_new.json": Case(version("2", "New", 32), {"newest-2": {"color": "New"}}),
    "newest/e_old.json": Case(version("2", "Old", 31), duplicates=1),
    # ---- names
    **{f"names/{name}.{kind}": accepted(f"{name} {kind}") for name in NAMES for kind in KINDS},
    "UPPER.JSON": accepted("upper-json"),
    "UPPER.JSONL": accepted("upper-jsonl"),
    "UPPER.CSV": Case(CSV_HEADER + row("upper-csv"), {"upper-csv": {}}),
    "year=2025/month=11/part.jsonl": accepted("sub-folder-1"),
    "day=4/part.jsonl": accepted("sub-folder-2"),
    "a.json/b.csv/c.json": accepted("sub-folder-3"),
    # ---- files of another kind, which are left alone
    **{
        name: Case(event("not-read"))
        for name in ("a.txt", "json", "a.json.gz", "_a.json", ".a.json")
    },
}


# Two versions of an event that differ in nothing but what they hold: which wins is left to Silver.
TIE = {f"tie/{color}.json": event("tie", {COLOR: color}) for color in ("Blue", "Red")}
# A byte more than is read whole; on disk it is a hole, which takes no room.
LARGE = "large.json"
LARGE_BYTES = 256 * 1024 * 1024 + 1
# What comes with the second build, where the files land in two lots: versions new and old.
LATE = ("csv/", "torn/", "tie/Blue", "twice/a", "newest/a", "newest/c", "newest/d", LARGE)


def land(folder, names=lambda name: True):
    """Write the bad input into `folder`, or those files of it whose names `names` is true for."""
    contents = {name: case.content for name, case in CASES.items()} | TIE | {LARGE: ""}
    for name in filter(names, contents):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        content = contents[name]
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        if name == LARGE:
            os.truncate(file, LARGE_BYTES)


# The unit tests say nothing about what lands.
BUILD = ("build", "--exclude-resource-type", "unit_test")
AS_OF = {"as_of_date": "2026-01-15"}
GOLD = ("gold_car_current_state", "gold_fuel_efficiency_monthly", "gold_performance_alerts")
SILVER = ("silver_car_telemetry", "silver_rejected_events")
RUN_TIMES = ("gold_processing_timestamp", "processing_timestamp", "alert_generated_timestamp")


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


def without_columns(rows, *names):
    """Rows without some columns, in an order that does not depend on those."""
    kept = [{name: value for name, value in row.items() if name not in names} for row in rows]
    return sorted(kept, key=str)


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
