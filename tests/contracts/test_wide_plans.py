"""The cost of reading a plan grows with its columns plus its steps, not with their product."""

import sys
from collections.abc import Callable

import pytest
from dbt_spark_contracts.compat import pyspark
from dbt_spark_contracts.lineage.model import trace
from dbt_spark_contracts.plan import nodes
from dbt_spark_contracts.plan.steps import named
from dbt_spark_contracts.plan.uniqueness import Uniqueness
from dbt_spark_contracts.spark_plan import never_null
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from tests.support.spark_work import Work, counted

MODEL = {
    "relation_name": "lake.gold.m",
    "unique_id": "model.x.m",
    "language": "sql",
    "checksum": {"checksum": "1"},
}
COLUMNS, STEPS = 300, 20


def reading(frame: DataFrame) -> Work:
    """Return the work that reading the frame's plan takes."""
    with counted(frame.sparkSession) as work:
        nodes.analyzed_plan(frame)
    assert work.jobs == 0
    return work


def base(spark, columns: int) -> DataFrame:
    """Return a frame with this number of columns."""
    return spark.range(1).select(*[F.col("id").alias(f"c{n}") for n in range(columns)])


def added(spark, steps: int, columns: int) -> DataFrame:
    """Return a frame whose steps each filter and add a column."""
    frame = base(spark, columns)
    for step in range(steps):
        frame = frame.where(f"c{step} is not null").withColumn(f"s{step}", F.col("c0") + step)
    return frame


def replaced(spark, steps: int, columns: int) -> DataFrame:
    """Return a frame whose steps each replace a column."""
    frame = base(spark, columns)
    for step in range(steps):
        frame = frame.withColumn(f"c{step}", F.col(f"c{step + 1}") + step)
    return frame


def renamed_and_dropped(spark, steps: int, columns: int) -> DataFrame:
    """Return a frame whose steps each rename a column and drop another."""
    frame = base(spark, columns)
    for step in range(steps // 2):
        frame = frame.withColumnRenamed(f"c{2 * step}", f"n{step}").drop(f"c{2 * step + 1}")
    return frame


def deep_ctes(spark, steps: int) -> DataFrame:
    """Return a frame of nested common table expressions, each on the one before."""
    parts = ["t0 as (select id as c0 from range(1))"]
    for step in range(1, steps):
        parts.append(f"t{step} as (select *, c0 + {step} as c{step} from t{step - 1})")
    return spark.sql(f"with {', '.join(parts)} select * from t{steps - 1}")


SHAPES = {function.__name__: function for function in (added, replaced, renamed_and_dropped)}


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param(shape, marks=[] if shape == "renamed_and_dropped" else pytest.mark.slow)
        for shape in SHAPES
    ],
)
def test_what_is_read_grows_with_columns_and_steps_apart(spark, shape):
    make: Callable[..., DataFrame] = SHAPES[shape]
    none, some = (reading(make(spark, steps, COLUMNS)) for steps in (0, STEPS))
    assert some.characters - none.characters < 5_000 * STEPS, "a step costs what it makes"
    assert 0 < some.calls - none.calls < 50 * STEPS
    wider = reading(make(spark, STEPS, 2 * COLUMNS))
    assert wider.calls - some.calls < STEPS, "a column costs no call"
    whole = pyspark.analyzed_plan(make(spark, STEPS, COLUMNS)).toJSON()
    assert len(whole) > 8 * some.characters, "this is how much Spark itself writes"


def test_a_job_is_counted(spark):
    """So that the zero jobs of `reading` say something."""
    with counted(spark) as work:
        base(spark, 1).collect()
    assert work.jobs > 0


@pytest.mark.parametrize("shape", SHAPES)
def test_it_is_the_plan_that_spark_writes(spark, shape):
    frame = SHAPES[shape](spark, 6, 250)  # with this many columns, a step stores only its changes
    step = nodes.analyzed_plan(frame)
    plan = pyspark.analyzed_plan(frame)
    changes = 0
    while True:
        assert plan.getClass().getName().endswith(f".{step.kind}")
        columns = [(c.exprId().id(), c.name()) for c in pyspark.elements(plan.output())]
        assert named(step) == columns
        changes += nodes.DROPPED in step.fields
        if not step.children:
            break
        (step,), plan = step.children, plan.children().apply(0)
    assert changes >= 3


def test_lineage_of_a_wide_plan(spark):
    frame = added(spark, STEPS, COLUMNS)
    assert never_null(frame, frame.columns) == frame.columns
    entry = trace(frame, MODEL, {})
    assert [*entry.columns] == frame.columns
    assert not any(column.untraced for column in entry.columns.values())


def test_steps_may_be_deeper_than_python_calls_go(spark):
    """The recursion limit is below the depth of these nested common table expressions."""
    deep = 40
    before = sys.getrecursionlimit()
    frame = deep_ctes(spark, deep)
    frames, depth = sys._getframe(), 0
    while frames:
        frames, depth = frames.f_back, depth + 1
    sys.setrecursionlimit(depth + 60)
    try:
        plan = nodes.analyzed_plan(frame)
        told = named(plan)
    finally:
        sys.setrecursionlimit(before)
    assert [name for _, name in told] == frame.columns
    entry = trace(frame, MODEL, {})
    assert not any(column.untraced for column in entry.columns.values())


def test_names_that_look_like_numbers_of_columns(spark):
    names = ["a#1", "b#2, c#3L", "#", "d#4-T5ms", "e\x01f", "g\x02#5", "h\n#6"]
    frame = spark.range(1).select(*[F.lit(n).alias(name) for n, name in enumerate(names)])
    frame = frame.withColumn("x", F.lit(None).cast("string")).withColumn("y", F.lit(1))
    assert never_null(frame, frame.columns) == [*names, "y"]
    assert [*trace(frame, MODEL, {}).columns] == [*names, "x", "y"]


def projected(spark, steps: int, columns: int) -> DataFrame:
    """Return a frame whose steps each add a column. Spark's own analysis would take minutes."""
    jvm = pyspark.java_classes(spark)
    sequence = jvm.scala.collection.immutable.Seq.canBuildFrom()
    plan = pyspark.analyzed_plan(base(spark, columns))
    for step in range(steps):
        one = pyspark.analyzed_plan(spark.range(1).select(F.lit(step).alias(f"s{step}")))
        listed = plan.output().union(one.projectList(), sequence)
        plan = jvm.org.apache.spark.sql.catalyst.plans.logical.Project(listed, plan)
    frame = jvm.org.apache.spark.sql.Dataset.ofRows(pyspark.java_session(spark), plan)
    return DataFrame(frame, spark)


@pytest.mark.full
def test_five_thousand_columns_and_five_hundred_steps(spark):
    """This fits the driver memory of a laptop and of the tests, 2 GB."""
    small, large = (projected(spark, 500, columns) for columns in (1_000, 5_000))
    narrow, wide = reading(small), reading(large)
    assert wide.calls - narrow.calls < 500
    assert wide.characters < 5 * 10**6
    assert len(never_null(large, large.columns)) == 5_500
    entry = trace(large, MODEL, {})
    assert len(entry.columns) == 5_500
    assert not any(column.untraced for column in entry.columns.values())
    assert Uniqueness(nodes.analyzed_plan(large), {}, True).is_proven([0])
