"""Random files at volume: no build fails, no record is lost, and no text is evaluated.

The expected result comes from the bytes of the files, with Python's own json and codecs. It shares
no code with the models.
"""

import csv
import io
import json
import re
from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from types import SimpleNamespace

import pytest

from python_jobs.generate_landing import LEAVES, WRITERS, feed, parse_args, write_object
from tests.support.chance import any_seed
from tests.support.events import AS_OF, BUILD, GOLD, SILVER, event

# ---- the values to choose from

# Texts that a layer on the way could evaluate, unescape or change.
# fmt: off
SCRAPS = [
    "it's", 'a "b"', "`id`", "back\\slash", "'; drop table x; --", "' or '1'='1", "-- x", "/* x",
    "${spark.app.name}", "$HOME", "$(touch x)", "{{ 1 / 0 }}", "{% raw %}", "{# x", "{0!r:>9}",
    "%s %(a)s %n", "%2F%00%25", "%", "+", "&amp;", "<b>", "=1+1", "@x", "#", "?", "*", "[a-", "]",
    "\\u0041", "\\n", "\\", "null", "NaN", "-0", "true", "event_id", "a.b", "|", ",", ";", ":", "~",
    "new\nline", "tab\t", "\r", " ", "\u00a0", "\u2028", "\x1b[0m", "\x7f", "\ufeff", "\ufffd",
    "ação", "日本", "🚗", "\u202eright to left", "e\u0301", "\u0130i", "\U0010ffff",
]
TIMES = [
    "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "10000-01-01T00:00:00Z",
    "0000-00-00T00:00:00Z", "-0001-01-01T00:00:00Z", "+292278994-08-17T07:12:56Z",
    "0001-01-01", "9999-12-31", "2025-02-29", "٢٠٢٥-01-01", "2025-01-01T24:00:00Z",
]
# JSON, or almost JSON, in the place of a value.
ODD_VALUES = [
    "NaN", "-Infinity", "1.10", "1E5", "-0", "1" * 400 + ".0", '"1.10"',
    "1e400", "-0.0", "1E-400", "0x1F", "01", "+1", ".5", "9" * 400, "1" * 5000,
    '"NaN"', '"1e5"', '" 1"', '"٣"', "true", "{}", "[]", "[{}]", '{"a": [1]}', "", "'x'", "None",
    '"\\ud800"', '"\\u0000"', '"\\x"', '"\\', '"\x00"', "[" * 900 + "]" * 900, "[" * 10**5,
    '{"a":' * 300 + "1" + "}" * 300, '{"a":' * 5000 + "1" + "}" * 5000,
    *(f'"{time}"' for time in TIMES),
]
# fmt: on
ENCODINGS = ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp037", "utf-7")
FORMS = ("json", "jsonl", "ndjson", "csv")


def generated(form):
    """Return a valid file of a few events."""
    options = ["--events", "5", "--cars", "2", "--seed", "1", "--out", "unused"]
    text = io.StringIO()
    write = write_object if form == "pretty" else WRITERS[form]
    write(text, feed(parse_args(options), Counter()))
    return text.getvalue()


GOOD = {
    "json": (generated("json"), generated("pretty")),
    "jsonl": (generated("jsonl"),),
    "ndjson": (generated("jsonl"),),
    "csv": (generated("csv"),),
}
PLACEHOLDER = '"@"'  # stands for the odd value


def mutated(rng, form):
    """Return a valid file with a few random changes to its bytes."""
    content = bytearray(rng.choice(GOOD[form]).encode())
    for _ in range(rng.randint(1, 6)):
        place, other = (rng.randrange(len(content) + 1) for _ in range(2))
        kind = rng.choice(("flip", "insert", "delete", "splice", "truncate"))
        if kind == "flip":
            content[place : place + 1] = bytes([rng.randrange(256)])
        elif kind == "insert":
            content[place:place] = rng.choice((*SCRAPS, "\x00", '"', "}", "{")).encode()
        elif kind == "delete":
            del content[place : place + rng.randint(1, 30)]
        elif kind == "splice":
            content[place:place] = content[other : other + rng.randint(1, 300)]
        elif rng.random() < 0.3:
            del content[place:]
    return bytes(content)


def recoded(rng, form):
    """Return a valid file in another encoding, complete or cut off."""
    content = rng.choice(GOOD[form]).encode(rng.choice(ENCODINGS), "replace")
    return content[: rng.choice((None, rng.randrange(len(content))))]


