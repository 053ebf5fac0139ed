"""`Difference` finds each row with a changed value, however small the change is."""

from contextlib import nullcontext

import pytest
from dbt_spark_contracts.increments import code, note
from dbt_spark_contracts.increments.difference import Difference
from dbt_spark_contracts.increments.differences import Differences
from dbt_spark_contracts.increments.history import Unknown
from dbt_spark_contracts.lineage.watch import Collected
from pyspark.sql import functions as F

# By name: a type, and two different values of it.
CHANGES = {
    "sign of zero": ("double", "0.0D", "-0.0D"),
    "number or null": ("float", "cast('NaN' as float)", "null"),
    "decimal": ("decimal(38, 18)", "0.000000000000000001", "0"),
    "capital": ("string", "'a'", "'A'"),
    "blank": ("string", "'a'", "'a '"),
    "bytes": ("binary", "X'00'", "X''"),
    "microsecond": ("timestamp", "timestamp_micros(1)", "timestamp_micros(2)"),
    "microsecond in a struct": (
        "struct<at: timestamp>",
        "named_struct('at', timestamp_micros(1))",
        "named_struct('at', timestamp_micros(2))",
    ),
    "microsecond in an array": (
        "array<timestamp_ntz>",
        "array(timestamp_ntz'2026-01-01 00:00:00.000001')",
        "array(timestamp_ntz'2026-01-01 00:00:00.000002')",
    ),
    "sign of zero in a struct": ("struct<v: double>", "struct(0.0D)", "struct(-0.0D)"),
    "a null in a struct": ("struct<v: int>", "named_struct('v', cast(null as int))", "null"),
    "a null in an array": ("array<int>", "array(cast(null as int))", "array()"),
    "a value of a map": ("map<string, int>", "map('a', 1)", "map('a', 2)"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_each_change_of_a_value_is_seen(spark, schema, change):
    kind, old, new = CHANGES[change]
    table = f"{schema}.t"
    spark.sql(f"create table {table} (id int, same int, v {kind}) using iceberg")
    spark.sql(f"insert into {table} values (1, 1, {old}), (2, 1, {old})")
    earlier = note.newest(spark, table)
    spark.sql(f"insert overwrite {table} values (1, 1, {new}), (2, 1, {old})")
    difference = Difference(spark, table, earlier, note.newest(spark, table))
    try:
        assert [row.id for row in difference.keys(["id"]).collect()] == [1]
        assert difference.is_of_rows()
    finally:
        difference.close()


def test_models_share_what_differs(spark, schema):
    """Several models of a command ask for the same difference. Its rows are computed once."""
    table = f"{schema}.t"
    spark.sql(f"create table {table} (id int, v map<string, double>) using iceberg")
    spark.sql(f"insert into {table} values (1, map('a', 0.0D)), (2, map('a', 0.0D))")
    earlier = note.newest(spark, table)
    spark.sql(f"insert overwrite {table} values (1, map('a', -0.0D)), (2, map('a', 0.0D))")
    differences = Differences()
    found = [differences.get(spark, table, earlier, note.newest(spark, table)) for _ in range(2)]
    assert found[0] is found[1]
    asked = [found[0].keys(["id"]), found[1].keys([F.col("v")["a"].cast("string").alias("a")])]
    assert [row[0] for frame in asked for row in sorted(frame.collect())] == [1, "-0.0", "0.0"]
    plans = [frame._jdf.queryExecution().executedPlan().toString() for frame in asked]
    assert all("InMemoryTableScan" in plan for plan in plans)
    before = spark.sparkContext._jsc.getPersistentRDDs().size()
    differences.close()
    assert spark.sparkContext._jsc.getPersistentRDDs().size() == before - 1


@pytest.mark.parametrize("name", ["os", "datetime", "pathlib", "locale", "our_rules", "numpy"])
def test_what_an_import_may_know_is_unknown(spark, name):
    frame = spark.range(1)
    with pytest.raises(Unknown, match=f"imports {name}, "):
        code.require_known(frame, f"def model(dbt, spark):\n    import {name}", Collected(), set())
    pure = "import re, math\nfrom decimal import Decimal\nfrom pyspark.sql import functions as F"
    code.require_known(frame, pure, Collected(), set())


@pytest.mark.parametrize(
    "day",
    [
        "cast('today' as date)",
        "cast(concat('to', 'day') as date)",
        "to_date(' Tomorrow')",
        "timestamp('yesterday UTC')",
        "cast('now' as timestamp_ntz)",
        "(select cast(concat('to', 'day') as date))",
    ],
)
def test_a_day_that_spark_takes_from_the_clock_is_unknown(spark, day):
    frame = spark.range(1).selectExpr("id", f"{day} as day")
    with pytest.raises(Unknown, match="on the clock"):
        code.require_known(frame, "", Collected(), set())


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("F.lit('today')", "today"),
        ("""F.expr("at > date 'yesterday'")""", "yesterday"),
        ("""F.expr(f"date'{('tomorrow')}'")""", "tomorrow"),
        ("F.expr(\"cast('epoch' as date)\"), 'nowhere', 'not now'", None),
    ],
)
def test_the_texts_of_a_model_may_name_a_day(spark, text, day):
    source = f'def model(dbt, spark):\n    """Today\'s cars."""\n    return {text}'
    told = pytest.raises(Unknown, match=f"its text '{day}' may be a day")
    with told if day else nullcontext():
        code.require_known(spark.range(1), source, Collected(), set())


def test_what_decides_about_rows_is_in_the_checksum():
    model = {"raw_code": "x", "contract": {"checksum": "c"}, "config": {"unique_key": "k"}}
    others = [
        model | {"raw_code": "y"},
        model | {"contract": {"checksum": "d"}},
        model | {"config": {"unique_key": ["k", "l"]}},
        model | {"constraints": [{"type": "check", "expression": "v > 0"}]},
    ]
    checksums = [code.checksum(each, {"a": 1}) for each in (model, *others)]
    checksums += [code.checksum(model, values) for values in ({"a": 2}, {"meta": [{"a": 1}, None]})]
    assert len({*checksums}) == len(checksums)
    assert code.checksum({**model}, {"a": 1}) == checksums[0]
