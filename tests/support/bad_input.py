"""Landing files with all kinds of bad input, and the expected result for each file."""

import bz2
import gzip
import json
import os
from dataclasses import dataclass, field
from datetime import datetime, timezone

from tests.support.events import COLOR, MILEAGE, STATIC, TELEMETRY, TRIP, VALID_UNTIL, YEAR, event

CSV_HEADER = f"event_id,carChassis,event_primary_timestamp,{COLOR},{MILEAGE}\n"


def without(event_id, key):
    """Return an event as JSON without `key`."""
    return json.dumps(
        {name: value for name, value in json.loads(event(event_id)).items() if name != key}
    )


def row(event_id, color="Red", mileage="12.5"):
    """Return an event as a CSV row for CSV_HEADER."""
    return f"{event_id},car,2025-11-04T14:30:00Z,{color},{mileage}\n"


@dataclass
class Case:
    """A landing file and its expected result.

    Attributes:
        content: The file's content.
        silver: The expected values in Silver by event_id and column.
        rejected: The rejected texts, each with a part of its reason.
        duplicates: The number of further records, all of them duplicates.
    """

    content: str | bytes
    silver: dict[str, dict] = field(default_factory=dict)
    rejected: dict[str, str] = field(default_factory=dict)
    duplicates: int = 0


def accepted(event_id, changes=None, **silver):
    """Return a file with one valid event, and values of its Silver row."""
    return Case(event(event_id, changes), {event_id: silver})


def rejected(text, reason):
    """Return a file whose whole text is one rejected record."""
    return Case(text, rejected={text.strip(): reason})


def wrong(event_id, path, value, reason):
    """Return a file with one event whose value at `path` is wrong."""
    return rejected(event(event_id, {path: value}), f"{path} {reason}")


def at(event_id, text, *utc):
    """Return a file with one valid event whose time `text` is parsed to `utc`."""
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
    """Return a file with one event whose time cannot be parsed."""
    return wrong(
        f"time {text}", "event_primary_timestamp", text, "cannot be read as a timestamp like"
    )


def encoded(text, encoding, event_id):
    """Return a file in an encoding, with one event whose colour is not ASCII."""
    return Case(text.encode(encoding), {event_id: {"color": "Citroën"}})


def shown(text):
    """Replace `@` with a byte that is invalid in UTF-8. Return the bytes and the text shown."""
    content = text.encode().replace(b"@", b"\xfc")
    return content, content.decode("latin-1")


def not_utf_8(name, *good):
    """Return a file with two valid events, and between them one that is invalid UTF-8."""
    around = [event(key, {COLOR: "Citroën"}) for key in good]
    bad, told = shown(event(f"bad {name}", {COLOR: "Citroën Gr@n"}))
    before, after = (text.encode() for text in around)
    content = b"[%b, %b,\n%b]" if name.endswith(".json") else b"%b\n%b\r\n%b"
    silver = {key: {"color": "Citroën"} for key in good}
    return Case(content % (before, bad, after), silver, {told: "not UTF-8"})


def sent(event_id, color):
    """Return a file with one event whose id and colour are JSON numbers instead of strings.

    The text columns keep each number as it is written.
    """
    text = event("@id", {COLOR: "@color"}).replace('"@id"', event_id).replace('"@color"', color)
    return Case(text, {event_id: {"color": color}})


def version(number, color, minute):
    """Return a version of an event, processed at `minute`, or without that time if it is None."""
    processed = minute and f"2025-11-04T14:{minute}:00Z"
    return event(f"newest-{number}", {COLOR: color}, processing_timestamp=processed)


def lines(*texts):
    """Return the texts, one per line."""
    return "".join(text + "\n" for text in texts)


def nested(depth):
    """Return nested arrays of that depth."""
    return json.loads("[" * depth + "]" * depth)


