"""The fast parsing path of `stg_car_events` gives the same values as the careful path.

Both paths read the same records: plain events, and events with one or two changes that the fast
path could get wrong. The careful path is the model's own SQL with the fast paths disabled.
"""

import io
import json
from collections import Counter
from random import Random

import pytest
from pyspark.sql import functions as F

from python_jobs.generate_landing import LEAVES, WRITERS, feed, parse_args
from tests.support.chance import any_seed

BRONZE = "ci_bronze.bronze_car_events"
COLUMNS = (
    "record_id string, source_file string, ingested_at timestamp, raw_record string, "
    "csv_as_json string, read_error string"
)
# Each fast path in the model's SQL, and the replacement that disables it.
QUICK = {
    # Plain events, which are parsed once: no event is one. Then all keys are looked at, too.
    "coalesce(size(plain.events) = 1": "coalesce(false and size(plain.events) = 1",
    # Timestamps that Spark can cast: the pattern never matches.
    "rlike '^(?!0000)": "rlike '^(?!)",
}
# Replacements for a value: invalid ones, ones of another type, and ones read as another value.
# fmt: off
VALUES = [
    "null", "true", "false", "{}", "[]", '""', '" "', "0", "-0", "-0.0", "1.10", "1e2", "1E400",
    "-1e-400", "2147483648", "-2147483648", "-2147483649", "2025.0", "2025.5", "01", "+1", ".5",
    "1.", "0x1F", "NaN", '"NaN"',
    "Infinity", '"Infinity"', "9" * 30, "0." + "1" * 40, "9" * 1001, "0." + "3" * 1200, '"1"',
    '"1.10"', '"2025"', '"1e5"', '"true"', '"null"', '" 1"', '{"a":1}', '{"a":"b"}', '{"a:b":"c"}',
    '[1]', '"[1]"', '"{"', '"]"', '"a:b"', '"::"', '"a,b"', '"\\u0041"', '"a\\"b"', '"\\ud800"',
    '"a\\nb"', '"\t"', '"\x7f"', '"\u00a0"', '"\u2028"', '"Citro\u00ebn"', '"\U0001f697"', "'x'",
    "x", "", '"2025-11-04T14:30:00Z"', '"2025-11-04T14:30:00.5Z"',
    '"2025-11-04T14:30:00.1234567Z"', '"2025-11-04T14:30Z"', '"2025-11-04T14:30:00+02:00"',
    '"2025-11-04T14:30:00"', '"2025-11-04 14:30:00Z"', '"2025-11-04t14:30:00z"',
    '"2025-11-04T24:00:00Z"', '"2025-11-04T23:59:60Z"', '"2025-02-29T00:00:00Z"',
    '"2024-02-29T00:00:00Z"', '"0000-01-01T00:00:00Z"', '"0001-01-01T00:00:00Z"',
    '"9999-12-31T23:59:59.999999Z"', '"10000-01-01T00:00:00Z"', '"2025-11-04T14:30:00,5Z"',
    '"2025-01-01T00:00:00Z,2025-01-01T00:00:00Z"', '"2025-11-04T14:30:00Z "',
    '" 2025-11-04T14:30:00Z"', '"2025-1-4T14:30:00Z"', '"2025-11-04"', '"2025-02-29"',
    '"0000-01-01"', '"0001-01-01"', '"2025-11-4"', '"2025-11-04 "', '"2025"', '"2025-11"',
    "20251104",
]
# Replacements for a key, or text before it.
KEYS = [
    '"x":1,{}', '"x":"y",{}', '"x":null,{}', '"x":{{"event_id":"z"}},{}', '"{name}":1,{}',
    '"{name}":"y",{}', '"{name}":null,{}', '"x:y":1,{}', '"":1,{}', '"{name} ":1,{}',
    '"\\u0065vent_id":"z",{}', " {}", "\n\t{}", '"x":"y:z",{}', '"x":[1],{}',
]
# Replacements for the whole record.
WHOLE = [
    "{} ", " {}", "\ufeff{}", "{}{{}}", "{}x", "{},{}", "[{}]", "{}]", "{}],[{}",
    "{}],\"more\":[{}", '{{"a":{}}}', "{}}}", "", "null", "1", '"text"', "{{}}", "{}\x00",
]
# fmt: on


def plain_events() -> list[str]:
    """Return valid lines from the generator."""
    text = io.StringIO()
    options = ["--events", "30", "--cars", "9", "--seed", "4", "--corrupt", "0", "--out", "unused"]
    WRITERS["jsonl"](text, feed(parse_args(options), Counter()))
    return text.getvalue().splitlines()


