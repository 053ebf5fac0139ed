"""The rows of changed keys: the bounds that spare files leave out no row of theirs."""

import pytest
from dbt_spark_contracts.increments.among import among
from pyspark.sql import functions as F

# Micros: the hour that Berlin repeats in autumn, before and after; and far away.
HOURS = ("2026-10-25 00:15:00Z", "2026-10-25 01:15:00Z", "1901-01-01 00:00:00.000001Z", None)
ROWS = f"""
    select id, s, n, cast(d as date) as d, to_timestamp(t) as t, x from values
        (1, 'a', 1, '2026-01-01', '{HOURS[0]}', 1.5D),
        (2, 'b', -1, '0001-01-01', '{HOURS[1]}', double('NaN')),
        (3, '', 2147483647, null, '{HOURS[2]}', -0.0D),
        (4, null, null, '9999-12-31', null, null),
        (5, 'ü', 1, '2026-01-01', '{HOURS[0]}', 0.0D),
        (6, 'z\\u0000', 5, '2026-06-01', '{HOURS[1]}', 1.5D)
    as t(id, s, n, d, t, x)
"""
BY = ("s", "n", "d", "t", "x")


@pytest.fixture(params=[pytest.param("UTC", marks=pytest.mark.slow), "Europe/Berlin"])
def rows(spark, request):
    before = spark.conf.get("spark.sql.session.timeZone")
    spark.conf.set("spark.sql.session.timeZone", request.param)
    yield spark.sql(ROWS).cache()
    spark.conf.set("spark.sql.session.timeZone", before)


def test_the_rows_of_changed_keys(rows):
    """Also of those that are null, and of expressions."""
    for by in (*((name,) for name in BY), ("s", "d", "t"), BY):
        for chosen in ((1,), (2, 3), (1, 4), ()):
            changed = rows.where(F.col("id").isin(*chosen)).select(*by)
            expected = rows.alias("r").join(
                changed.toDF(*(f"{name}_c" for name in by)).alias("c"),
                F.expr(" and ".join(f"r.{name} <=> c.{name}_c" for name in by)),
                "left_semi",
            )
            found = {row.id for row in among(rows, by, changed).collect()}
            assert found == {row.id for row in expected.collect()} >= set(chosen), (by, chosen)
    upper = [F.upper("s").alias("upper"), "n"]
    changed = rows.where("id = 1").select(*upper)
    assert [row.id for row in among(rows, upper, changed).collect()] == [1]


def test_a_column_bounds_what_is_read(rows):
    """The conditions are of literals, which Iceberg knows."""
    changed = rows.where("id in (1, 2)").select("s", "t")
    plan = among(rows, ["s", "t"], changed)._jdf.queryExecution().optimizedPlan().toString()
    assert "s#" in plan and ">= a" in plan and "<= b" in plan
    assert "timestamp_micros" not in plan