TWO_KEYS = '{"event_id": "keys", "event_id": "keys-2", "carChassis": "c"}'
DEEP_KEYS = event("deep-keys", {f"{TELEMETRY}.tire_pressures_psi": "@"}).replace(
    '"@"', '{"front_left": 30, "rear_left": 31, "front_left" :30}'
)
OUTER_KEYS = event("outer-keys", {YEAR: 2024}).replace(
    "}}}", '}}, "vehicle_static_info": {"source_system": "fleet_db"}}'
)
SPELLED_KEYS = event("spelled-keys", {COLOR: "@"}).replace('"@"', 'null, "\\u0063olor": "Red"')
# Values that look like keys, and keys that no column reads.
NO_KEYS = {
    COLOR: '": ": "color":',
    "color": "x",
    "extra": {"a": {"b": 1}, "c": {"b": 1}},
    "a": None,
}
GARBAGE = b"\x00\x80\xfe\x07PK\x03\x04 \x9c\xff"
DEEP = '{"event_id": "too-deep", "extra": ' + "[" * 5000 + "]" * 5000 + "}"
LONG_NUMBER = event("long-number").replace("}", ', "extra": ' + "9" * 5000 + "}")
PACKED = gzip.compress(event("torn-gz").encode(), mtime=0)
TWICE = event("twice", {COLOR: "Red"})
# Two halves with an escaped backslash between them.
HALVES = [event("@").replace("@", f"\\ud83{half}\\\\\\ude97") for half in "de"]

# Unusual file names, for a format that is read whole and one that is read by line.
KINDS = ("json", "jsonl")
NAMES = (
    *("with space", "per%cent", "per%2Bcent", "plus+", "#1", "{a,b}", "}", "[ab]", "[a-", "*", "?"),
    *("back\\slash", "2025-11-04T14:30:00", "ação 日本 🚗", "it's", 'a "b"', "new\nline"),
    *("a.b", "a&b=c;d", "$x", "a~b"),
)

