"""Macros with a version for each engine: the values that they compute.

Spark's is run on Spark. Athena's is read by tests/support/trino_reader.py, which is our reading of
Trino's documentation and not Trino: so a difference found here is one, and more may be there.
"""

from datetime import date, datetime, timezone
from functools import reduce

import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from tests.support import trino_reader as trino

KEYS = '"event_id":"e","carChassis":"c","event_primary_timestamp":"2025-11-04T14:30:00Z"'
EVENT = "{" + KEYS + "}"


def event(rest: str) -> str:
    return "{" + KEYS + "," + rest + "}"


def static(data: str) -> str:
    return event('"vehicle_static_info":{"data":' + data + "}")


# A macro's call: rows of its columns, and the value of each.
COMPUTED = {
    "to_text('a')": [({"a": 5}, "5"), ({"a": "x"}, "x")],
    "days_between('a', 'b')": [
        ({"a": date(2025, 12, 31), "b": date(2026, 1, 15)}, 15),
        ({"a": date(2026, 1, 15), "b": date(2025, 12, 31)}, -15),
        ({"a": date(2024, 2, 28), "b": date(2024, 3, 1)}, 2),
        ({"a": datetime(2026, 1, 14, 23), "b": datetime(2026, 1, 15, 1)}, 1),
        ({"a": datetime(2026, 1, 15, 1), "b": datetime(2026, 1, 15, 23)}, 0),
    ],
    "sha256_hex(['a', 'b'])": [
        # printf '1|f|1|x' | sha256sum
        (
            {"a": "f", "b": "x"},
            "5e2d2f0813c3aeaa1618e053e83c0e7c5c07e36c4dc830e42f6b0637cc974291",
        ),
    ],
    "is_blank('a')": [
        *(({"a": text}, True) for text in ("", " ", "\t\n\r", None)),
        *(({"a": text}, False) for text in ("x", " x ", "\u00a0")),
    ],
    "text_to_double('a')": [
        *(({"a": text}, 4.0) for text in ("4", "4.", "+4", "4.0", "40e-1", "0.4E+1", "4\n")),
        ({"a": ".5"}, 0.5),
        ({"a": "-0.0"}, 0.0),
        ({"a": "1e-400"}, 0.0),
        *(
            ({"a": text}, None)
            for text in (
                "",
                " 4",
                "4 ",
                "1e400",
                "NaN",
                "Infinity",
                "0x4",
                "4d",
                "1_0",
                "\u0664",
                None,
            )
        ),
    ],
    "text_to_int('a')": [
        *(({"a": text}, 2025) for text in ("2025", "2025.0", "2.025e3", "+2025")),
        ({"a": "2147483647"}, 2147483647),
        *(({"a": text}, None) for text in ("2025.5", "2147483648", "-2147483648", "new", "", None)),
    ],
    "text_to_date('a')": [
        ({"a": "2026-01-15"}, date(2026, 1, 15)),
        ({"a": "2024-02-29"}, date(2024, 2, 29)),
        ({"a": "0001-01-01"}, date(1, 1, 1)),
        *(
            ({"a": text}, None)
            for text in (
                *("2026-02-30", "0000-01-01", "2026-1-15", "2026-01-15 ", "2026-01-15T00:00:00Z"),
                *("", None),
            )
        ),
    ],
    "text_to_timestamp('a')": [
        ({"a": "2025-11-04T14:30:00Z"}, datetime(2025, 11, 4, 14, 30)),
        ({"a": "2025-11-04 14:30z"}, datetime(2025, 11, 4, 14, 30)),
        ({"a": "2025-11-04t14:30:00.25+05:30"}, datetime(2025, 11, 4, 9, 0, 0, 250000)),
        ({"a": "2025-11-04T14:30:00+0530"}, datetime(2025, 11, 4, 9, 0)),
        ({"a": "2025-11-04 14:30:00+00"}, datetime(2025, 11, 4, 14, 30)),
        ({"a": "2025-11-04T14:30-03"}, datetime(2025, 11, 4, 17, 30)),
        ({"a": "2025-11-04T14:30:00,25-03:00"}, datetime(2025, 11, 4, 17, 30, 0, 250000)),
        ({"a": "2025-11-04T14:30:00-00:30"}, datetime(2025, 11, 4, 15, 0)),
        ({"a": "2025-11-04T14:30:00+18:00"}, datetime(2025, 11, 3, 20, 30)),
        ({"a": "2025-12-31T23:30-03:00"}, datetime(2026, 1, 1, 2, 30)),
        # A fraction is cut, never rounded.
        ({"a": "2025-11-04T14:30:00.9999999Z"}, datetime(2025, 11, 4, 14, 30, 0, 999999)),
        ({"a": "9999-12-31T23:59:59Z"}, datetime(9999, 12, 31, 23, 59, 59)),
        *(
            ({"a": text}, None)
            for text in (
                *("2025-11-04T14:30:00", "2025-11-04", "2025-02-30T14:30:00Z", "", None),
                *("2025-W45-2T14:30:00Z", "2025-308T14:30:00Z", "20251104T143000Z"),
                *("2025-11-04T14Z", "2025-11-04T14:30,5Z", "2025-11-04T14:30:00+1"),
                *("2025-11-04T24:00:00Z", "2025-11-04T14:60:00Z", "2025-11-04T14:30:60Z"),
                *("2025-11-04T14:30:00+18:01", "2025-11-04T14:30:00+05:60", "2025-11-04T14:30Zx"),
            )
        ),
    ],
}

