"""A plan is read in one go with its columns and steps, and not with their product."""

import json

from dbt_spark_contracts.compat import pyspark
from dbt_spark_contracts.lineage.model import trace
from dbt_spark_contracts.plan import nodes
from dbt_spark_contracts.spark_plan import never_null
from pyspark.sql import functions as F

MODEL = {
    "relation_name": "lake.gold.m",
    "unique_id": "model.x.m",
    "language": "sql",
    "checksum": {"checksum": "1"},
}
COLUMNS, STEPS = 400, 30


def wide(spark, steps: int = STEPS, columns: int = COLUMNS):
    """That many columns through that many projections, each of which adds one."""
    frame = spark.range(1).select(*[F.col("id").alias(f"c{n}") for n in range(columns)])
    for step in range(steps):
        frame = frame.where(f"c{step} is not null").withColumn(f"s{step}", F.col("c0") + step)
    return frame


def read_texts(monkeypatch) -> list[str]:
    """All JSON that is read of a plan from here on."""
    texts: list[str] = []

    class Counting:
        @staticmethod
        def loads(text: str):
            texts.append(text)
            return json.loads(text)

    monkeypatch.setattr(nodes, "json", Counting)
    return texts


def test_what_is_read_grows_with_columns_and_steps_apart(spark, monkeypatch):
    sizes = []
    for steps in (0, STEPS):
        frame = wide(spark, steps)
        texts = read_texts(monkeypatch)
        plan = nodes.analyzed_plan(frame)
        sizes.append(sum(map(len, texts)))
    assert len(plan) > 2 * STEPS
    assert sizes[1] - sizes[0] < 4_000 * STEPS, "a step costs what it makes, not what it hands on"
    whole = len(pyspark.analyzed_plan(frame).toJSON())
    assert whole > 10 * sizes[1], "this is how much Spark itself writes"


def test_it_is_the_plan_that_spark_writes(spark):
    frame = wide(spark, 3, 5)
    found = nodes.analyzed_plan(frame)
    written = json.loads(pyspark.analyzed_plan(frame).toJSON())
    assert [node["class"] for node in found] == [node["class"] for node in written]
    assert [node["num-children"] for node in found] == [node["num-children"] for node in written]
    for ours, theirs in zip(found, written, strict=True):
        listed = [node.get("projectList", []) for node in (ours, theirs)]
        numbers = [[named[0]["exprId"]["id"] for named in each] for each in listed]
        assert numbers[0] == numbers[1]


def test_what_is_told_of_a_wide_plan(spark):
    frame = wide(spark)
    assert never_null(frame, frame.columns) == frame.columns
    entry = trace(frame, MODEL, {})
    assert [*entry["columns"]] == frame.columns
    assert not any(column["untraced"] for column in entry["columns"].values())


def test_names_that_look_like_numbers_of_columns(spark):
    names = ["a#1", "b#2, c#3L", "#", "d#4-T5ms"]
    frame = spark.range(1).select(*[F.lit(n).alias(name) for n, name in enumerate(names)])
    frame = frame.withColumn("x", F.lit(None).cast("string")).withColumn("y", F.lit(1))
    assert never_null(frame, frame.columns) == [*names, "y"]
    assert [*trace(frame, MODEL, {})["columns"]] == [*names, "x", "y"]