def parts(text: str, leaf: str) -> tuple[str, str, str, str]:
    """Split an event at a leaf: the text before it, its key, its value, and the text after it.

    Without the leaf, all but the first part are empty.
    """
    key = f'"{leaf.rpartition(".")[2]}":'
    before, found, after = text.partition(key)
    if not found:
        return text, "", "", ""
    value = after[: after.find((after[0] == '"' and '"') or ",", 1) + (after[0] == '"')]
    return before, key, value, after[len(value) :]


def changed(text: str, rng: Random) -> str:
    """Return the event with a change to one value, one key, or the whole text."""
    kind = rng.random()
    if kind < 0.15:
        return rng.choice(WHOLE).format(text, text)
    before, key, value, after = parts(text, rng.choice(LEAVES))
    if not key:
        return text
    name = key[1:-2]
    if kind < 0.35:
        return before + rng.choice(KEYS).format(key, name=name) + value + after
    if kind < 0.45:  # spaces where JSON allows them
        return f'{before}"{name}" : {value}{after}'
    return before + key + rng.choice(VALUES) + after


def repeated() -> list[str]:
    """Return an event for each leaf and kind of value, which the leaf has twice."""
    texts = []
    for leaf in LEAVES:
        before, key, _, after = parts(plain_events()[0], leaf)
        for value in ("true", "null", "1", '"x"', "{}", "[]") if key else ():
            texts.append(f"{before}{key}{value},{key}{value}{after}")
    return texts


def records(rng: Random, number: int) -> list[tuple]:
    """Return rows of Bronze, unchanged or with one or two changes."""
    lines = plain_events()
    texts = [*lines, *WHOLE, *repeated()]
    for _ in range(number):
        text = changed(rng.choice(lines), rng)
        texts.append(changed(text, rng) if rng.random() < 0.3 else text)
    rows = [(str(number), "a.json", None, text, None, None) for number, text in enumerate(texts)]
    rows.append(("csv", "a.csv", None, "a,b", lines[0], None))
    rows.append(("unread", "a.json", None, lines[0], None, "cannot be read"))
    return rows


# The characters of the model's SQL. Each build and each unit test parses and analyzes all of them.
LONGEST = 63_000


@pytest.fixture(scope="module")
def ways(dbt):
    """Return the model's SQL on the view `sent`, as it is and with the fast paths disabled."""
    result = dbt("compile", "--no-introspect", "--select", "stg_car_events")
    assert result.success, result.text
    code = result.code["stg_car_events"]
    assert BRONZE in code
    quick = careful = code.replace(BRONZE, "sent")
    for way, closed in QUICK.items():
        assert way in careful
        careful = careful.replace(way, closed)
    return quick, careful


def test_the_sql_does_not_grow(ways):
    assert len(ways[0]) <= LONGEST


@pytest.mark.parametrize("seed", [3, pytest.param(None, marks=pytest.mark.full)])
def test_both_ways_give_the_same_values(spark, ways, seed, request):
    rng = Random(any_seed(request.node.nodeid) if seed is None else seed)
    rows = records(rng, 1500 if seed else 20_000)
    sent = spark.createDataFrame(rows, COLUMNS).repartition(2).cache()
    sent.createOrReplaceTempView("sent")
    read = []
    for name, sql in zip(("quick", "careful"), ways, strict=True):
        values = spark.sql(sql)
        whole = F.to_json(F.struct(*values.columns), {"ignoreNullFields": "false"})
        read.append(values.select("record_id", whole.alias(name)))
    quick, careful = read
    both = quick.join(careful, "record_id").cache()
    assert both.count() == len(rows)
    texts = {row[0]: row[3] for row in rows}
    differ = both.where("quick != careful").collect()
    assert not differ, [
        (
            texts[row.record_id],
            {*json.loads(row.quick).items()} ^ {*json.loads(row.careful).items()},
        )
        for row in differ[:3]
    ]
    both.unpersist()
    sent.unpersist()


def test_the_quick_ways_are_taken(spark, dbt, ways):
    """All events of the generator are plain, and keys are looked at after a null only."""
    lines = plain_events()
    rows = [(str(number), "a", None, text, None, None) for number, text in enumerate(lines)]
    spark.createDataFrame(rows, COLUMNS).createOrReplaceTempView("sent")
    examined = ways[0].rpartition("select\n    record_id")[0]
    (found,) = spark.sql(
        f"""{examined} select
            count_if(is_plain) as plain,
            count_if(repeated_keys is not null) as looked_at,
            count(year) as years
        from judged"""
    ).collect()
    nulls = sum("null" in line for line in lines)
    assert found.asDict() == {"plain": len(lines), "looked_at": nulls, "years": len(lines)}