# What Silver makes of each is the same on both.
SAME = [
    *(EVENT, "{}", "null", "1", '"x"', "true", "[]", "[1]", f"[{EVENT}]", "", " ", "\n"),
    # More than one value, or a part of one.
    *("1,2", f"{EVENT},1", f"1,{EVENT}", "null,null", f"{EVENT},null", f"null,{EVENT}"),
    *(f"{EVENT},{EVENT}", f"{EVENT}{EVENT}", f"{EVENT} {EVENT}", f"{EVENT}] [{EVENT}"),
    *(f"{EVENT}],[{EVENT}", f"{EVENT}]", f"{EVENT},", f"{EVENT}//x", EVENT[:-1], f"\ufeff{EVENT}"),
    # JSON or not.
    *("{'event_id':'e'}", "{event_id:1}", event('"a":01'), event('"a":"\t"'), event('"a":1,')),
    event('"a":"\\u0000","b":[{"c":[]}],"d":' + "[" * 50 + "]" * 50),
    # No name that is read, but for its capitals.
    event('"EVENT_ID":"x","Event_id":"y"'),
    event('"a":NaN'),
    # What is no text, or looks like something else.
    *(static(f'{{"color":{value}}}') for value in ("150", "true", "null", '"null"', '"{x}"')),
    *(static(f'{{"color":{value}}}') for value in ("[]", "{}", "[null]", '{"a":"1"}')),
    static('{"color":12345678901234567890123}'),
    '{"event_id":{"a":"1"},"carChassis":["1"],"event_primary_timestamp":5}',
    '{"event_id":" e ","carChassis":"\u00a0","event_primary_timestamp":"2025-11-04T14:30:00Z"}',
    # What is no object.
    *(static(value) for value in ('""', "[]", "[{}]", "1", "null")),
    event('"vehicle_static_info":"x","trip_data":{"trip_summary":5}'),
    event('"vehicle_static_info":[{"data":1}]'),
    # What is no value of the type.
    *(static(f'{{"year":{value}}}') for value in ("2024", "2024.0", "2024.5", "[1,2]", "true")),
    *(static(f'{{"fuelCapacityLiters":{value}}}') for value in ('"4.1e1"', '""', '"much"', "1e3")),
    static('{"year":"' + "x" * 100 + '","color":[]}'),
]

# What Silver makes of each differs, as docs/athena.md tells: what Spark says, and what Athena does.
DIFFERENT = {
    # Twice the same key: the last.
    static('{"color":"a","color":"b"}'): ("an object has the key color twice", None),
    event('"vehicle_static_info":{"data":{"color":"a"}},"vehicle_static_info":{"data":{}}'): (
        "an object has the key vehicle_static_info twice",
        None,
    ),
    "'x'": ("JSON, but not an object", "not valid JSON"),
    static('{"fuelCapacityLiters":1e400}'): (
        'vehicle_static_info.data.fuelCapacityLiters is not a number: "Infinity"',
        "vehicle_static_info.data.fuelCapacityLiters is not a number: Infinity",
    ),
    static('{"year":{"b":1,"a":2}}'): (
        'vehicle_static_info.data.year is not a whole number: {"b":1,"a":2}',
        'vehicle_static_info.data.year is not a whole number: {"a":2,"b":1}',
    ),
}

# A number where a text is expected: on Spark as it was sent, on Athena as a parser writes it.
NUMBERS = {
    "1.50": "1.5",
    "1e2": "100.0",
    "-0.0": "-0.0",
    "0.1234567890123456789": "0.12345678901234568",
}