def odd(rng, form):
    """Return a file of a few events, each with an invalid or extreme value."""
    lines = []
    for _ in range(rng.randint(1, 4)):
        path = rng.choice((*LEAVES, "extra", "vehicle_static_info", "trip_data.trip_summary"))
        text = event(f"odd {rng.random()}", {path: "@"})
        value = rng.choice(ODD_VALUES)
        if rng.random() < 0.2:
            value += f', "{path.rpartition(".")[2]}": {rng.choice(ODD_VALUES)}'
        lines.append(text.replace(PLACEHOLDER, value))
    if form == "csv":
        value = rng.choice(ODD_VALUES)
        lines = [",".join(LEAVES), ",".join(rng.choice(("", value, "x")) for _ in LEAVES)]
    return (rng.choice(("\n", "\r\n", "\r", "\n\n \n")).join(lines)).encode()


def huge(rng, form):
    """Return a file of one event with a value of a few MB."""
    million = rng.randint(1, 3) * 10**6
    value = rng.choice(("x", '\\"', "\\\\", "🚗", "9", "[", "{}", " ", '"', ",", "\x00")) * million
    text = event(f"huge {rng.random()}", {rng.choice(("extra", "carChassis")): "@"})
    text = text.replace(PLACEHOLDER, rng.choice((f'"{value}"', value)))
    return (f"event_id,carChassis\nhuge,{value}" if form == "csv" else text).encode()


# ---- well-formed events, whose values must not change

TEXT_COLUMNS = {
    "event_id": "event_id",
    "carChassis": "car_chassis",
    "vehicle_static_info.data.Model": "model",
    "vehicle_static_info.data.Manufacturer": "manufacturer",
    "vehicle_static_info.data.color": "color",
    "vehicle_dynamic_state.insurance_info.data.provider": "insurance_provider",
    "current_rental_agreement.data.customer_id": "rental_customer_id",
    "trip_data.trip_summary.source_system": "trip_source",
}


def scraps(rng):
    """Return a text of one to four scraps."""
    return "".join(rng.choices(SCRAPS, k=rng.randint(1, 4)))


def hostile(rng, form, number):
    """Return a file of one event whose texts and extra keys are scraps, and the expected texts."""
    texts = {path: scraps(rng) for path in TEXT_COLUMNS}
    texts["event_id"] = f"{number} {texts['event_id']}"
    texts["carChassis"] = f"x{texts['carChassis']}"  # not blank
    more = {f"x{scraps(rng)}": scraps(rng) for _ in range(2)}
    if form == "csv":
        cells = {**more, **texts, "event_primary_timestamp": "2025-11-04T14:30:00Z"}
        file = io.StringIO()
        rows = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator=rng.choice(("\n", "\r\n")))
        rows.writerows((cells.keys(), cells.values()))
        text = file.getvalue()
    else:
        texts["vehicle_static_info.data.color"] += "\x00"
        text = json.dumps(json.loads(event("", texts)) | more, ensure_ascii=rng.random() < 0.5)
    return text.encode(), {column: texts[path] for path, column in TEXT_COLUMNS.items()}


# ---- the landing folder

# Regressions.
KNOWN = {
    # Two records with the same hash if file and text are joined with a bar.
    "bar.jsonl": b"bar.jsonl|x",
    "bar.jsonl|bar.jsonl": b"x",
    # Two values that close and reopen the array that Silver wraps around a record.
    "reopened.jsonl": f'{event("first")}],"more":[{event("second")}'.encode(),
    "replaced.jsonl": f'{event("third")}],"events":[{event("fourth")}'.encode(),
}


@dataclass
class Landing:
    """Landing files by name, and the Silver values expected for the hostile events among them."""

    files: dict[str, bytes] = field(default_factory=dict)
    events: list[dict[str, str]] = field(default_factory=list)


