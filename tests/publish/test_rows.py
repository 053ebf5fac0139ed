"""Rows that are written with Iceberg's Java writer are unchanged, and need no Spark job."""

from datetime import datetime, timedelta, timezone

from dbt_spark_contracts.publish.rows import append

from tests.support.spark_work import counted

LONG_AGO = datetime(1901, 2, 3, 4, 5, 6, 7, tzinfo=timezone(timedelta(hours=5, minutes=30)))
ROWS = [
    {"text": "é\n\U0001f697'\"", "number": 2**62, "share": 0.1, "at": LONG_AGO},
    {
        "text": "",
        "number": -1,
        "share": 3.0,
        "at": datetime(2026, 10, 25, 0, 15, tzinfo=timezone.utc),
    },
    {"text": "no others", "number": None, "share": None, "at": None},
]


def test_values_and_summary(spark, schema):
    table = f"{schema}.rows"
    spark.sql(f"create namespace {schema}")
    spark.sql(f"create table {table} (text string, number bigint, share double, at timestamp)")
    with counted(spark) as work:
        append(spark, table, ROWS, {"a.b": "c"})
        append(spark, table, [], {})
    assert work.jobs == 0
    read = spark.table(table).selectExpr("text", "number", "share", "unix_micros(at) as micros")
    expected = [
        (row["text"], row["number"], row["share"], row["at"] and _micros(row["at"])) for row in ROWS
    ]
    with counted(spark) as by_spark:
        found = read.collect()
    assert by_spark.jobs > 0, "a job is seen"
    assert sorted(map(tuple, found), key=repr) == sorted(expected, key=repr)
    (snapshot,) = spark.table(f"{table}.snapshots").collect()
    assert snapshot.operation == "append" and snapshot.summary["a.b"] == "c"
    assert snapshot.summary["total-records"] == "3" and snapshot.summary["total-data-files"] == "1"


def _micros(time: datetime) -> int:
    return (time - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(microseconds=1)