CASES = {
    # ---- JSON that is truncated or not an event
    "torn/object.json": rejected('{"event_id": "torn", "carChas', "not valid JSON"),
    "torn/array.json": Case(
        f'[{event("torn-1")},\n {event("torn-2")},\n {{"event_id": "torn-3", "carCh',
        {"torn-1": {}, "torn-2": {}},
        {'{"event_id": "torn-3", "carCh': "not valid JSON"},
    ),
    "torn/bracket.json": rejected("[", "not valid JSON"),
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
    "other/brackets.jsonl": Case(
        lines("]", "],[", "1]", "'a'"),
        rejected=dict.fromkeys(("]", "],[", "1]", "'a'"), "not valid JSON"),
    ),
    "other/text.json": rejected('"event"', "not an object"),
    "other/null.json": rejected("null", "not an object"),
    "other/nested_array.json": Case(
        f"[[{event('nested')}]]", rejected={f"[{event('nested')}]": "not an object"}
    ),
    "other/empty_array.json": rejected("[]", "empty array"),
    "other/after_empty_array.json": Case(
        f"[ ] {event('after-empty')}", {"after-empty": {}}, {"[ ]": "empty array"}
    ),
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
    **{
        f"binary.{kind}": Case(GARBAGE, rejected={GARBAGE.decode("latin-1"): "not UTF-8"})
        for kind in ("json", "jsonl", "csv")
    },
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
    "keys/twice.json": rejected(TWO_KEYS, "an object has the key event_id twice"),
    "keys/deep.jsonl": rejected(DEEP_KEYS, "an object has the key front_left twice"),
    "keys/outer.json": rejected(OUTER_KEYS, "an object has the key vehicle_static_info twice"),
    "keys/spelled.json": rejected(SPELLED_KEYS, "an object has the key color twice"),
    "keys/in_text.json": wrong("keys-in-text", TRIP, '{"a": 1, "a": 2}', "is not an object"),
    "keys/not_twice.json": accepted("not-twice", NO_KEYS, color='": ": "color":'),
    "keys/capitals.json": accepted("capitals", {COLOR: "Red", f"{STATIC}.Color": 1}, color="Red"),
    "type/int.json": wrong("int", YEAR, "new", "is not a whole number"),
    "type/fraction.json": wrong("fraction", YEAR, 2025.5, "is not a whole number"),
    "type/large_int.json": wrong("large-int", YEAR, 10**12, "is not a whole number"),
    "type/number.json": wrong("number", MILEAGE, "n/a", "is not a number: n/a"),
    "type/bool.json": wrong("bool", MILEAGE, True, "is not a number: true"),
    "type/object.json": wrong("object", MILEAGE, {"km": 1}, "is not a number"),
    "type/array.json": wrong("array", MILEAGE, [1], "is not a number: [1]"),
    "type/date.json": wrong("date", VALID_UNTIL, "2025-02-30", "is not a date"),
    "type/date_0.json": wrong("date-0", VALID_UNTIL, "0000-01-01", "is not a date"),
    "type/time.json": wrong(
        "time", f"{TRIP}.tripEndTimestamp", 1730000000, "cannot be read as a timestamp"
    ),
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
    "number/nan.json": rejected(event("nan", {MILEAGE: float("nan")}), "not valid JSON"),
    "number/infinity.json": rejected(event("inf", {MILEAGE: float("-inf")}), "not valid JSON"),
    "number/nan_text.json": wrong("nan-text", MILEAGE, "NaN", "is not a number: NaN"),
    # Longer ones would take minutes if a pattern went through all their parts.
    "number/digits.json": wrong("digits", MILEAGE, "1" * 200_000 + "x", "is not a number: 111"),
    "number/digits_int.json": wrong("digits-int", YEAR, "1" * 200_000 + ".x", "is not a whole"),
    "number/1e400.json": rejected(
        event("1e400", {MILEAGE: 400}).replace("400}", "1e400}"), 'is not a number: "Infinity"'
    ),
    **{
        f"line_end/{name}.json": wrong(f"line-end-{name}", path, value, "")
        for name, path, value in (
            ("int", YEAR, "2024\n"),
            ("return", YEAR, "2024\r"),
            ("double", MILEAGE, "1.5\u2028"),
            ("date", VALID_UNTIL, "2026-01-10\n"),
            ("time", f"{TRIP}.tripEndTimestamp", "2025-11-04T14:30:00Z\n"),
            ("zone", f"{TRIP}.tripEndTimestamp", "2025-11-04T14:30:00+01:00\r"),
        )
    },
    "number/huge.json": accepted("huge", {MILEAGE: 10**20}, current_mileage_km=1e20),
    "number/sum.json": accepted("sum", {f"{TRIP}.tripMileage": 1e300}, trip_distance_km=1e300),
    "number/long.json": Case(
        f"[{event('long-1')}, {LONG_NUMBER}, {event('long-2')}]",
        {"long-1": {}, "long-2": {}, "long-number": {}},
    ),
    # ---- numbers in text columns
    "sent/a.json": sent("12345678901234567890.10", "1.10"),
    "sent/b.jsonl": sent("12345678901234567890.1", "1E5"),
    "sent/c.json": sent("1" * 1500, "-0"),
    "sent/d.jsonl": sent("1e400", "-0.0e-0"),
    "sent/zeros.json": rejected(
        event("zeros", {COLOR: "@"}).replace('"@"', "007"), "not valid JSON"
    ),
    "sent/key.json": rejected(
        event("key", {COLOR: 1}).replace('"carChassis"', '1: 2, "carChassis"'), "not valid JSON"
    ),
    "sent/half.json": rejected(
        event("half", {COLOR: "@"}).replace("@", "\\\\\\ud83d x"), "half a character"
    ),
    "sent/half_twice.jsonl": Case(
        lines(*HALVES), rejected=dict.fromkeys(HALVES, "half a character")
    ),
    "sent/whole.json": Case(
        event("pair", {COLOR: "@"}).replace("@", "\\ud83d\\ude97 \\\\ud83d"),
        {"pair": {"color": "🚗 \\ud83d"}},
    ),
    # ---- times
    "time/offset.json": at("offset", "2025-11-04T14:30:00.25+05:30", 2025, 11, 4, 9, 0, 0, 250000),
    "time/hours.json": at("hours", "2025-11-04 14:30:00+00", 2025, 11, 4, 14, 30),
    "time/comma.json": at("comma", "2025-11-04T05:00:00,25-03", 2025, 11, 4, 8, 0, 0, 250000),
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
    "time/leap.json": not_a_time("2016-12-31T23:59:60Z"),
    "time/24.json": not_a_time("2025-11-04T24:00:00Z"),
    "time/week.json": not_a_time("2025-W45-2T14:30:00Z"),
    "time/ordinal.json": not_a_time("2025-308T14:30:00Z"),
    "time/basic.json": not_a_time("20251104T143000Z"),
    "time/number.json": not_a_time(1762266600),
    # ---- encodings
    "text/bom.json": encoded(event("bom-json", {COLOR: "Citroën"}), "utf-8-sig", "bom-json"),
    "text/bom.jsonl": Case(
        "\ufeff".join(("", lines(event("bom-1", {COLOR: "Citroën"})), lines(event("bom-2")))),
        {"bom-1": {"color": "Citroën"}, "bom-2": {}},
    ),
    "text/bom.csv": encoded(CSV_HEADER + row("bom-csv", "Citroën"), "utf-8-sig", "bom-csv"),
    "text/utf_16.json": encoded(event("utf-16", {COLOR: "Citroën"}), "utf-16", "utf-16"),
    "text/utf_16.jsonl": encoded(
        lines(event("utf-16-l", {COLOR: "Citroën"})), "utf-16", "utf-16-l"
    ),
    "text/utf_16.csv": encoded(CSV_HEADER + row("utf-16-csv", "Citroën"), "utf-16", "utf-16-csv"),
    "text/utf_16_be.ndjson": Case(
        ("\ufeff" + lines(event("be-1", {COLOR: "\u010a\u0d0a"}), " ", event("be-2"))).encode(
            "utf-16-be"
        ),
        {"be-1": {"color": "\u010a\u0d0a"}, "be-2": {}},
    ),
    "text/utf_16_half.jsonl": Case(
        b"\xff\xfe"
        + lines(event("half-1"), event("\ud83d"), event("half-2")).encode(
            "utf-16-le", "surrogatepass"
        ),
        {"half-1": {}, "half-2": {}},
        {event("\ud83d").replace("\ud83d", "\\ud83d"): "not UTF-16"},
    ),
    # No byte order mark: the encoding is detected from the zero bytes of the first two characters.
    **{
        f"text/{encoding}.{kind}": encoded(
            CSV_HEADER + row(f"{encoding} {kind}", "Citroën")
            if kind == "csv"
            else lines(event(f"{encoding} {kind}", {COLOR: "Citroën"})),
            encoding,
            f"{encoding} {kind}",
        )
        for encoding in ("utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be")
        for kind in ("json", "jsonl", "csv")
    },
    "text/utf_32_torn.json": Case(
        (event("utf-32-1") + "\n" + event("utf-32-2") + "\n").encode("utf-32")
        + b"\xff\xff\xff\xff!",
        {"utf-32-1": {}, "utf-32-2": {}},
        {"\\udcff\\udcff\\udcff\\udcff\\udc21": "not UTF-32"},
    ),
    **{
        f"text/{name}.jsonl": Case(
            lines(event(f"{name}-1")).encode() + not_utf_8.content,
            {f"{name}-1": {}},
            not_utf_8.rejected,
        )
        for name, not_utf_8 in {
            name: Case(
                event(f"{name}-2", {COLOR: "@"}).encode().replace(b"@", content),
                rejected={
                    event(f"{name}-2", {COLOR: "@"}).replace(
                        "@", content.decode("latin-1")
                    ): "not UTF-8"
                },
            )
            for name, content in {
                "overlong": b"\xc0\xaf",
                "surrogates": b"\xed\xa0\xbd\xed\xb2\xa9",
                "too_high": b"\xf4\x90\x80\x80",
            }.items()
        }.items()
    },
    "text/mixed.json": not_utf_8("mixed.json", "mixed-1", "mixed-2"),
    "text/mixed.jsonl": not_utf_8("mixed.jsonl", "mixed-3", "mixed-4"),
    "text/cut.jsonl": Case(
        event("cut", {COLOR: "Violet"}).encode().replace(b"let", b"\xc3"),
        rejected={event("cut", {COLOR: "Violet"}).replace("let", "\xc3"): "not UTF-8"},
    ),
    "text/excel.csv": Case(
        (CSV_HEADER + row("ascii", "Rot") + row("excel", "L\u2019Aquila €5")).encode("cp1252"),
        {"ascii": {"color": "Rot"}},
        {row("excel", "L\x92Aquila \x805").strip(): "not UTF-8"},
    ),
    "text/header.csv": Case(
        (CSV_HEADER.strip() + ",Gr\xfc\xdf\n" + row("header").strip() + ",x\n").encode("latin-1"),
        rejected={row("header").strip() + ",x": "the header has invalid bytes"},
    ),
    "text/bom_mixed.json": Case(
        b"\xef\xbb\xbf" + not_utf_8("b.json", "bom-m-1", "bom-m-2").content,
        {"bom-m-1": {}, "bom-m-2": {}},
        not_utf_8("b.json", "bom-m-1", "bom-m-2").rejected,
    ),
    # Invalid bytes between two values are a record of their own.
    **{
        f"text/between_{number}.json": Case(
            form % (event(f"between-{number}-1").encode(), event(f"between-{number}-2").encode()),
            {f"between-{number}-1": {}, f"between-{number}-2": {}},
            {"\xff\xfe": "not UTF-8"},
        )
        for number, form in enumerate((b"[%b,\xff\xfe%b]", b"%b\xff\xfe\n%b"))
    },
    # Numbers before a text, which is not UTF-32 because of them.
    "text/length.jsonl": Case(
        b"\0\0\0\x21" + lines(event("length-1"), event("length-2")).encode(),
        {"length-2": {}},
        {"\0\0\0\x21" + event("length-1"): "not valid JSON"},
    ),
    "text/utf_32.jsonl": Case(
        lines(event("utf-32")).encode("utf-32") + b"\x01\0\x11\0\x02",
        {"utf-32": {}},
        {"\\udc01\\udc00\\udc11\\udc00\\udc02": "not UTF-32"},
    ),
    "text/bom_inside.json": Case(
        f"\ufeff{event('bom-i-1')}\n\ufeff{event('bom-i-2')}", {"bom-i-1": {}, "bom-i-2": {}}
    ),
    # ---- compressed
    "packed/a.json.gz": Case(gzip.compress(f"[{event('gz')}]".encode()), {"gz": {}}),
    "packed/a.jsonl.GZ": Case(
        gzip.compress(lines(event("gz-1"), event("gz-2")).encode()), {"gz-1": {}, "gz-2": {}}
    ),
    "packed/a.csv.gz": Case(gzip.compress((CSV_HEADER + row("gz-csv")).encode()), {"gz-csv": {}}),
    "packed/a.ndjson.bz2": Case(bz2.compress(event("bz2").encode()), {"bz2": {}}),
    "packed/none.json.gz": Case(gzip.compress(b""), rejected={"": "the file is empty"}),
    "packed/not.json.gz": rejected(event("not-packed"), "not gz: "),
    "packed/torn.jsonl.gz": Case(PACKED[:-9], rejected={PACKED[:-9].decode("latin-1"): "not gz: "}),
    "packed/torn.json.bz2": Case(b"BZh9", rejected={"BZh9": "not bz2: "}),
    "packed/two.json.gz": Case(
        b"".join(gzip.compress(event(name).encode()) for name in ("gz-3", "gz-4")),
        {"gz-3": {}, "gz-4": {}},
    ),
    "packed/two.jsonl.bz2": Case(
        b"".join(bz2.compress(lines(event(name)).encode()) for name in ("bz2-3", "bz2-4")),
        {"bz2-3": {}, "bz2-4": {}},
    ),
    **{
        f"packed/more.json.{packing}": Case(
            content + b"more", rejected={(content + b"more").decode("latin-1"): f"not {packing}: "}
        )
        for packing, content in {"gz": PACKED, "bz2": bz2.compress(b"{}")}.items()
    },
    "packed/utf_16.jsonl.gz": Case(
        gzip.compress(lines(event("gz-16", {COLOR: "Citroën"})).encode("utf-16")),
        {"gz-16": {"color": "Citroën"}},
    ),
    # ---- empty files and blank lines
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
        rejected={row("semicolon").strip().replace(",", ";"): "the header is separated by `;`"},
    ),
    "csv/tabs.csv": Case(
        CSV_HEADER.replace(",", "\t") + row("tab").replace(",", "\t"),
        rejected={row("tab").strip().replace(",", "\t"): "the header is separated by a tab"},
    ),
    "csv/case.csv": Case(
        CSV_HEADER.strip() + f",{STATIC}.Color\n" + row("case").strip() + ",Blue\n",
        rejected={
            row("case").strip() + ",Blue": f"names {COLOR} and {STATIC}.Color, which differ in case"
        },
    ),
    **{
        f"csv/blank_{number}.csv": Case(
            CSV_HEADER.strip() + f",{name}\n" + row(f"blank-{number}").strip() + ",Blue\n",
            rejected={row(f"blank-{number}").strip() + ",Blue": f"the header names {COLOR} twice"},
        )
        for number, name in enumerate(
            (f" {COLOR}", COLOR.replace(".", " . "), f"\u00a0{COLOR}\u200b", f'"{COLOR} "')
        )
    },
    "csv/quoted_header.csv": Case(
        "\ufeff"
        + ",".join(f'"{name}"' for name in CSV_HEADER.strip().split(","))
        + "\r\n"
        + row("quoted-header"),
        {"quoted-header": {"color": "Red", "current_mileage_km": 12.5}},
    ),
    "csv/mac.csv": Case(
        (CSV_HEADER + row("mac-1") + row("mac-2")).replace("\n", "\r"), {"mac-1": {}, "mac-2": {}}
    ),
    "csv/column_twice.csv": Case(
        CSV_HEADER.strip() + f",{COLOR}\n" + row("col-2").strip() + ",Red\n",
        rejected={row("col-2").strip() + ",Red": f"the header names {COLOR} twice"},
    ),
    "csv/object_and_field.csv": Case(
        CSV_HEADER.strip() + ",vehicle_static_info\n" + row("col-3").strip() + ",\n",
        rejected={
            row("col-3").strip() + ",": f"names vehicle_static_info and, inside of it, {COLOR}"
        },
    ),
    "csv/unnamed.csv": Case(
        CSV_HEADER.strip() + ",,\n" + row("unnamed").strip() + ",,x\n",
        {"unnamed": {"color": "Red"}},
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
    # Otherwise the next row would be taken for the header, and vanish.
    "csv/torn_header.csv": Case(
        '"event_id"x,' + CSV_HEADER.partition(",")[2] + row("no-header-1") + row("no-header-2"),
        rejected={
            ('"event_id"x,' + CSV_HEADER.partition(",")[2]).strip(): "the header is not CSV",
            row("no-header-1").strip(): "the header is not CSV",
            row("no-header-2").strip(): "the header is not CSV",
        },
    ),
    "csv/quoted.csv": Case(
        CSV_HEADER + row("quoted", '"Red,\n""dark"""'), {"quoted": {"color": 'Red,\n"dark"'}}
    ),
    # ---- duplicates and versions
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
    # ---- files with other extensions, which are ignored
    **{
        name: Case(event("not-read"))
        for name in (
            *("a.txt", "json", "a.json.zst", "a.gz", "_a.json", ".a.json", "_a=1.json"),
            *("_metadata.json", "_common_metadata.jsonl", "_metadata/a.json", "_day=1/a.json"),
        )
    },
}


# Two versions of an event with the same times and different values. Silver may choose either.
TIE = {f"tie/{color}.json": event("tie", {COLOR: color}) for color in ("Blue", "Red")}
# One byte above the limit for files that are read whole. It is a sparse file and uses no disk.
LARGE = "large.json"
LARGE_BYTES = 128 * 1024 * 1024 + 1
# The files of the second build, where the files land in two batches: newer and older versions.
LATE = ("csv/", "torn/", "tie/Blue", "twice/a", "newest/a", "newest/c", "newest/d", LARGE)


def land(folder, names=lambda name: True):
    """Write the bad input to `folder`: all files, or those whose names the predicate accepts."""
    contents = {name: case.content for name, case in CASES.items()} | TIE | {LARGE: ""}
    for name in filter(names, contents):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        content = contents[name]
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        if name == LARGE:
            os.truncate(file, LARGE_BYTES)