def make_landing(seed, number):
    """Return `number` random files. The same seed gives the same files."""
    rng = Random(seed)
    landing = Landing(dict(KNOWN))
    for place in range(number):
        form = rng.choice(FORMS)
        # The only character that a file name cannot contain.
        scrap = scraps(rng).replace("/", "")
        name = f"{rng.choice(('', 'a b/', 'c=1%20/'))}{place}{scrap}.{form}"
        kind = rng.choices((mutated, recoded, odd, huge, hostile), (40, 10, 25, 0.6, 25))[0]
        if kind is hostile:
            landing.files[name], texts = hostile(rng, form, place)
            landing.events.append(texts | {"source_file": name})
        else:
            landing.files[name] = kind(rng, form)
    return landing


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("seed_1", marks=pytest.mark.slow),
        pytest.param("any_seed", marks=pytest.mark.full),
    ],
)
def landing(request, tmp_path_factory, module_schema):
    """Return random landing files: the fields of Landing, with `folder` and `schema`."""
    seed, number = (1, 300) if request.param == "seed_1" else (any_seed(request.node.nodeid), 3000)
    made = make_landing(seed, number)
    folder = tmp_path_factory.mktemp("fuzz")
    for name, content in made.files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    schema = f"{module_schema}_{request.param}"
    return SimpleNamespace(**vars(made), folder=str(folder), schema=schema)


@pytest.fixture(scope="module")
def built(dbt, landing):
    """Build all files once, data tests included."""
    return dbt(*BUILD, schema=landing.schema, landing_path=landing.folder, **AS_OF)


@pytest.fixture(scope="module")
def cache():
    """Return a cache for `tables`, which is made anew for each test."""
    return {}


@pytest.fixture
def tables(built, read, landing, cache):
    """Return the rows of Bronze and Silver as `bronze`, `silver` and `rejected`."""
    if not built.success:
        pytest.fail("the build failed: see test_no_file_fails_the_build", pytrace=False)
    if landing.schema not in cache:
        silver, rejected = (read(f"{landing.schema}_silver", name) for name in SILVER)
        bronze = read(f"{landing.schema}_bronze", "bronze_car_events")
        cache[landing.schema] = SimpleNamespace(bronze=bronze, silver=silver, rejected=rejected)
    return cache[landing.schema]


# ---- the properties