@pytest.fixture(scope="module")
def rendered(render):
    """What each of the calls renders: a dict by target of a dict by call."""
    return {target: render(target, *COMPUTED) for target in ("ci", "athena")}


@pytest.mark.parametrize("call", COMPUTED)
def test_what_spark_computes(spark, rendered, call):
    types = {str: "string", int: "int", date: "date", datetime: "timestamp"}
    frames, expected = [], []
    for row, value in COMPUTED[call]:
        columns = [
            F.lit(in_utc(held)).cast(types.get(type(held), "string")).alias(name)
            for name, held in row.items()
        ]
        computed = spark.range(1).select(columns).selectExpr(f"{rendered['ci'][call]} as value")
        if isinstance(value, datetime):
            # As text: pyspark would give a time in the time zone of this machine.
            computed, value = computed.selectExpr("cast(value as string) value"), text_of(value)
        frames.append(computed)
        expected.append((row, value))
    computed = reduce(DataFrame.union, frames).collect()
    assert [
        (row, found.value) for (row, _), found in zip(expected, computed, strict=True)
    ] == expected


@pytest.mark.parametrize("call", COMPUTED)
def test_what_athena_computes(rendered, call):
    for row, value in COMPUTED[call]:
        assert trino.evaluate(rendered["athena"][call], **row) == value, row


@pytest.fixture(scope="module")
def staged(dbt, on_athena, spark):
    """What stg_car_events makes of the texts above, on both: a dict by text of a row as text."""
    texts = [*SAME, *DIFFERENT, *map(colour_of, NUMBERS)]
    columns = "record_id string, source_file string, ingested_at timestamp, raw_record string"
    columns += ", csv_as_json string, read_error string"
    ingested_at = datetime(2026, 1, 15)
    rows = [(str(i), "a.json", ingested_at, text, None, None) for i, text in enumerate(texts)]
    spark.createDataFrame(
        [tuple(map(in_utc, row)) for row in rows], columns
    ).createOrReplaceTempView("texts_of_events")

    compiled = {}
    for target, run in {"ci": dbt, "athena": on_athena}.items():
        select = ("--select", "stg_car_events", "--target", target)
        result = run("compile", "--no-introspect", *select)
        assert result.success, result.text
        compiled[target] = result.code["stg_car_events"]

    bronze = "ci_bronze.bronze_car_events"
    assert bronze in compiled["ci"]
    on_spark = spark.sql(compiled["ci"].replace(bronze, "texts_of_events"))
    # As text: Spark would give a time in the time zone of this machine.
    on_spark = on_spark.selectExpr(*(f"cast({name} as string)" for name in on_spark.columns))
    names = [column.partition(" ")[0] for column in columns.split(", ")]
    on_athena = trino.query(
        compiled["athena"],
        bronze_car_events=[dict(zip(names, row, strict=True)) for row in rows],
    )
    as_text = [{name: text_of(value) for name, value in row.items()} for row in on_athena]
    return {
        "spark": dict(zip(texts, (row.asDict() for row in on_spark.collect()), strict=True)),
        "athena": dict(zip(texts, as_text, strict=True)),
    }


def colour_of(number: str) -> str:
    return static(f'{{"color":{number}}}')


def in_utc(value):
    """A value as pyspark takes it, to which a time without a zone is one of this machine's."""
    return value.replace(tzinfo=timezone.utc) if isinstance(value, datetime) else value


def text_of(value) -> str | None:
    """A value as Spark casts it to text."""
    if isinstance(value, float):
        return trino.java_text(value)
    if isinstance(value, datetime):
        whole, _, fraction = value.isoformat(" ").partition(".")
        return f"{whole}.{fraction.rstrip('0')}" if fraction else whole
    return None if value is None else str(value)


@pytest.mark.parametrize("text", SAME)
def test_silver_is_the_same_for_an_event(staged, text):
    assert staged["athena"][text] == staged["spark"][text]


@pytest.mark.parametrize("text", DIFFERENT)
def test_where_silver_differs(staged, text):
    reasons = [staged[engine][text]["rejection_reason"] for engine in ("spark", "athena")]
    assert tuple(reasons) == DIFFERENT[text]
    # What is rejected, is there whole.
    for engine, reason in zip(("spark", "athena"), reasons, strict=True):
        assert staged[engine][text]["raw_record"] == (reason and text)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_for_a_text(staged, number):
    rows = [staged[engine][colour_of(number)] for engine in ("spark", "athena")]
    assert [row["rejection_reason"] for row in rows] == [None, None]
    assert [row["color"] for row in rows] == [number, NUMBERS[number]]
