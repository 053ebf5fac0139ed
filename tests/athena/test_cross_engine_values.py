"""The values that Spark and Trino compute with the cross-engine macros.

The tests that need Trino are in the tier `engines`.
"""

from datetime import date, datetime, timezone
from functools import reduce

import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

KEYS = '"event_id":"e","carChassis":"c","event_primary_timestamp":"2025-11-04T14:30:00Z"'
EVENT = "{" + KEYS + "}"


def event(rest: str) -> str:
    return "{" + KEYS + "," + rest + "}"


def static(data: str) -> str:
    return event('"vehicle_static_info":{"data":' + data + "}")


# Each macro call, with rows of its input columns and the expected values.
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
        *(({"a": text}, 4.0) for text in ("4", "4.", "+4", "4.0", "40e-1", "0.4E+1")),
        ({"a": ".5"}, 0.5),
        ({"a": "-0.0"}, 0.0),
        ({"a": "1e-400"}, 0.0),
        *(
            ({"a": text}, None)
            for text in (
                "",
                " 4",
                "4 ",
                "4\n",
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
        ({"a": "-2147483648"}, -2147483648),
        *(({"a": text}, None) for text in ("2025.5", "2147483648", "-2147483649", "new", "", None)),
    ],
    "text_to_date('a')": [
        ({"a": "2026-01-15"}, date(2026, 1, 15)),
        ({"a": "2024-02-29"}, date(2024, 2, 29)),
        ({"a": "0001-01-01"}, date(1, 1, 1)),
        *(
            ({"a": text}, None)
            for text in (
                *("2026-02-30", "0000-01-01", "2026-1-15", "2026-01-15 ", "2026-01-15T00:00:00Z"),
                *("2026-01-15\n", "", None),
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
        # A fraction is truncated, not rounded.
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

# Texts for which Silver gives the same result on both engines.
SAME = [
    *(EVENT, "{}", "null", "1", '"x"', "true", "[]", "[1]", f"[{EVENT}]", "", " ", "\n"),
    # More than one JSON value, or an incomplete one.
    *("1,2", f"{EVENT},1", f"1,{EVENT}", "null,null", f"{EVENT},null", f"null,{EVENT}"),
    *(f"{EVENT},{EVENT}", f"{EVENT}{EVENT}", f"{EVENT} {EVENT}", f"{EVENT}] [{EVENT}"),
    *(f"{EVENT}],[{EVENT}", f"{EVENT}]", f"{EVENT},", f"{EVENT}//x", EVENT[:-1], f"\ufeff{EVENT}"),
    # JSON, or almost JSON.
    *("]", "],[", "1]", "'x'"),
    *("{'event_id':'e'}", "{event_id:1}", event('"a":01'), event('"a":"\t"'), event('"a":1,')),
    event('"a":"\\u0000","b":[{"c":[]}],"d":' + "[" * 50 + "]" * 50),
    # Names that match a known key only if case is ignored.
    event('"EVENT_ID":"x","Event_id":"y"'),
    event('"a":NaN'),
    # Values that are not texts, or look like something else.
    *(static(f'{{"color":{value}}}') for value in ("150", "true", "null", '"null"', '"{x}"')),
    *(static(f'{{"color":{value}}}') for value in ("[]", "{}", "[null]", '{"a":"1"}')),
    static('{"color":12345678901234567890123}'),
    '{"event_id":{"a":"1"},"carChassis":["1"],"event_primary_timestamp":5}',
    '{"event_id":" e ","carChassis":"\u00a0","event_primary_timestamp":"2025-11-04T14:30:00Z"}',
    # Values that are not objects.
    *(static(value) for value in ('""', "[]", "[{}]", "1", "null")),
    event('"vehicle_static_info":"x","trip_data":{"trip_summary":5}'),
    event('"vehicle_static_info":[{"data":1}]'),
    # Values that are not of the column's type.
    *(static(f'{{"year":{value}}}') for value in ("2024", "2024.0", "2024.5", "[1,2]", "true")),
    *(static(f'{{"fuelCapacityLiters":{value}}}') for value in ('"4.1e1"', '""', '"much"', "1e3")),
    # Older versions of Trino sort the keys in the reason of a rejection.
    static('{"year":{"b":1,"a":2}}'),
    static('{"year":"' + "x" * 100 + '","color":[]}'),
]

# Texts for which Silver differs (see docs/athena.md): the rejection reasons on Spark and Athena.
DIFFERENT = {
    # A repeated key: on Athena the last value is used.
    static('{"color":"a","color":"b"}'): ("an object has the key color twice", None),
    event('"vehicle_static_info":{"data":{"color":"a"}},"vehicle_static_info":{"data":{}}'): (
        "an object has the key vehicle_static_info twice",
        None,
    ),
    static('{"fuelCapacityLiters":1e400}'): (
        'vehicle_static_info.data.fuelCapacityLiters is not a number: "Infinity"',
        "vehicle_static_info.data.fuelCapacityLiters is not a number: Infinity",
    ),
}

# A number where a text is expected: Spark keeps it as sent, Athena as its JSON parser writes it.
NUMBERS = {
    "1.50": "1.5",
    "1e2": "100.0",
    "-0.0": "-0.0",
    "0.1234567890123456789": "0.12345678901234568",
}


@pytest.fixture(scope="module")
def rendered(render):
    """Return the rendered SQL by target and call."""
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
        frames.append(without_zone(computed))
        expected.append((row, value))
    computed = reduce(DataFrame.union, frames).collect()
    assert [
        (row, found.value) for (row, _), found in zip(expected, computed, strict=True)
    ] == expected


@pytest.mark.engines
@pytest.mark.parametrize("call", COMPUTED)
def test_what_trino_computes(athena, rendered, call):
    selects = []
    for place, (row, _) in enumerate(COMPUTED[call]):
        values = ", ".join(map(literal, row.values()))
        table = f"(values ({values})) as t ({', '.join(row)})"
        selects.append(f"select {place} as place, {rendered['athena'][call]} as value from {table}")
    found = athena.sql(f"{' union all '.join(selects)} order by place")
    assert [
        (row, value) for (row, _), (_, value) in zip(COMPUTED[call], found, strict=True)
    ] == COMPUTED[call]


def literal(value) -> str:
    """Return a value as a Trino literal."""
    if isinstance(value, datetime):
        return f"timestamp '{value.isoformat(' ', 'microseconds')}'"
    if isinstance(value, date):
        return f"date '{value}'"
    if isinstance(value, str):
        value = "'" + value.replace("'", "''") + "'"
        return f"cast({value} as varchar)"
    return "cast(null as varchar)" if value is None else str(value)


TEXTS = [*SAME, *DIFFERENT, *(static(f'{{"color":{number}}}') for number in NUMBERS)]
COLUMNS = "record_id string, source_file string, ingested_at timestamp, raw_record string"
COLUMNS += ", csv_as_json string, read_error string"
ROWS = [
    (str(place), "a.json", datetime(2026, 1, 15), text, None, None)
    for place, text in enumerate(TEXTS)
]
BRONZE = "ci_bronze.bronze_car_events"


@pytest.fixture(scope="module")
def on_spark(dbt, spark) -> dict[str, dict]:
    """Return the row of stg_car_events for each text above, computed on Spark."""
    rows = [tuple(map(in_utc, row)) for row in ROWS]
    spark.createDataFrame(rows, COLUMNS).createOrReplaceTempView("texts_of_events")
    code = compiled(dbt, "ci")
    assert BRONZE in code
    found = without_zone(spark.sql(code.replace(BRONZE, "texts_of_events"))).collect()
    return dict(zip(TEXTS, (row.asDict() for row in found), strict=True))


@pytest.fixture(scope="module")
def on_trino(athena, on_athena) -> dict[str, dict]:
    """Return the row of stg_car_events for each text above, computed on Trino."""
    names = ", ".join(column.partition(" ")[0] for column in COLUMNS.split(", "))
    values = ", ".join(f"({', '.join(map(literal, row))})" for row in ROWS)
    location = f"location='s3://{athena.bucket}/texts'"
    properties = f"table_type='iceberg', is_external=false, {location}, format='parquet'"
    query = f"select * from (values {values}) as t ({names})"
    athena.sql("create schema if not exists `ci_bronze`")
    athena.sql(f"create table {BRONZE} with ({properties}) as {query}")
    code = compiled(on_athena, "athena")
    names = [name for name, *_ in athena.trino(f"{code} limit 0", "default").description]
    rows = [dict(zip(names, row, strict=True)) for row in athena.sql(code)]
    places = {row["record_id"]: row for row in rows}
    return {text: places[str(place)] for place, text in enumerate(TEXTS)}


def compiled(run, target: str) -> str:
    """Return the compiled SQL of stg_car_events for a target."""
    select = ("--select", "stg_car_events", "--target", target)
    result = run("compile", "--no-introspect", *select)
    assert result.success, result.text
    return result.code["stg_car_events"]


def in_utc(value):
    """Return a datetime with time zone UTC: pyspark reads one without a zone as local time."""
    return value.replace(tzinfo=timezone.utc) if isinstance(value, datetime) else value


def without_zone(frame: DataFrame) -> DataFrame:
    """Return the frame with timestamps cast to UTC times without a time zone."""
    return frame.select(
        [
            F.col(name).cast("timestamp_ntz" if kind == "timestamp" else kind).alias(name)
            for name, kind in frame.dtypes
        ]
    )


@pytest.mark.engines
@pytest.mark.parametrize("text", SAME)
def test_silver_is_the_same_for_an_event(on_spark, on_trino, text):
    assert on_trino[text] == on_spark[text]


@pytest.mark.parametrize("text", DIFFERENT)
def test_where_silver_differs_spark(on_spark, text):
    assert judged(on_spark[text]) == (DIFFERENT[text][0], DIFFERENT[text][0] and text)


@pytest.mark.engines
@pytest.mark.parametrize("text", DIFFERENT)
def test_where_silver_differs_trino(on_trino, text):
    assert judged(on_trino[text]) == (DIFFERENT[text][1], DIFFERENT[text][1] and text)


def judged(row: dict) -> tuple:
    """Return the rejection reason and the raw record, which is kept for rejected events only."""
    return row["rejection_reason"], row["raw_record"]


@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_for_a_text_spark(on_spark, number):
    row = on_spark[static(f'{{"color":{number}}}')]
    assert (row["rejection_reason"], row["color"]) == (None, number)


@pytest.mark.engines
@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_for_a_text_trino(on_trino, number):
    row = on_trino[static(f'{{"color":{number}}}')]
    assert (row["rejection_reason"], row["color"]) == (None, NUMBERS[number])