MARK = "\ufeff"
# The first bytes of UTF-16 and UTF-32: a byte order mark, or characters (a) and zero bytes (0).
MARKS = {MARK.encode(name): name for name in ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")}
SHAPES = {
    **{"a000a000": "utf-32-le", "000a000a": "utf-32-be"},
    **{"a0a0": "utf-16-le", "0a0a": "utf-16-be"},
}


def encoding_of(content):
    """Return the UTF-16 or UTF-32 encoding that the first bytes indicate, or None."""
    for mark, name in MARKS.items():
        if content.startswith(mark):
            return name
    is_text = "\t\n\r" + "".join(map(chr, range(32, 127)))
    shape = "".join(
        "0" if not byte else "a" if chr(byte) in is_text else "?" for byte in content[:8]
    )
    return next((SHAPES[start] for start in SHAPES if shape.startswith(start)), None)


def text_of(content):
    """Decode a file. Bytes that are not valid text become lone surrogates."""
    encoding = encoding_of(content)
    if encoding is None:
        return content.decode("utf-8-sig", "surrogateescape")
    size = 2 if "16" in encoding else 4
    whole = len(content) // size * size
    text = content[:whole].decode(encoding, "surrogatepass").removeprefix(MARK)
    rest = content[whole:]
    return text + "".join(chr(0xDC00 + byte) for byte in rest)


def ways_to_show(text):
    """Yield the forms in which a record can be stored: as is, or with invalid text escaped."""
    yield text
    if re.search("[\ud800-\udfff]", text):
        yield text.encode("utf-8", "backslashreplace").decode()
        with suppress(UnicodeEncodeError):
            yield text.encode("utf-8", "surrogateescape").decode("latin-1")


def sent(records, text):
    """Yield (record, original text) for each record that is stored in another form."""
    shown = [record for record in records if record not in text]
    for record in shown:
        with suppress(UnicodeError):
            yield record, record.encode("latin-1").decode("utf-8", "surrogateescape")
        yield record, re.sub(r"\\(ud[89a-f]..)", lambda half: chr(int(half[1][1:], 16)), record)


def is_lines(text, records):
    """Return whether the records are the non-blank lines of the text, without byte order marks."""
    lines = [line.lstrip(MARK) for line in re.split("\r\n?|\n", text)]
    lines = [line for line in lines if re.search(r"\S", line, re.ASCII)]
    return len(lines) == len(records) and all(
        record.lstrip(MARK) in {way.lstrip(MARK).removeprefix("ï»¿") for way in ways_to_show(line)}
        or record in ways_to_show(line)
        for line, record in zip(lines, records, strict=True)
    )


def squeezed(text):
    """Return the text without white space and byte order marks."""
    return "".join(text.replace(MARK, "").split())


def is_json_of(text, records):
    """Return whether the records, with brackets and commas between them, are the whole text."""
    text, position = squeezed(text), 0
    for record in map(squeezed, records):
        found = text.find(record, position)
        if found < 0 or text[position:found].strip("[],"):
            return False
        position = found + len(record)
    return not text[position:].strip("[],")


def is_csv_of(text, records):
    """Return whether the records and one header row are the whole text, in order."""
    # A row is one line, or continues on the next line within quotes.
    rows = re.findall(r"[^\r\n]+", text) + re.findall(r'(?:"[^"]*"|[^"\r\n])+', text)
    rows = {"", *map(squeezed, rows)}
    text, records = squeezed(text), list(map(squeezed, records))
    for rows_before in range(len(records) + 1):
        before, after = "".join(records[:rows_before]), "".join(records[rows_before:])
        header = text[len(before) : len(text) - len(after)]
        if before + header + after == text and header in rows:
            return True
    return False


def test_no_file_fails_the_build(built):
    assert built.success, built.text


def test_bronze_holds_all_that_the_files_hold(tables, landing):
    records = defaultdict(list)
    for row in sorted(tables.bronze, key=lambda row: row["record_number"]):
        records[row["source_file"]].append(row["raw_record"])

    assert set(records) <= set(landing.files)
    for name, content in landing.files.items():
        text = text_of(content)
        is_complete = {"json": is_json_of, "csv": is_csv_of}.get(name.rpartition(".")[2], is_lines)
        found = records[name]
        if is_complete is not is_lines:
            as_sent = {
                record: text_sent for record, text_sent in sent(found, text) if text_sent in text
            }
            found = [as_sent.get(record, record) for record in found]
        assert is_complete(text, found), f"{name!r}: {content[:2000]} is not {records[name]}"
        assert found or not squeezed(text)


def event_of(record):
    """Parse a Bronze record as a JSON object. Numbers stay texts, and keys must be unique."""

    def once(pairs):
        assert len(dict(pairs)) == len(pairs), record
        return dict(pairs)

    text = record["csv_as_json"] or record["raw_record"]
    event = json.loads(text, parse_int=str, parse_float=str, object_pairs_hook=once)
    assert isinstance(event, dict), record
    return event


def text_at(event, path):
    """Return the value at a dotted path as the text that was sent."""
    for name in path.split("."):
        event = (event or {}).get(name)
    return str(event).lower() if isinstance(event, bool) else event


def test_each_record_is_in_silver_or_rejected(tables):
    rejected = Counter((row["source_file"], row["raw_record"]) for row in tables.rejected)
    assert set(rejected.values()) == {1}
    assert all(row["rejection_reason"].strip() for row in tables.rejected)

    records = {(row["source_file"], row["raw_record"]): row for row in tables.bronze}
    assert set(rejected) <= set(records)
    accepted = [event_of(records[key]) for key in set(records) - set(rejected)]
    versions = defaultdict(list)
    for version in accepted:
        versions[text_at(version, "event_id")].append(version)
    rows = {row["event_id"]: row for row in tables.silver}
    assert len(rows) == len(tables.silver)
    assert set(rows) == set(versions)
    for event_id, (only, *others) in versions.items():
        if not others:
            expected = {column: text_at(only, path) for path, column in TEXT_COLUMNS.items()}
            assert {column: rows[event_id][column] for column in expected} == expected


def test_nothing_is_evaluated(tables, landing, read):
    rows = {row["event_id"]: row for row in tables.silver}
    for expected in landing.events:
        row = rows[expected["event_id"]]
        assert {column: row[column] for column in expected} == expected
    cars = {row["car_chassis"] for row in read(f"{landing.schema}_gold", GOLD[0])}
    assert cars == {row["car_chassis"] for row in tables.silver}


def test_second_build_adds_nothing(tables, dbt, read, landing):
    result = dbt("run", schema=landing.schema, landing_path=landing.folder, **AS_OF)
    assert result.success, result.text
    assert read(f"{landing.schema}_bronze", "bronze_car_events") == tables.bronze
    for name, rows in zip(SILVER, (tables.silver, tables.rejected), strict=True):
        again = read(f"{landing.schema}_silver", name)
        assert sorted(again, key=str) == sorted(rows, key=str)
