"""The guard adds no statement, no Spark job and no analysis of the plan to a model.

A model's own work is one analysis of its plan, its write and, for a Python model, its checkpoint.
"""

import shutil

import pytest

from tests.support.dbt_runner import make_project
from tests.support.spark_work import counted, statements

SCHEMA = "budget"

SOURCE = "select id, v from values (1L, 'a'), (1L, 'b'), (2L, 'a') as given (id, v)"
PIVOT = """
-- a comment, a hint, a common table expression and a `set` of Jinja
{% set values = "'a' as a, 'b' as b" %}
with source as (
    select /*+ coalesce(1) */ id, v, 1L as n from {{ ref('source') }} where id is not null
)
select * from source pivot (sum(n) for v in ({{ values }}))
"""
PYTHON = """
from pyspark.sql import functions as F


def model(dbt, spark):
    rows = dbt.ref("source").where("id is not null").coalesce(1)
    return rows.groupBy("id").pivot("v", ["a", "b"]).agg(F.sum(F.lit(1).cast("bigint")))
"""
YML = """
models:
  - name: {name}
    config:
      materialized: {materialized}
      unique_key: id
      on_schema_change: fail
      contract: {{enforced: true}}
    columns:
      - {{name: id, data_type: bigint, constraints: [{{type: not_null}}]}}
      - {{name: a, data_type: bigint}}
      - {{name: b, data_type: bigint}}
"""
UNIT_TEST = """
unit_tests:
  - name: a_pivot
    model: sql_table
    given:
      - input: ref('source')
        format: sql
        rows: select 7L as id, 'a' as v
    expect:
      rows: [{id: 7, a: 1, b: null}]
  - name: another
    model: sql_table
    given:
      - input: ref('source')
        format: sql
        rows: select 7L as id, 'a' as v
    expect: {format: sql, rows: "select 7L as id, 1L as a, 2L as b"}
"""
WAYS = [(language, kind) for language in ("sql", "python") for kind in ("table", "incremental")]

# SQL statements on the model's connection: query and write of a SQL model, write of a Python model.
STATEMENTS = {
    ("sql", "first"): 2,
    ("sql", "later"): 2,
    ("python", "first"): 1,
    ("python", "later"): 1,
    ("seed", "first"): 1,
    ("seed", "later"): 0,  # its file has not changed
}


@pytest.fixture(scope="module")
def project(dbt, tmp_path_factory):
    files = {
        "models/source.sql": SOURCE,
        "models/unit_test.yml": UNIT_TEST,
        "seeds/s.csv": "id,v\n1,a\n2,b\n",
        "seeds/s.yml": "seeds: [{name: s, config: {file_format: iceberg}}]",
    }
    for language, materialized in WAYS:
        name = f"{language}_{materialized}"
        code, ending = (PIVOT, "sql") if language == "sql" else (PYTHON, "py")
        files[f"models/{name}.{ending}"] = code
        files[f"models/{name}.yml"] = YML.format(name=name, materialized=materialized)
    project = make_project(dbt, tmp_path_factory.mktemp("budget"), files)
    result = project("run", "--select", "source", schema=SCHEMA)
    assert result.success, result.text
    return project


@pytest.fixture(scope="module")
def runs(project, spark):
    """Return dbt's log and Spark's work for the first and a later run of each model."""
    runs = {}
    for when in ("first", "later"):
        for language, materialized in WAYS:
            with counted(spark) as work:
                result = project("run", "-s", f"{language}_{materialized}", schema=SCHEMA)
            assert result.success, result.text
            runs[language, materialized, when] = result.text, work
        with counted(spark) as work:
            result = project("seed", schema=SCHEMA)
        assert result.success, result.text
        runs["seed", "seed", when] = result.text, work
    return runs


def jobs_by_hand(spark, language: str, materialized: str, when: str) -> int:
    """Count the Spark jobs of the same write and checkpoint in plain Spark."""
    table = f"{SCHEMA}.by_hand"
    by_hand = f"{spark.conf.get('spark.checkpoint.dir')}/hand"
    source = f"(select /*+ coalesce(1) */ id, v, 1L as n from {SCHEMA}.source where id is not null)"
    pivot = f"select * from {source} pivot (sum(n) for v in ('a' as a, 'b' as b))"
    spark.sql(f"drop table if exists {table}")
    spark.sql(f"create table {table} (id bigint not null, a bigint, b bigint) using iceberg")
    overwrite = f"insert into {table} replace where true select id, a, b from staged_by_hand"
    spark.sql(pivot).createOrReplaceTempView("staged_by_hand")
    if when == "later":
        spark.sql(overwrite)
    with counted(spark) as work:
        if language == "python":
            frame = spark.table("staged_by_hand")
            spark.sparkContext.setCheckpointDir(by_hand)
            frame.checkpoint().createOrReplaceTempView("staged_by_hand")
        if (materialized, when) == ("incremental", "later"):
            spark.sql(f"""
                merge into {table} as old using staged_by_hand as new on old.id = new.id
                when matched then update set * when not matched then insert *
            """)
        else:
            spark.sql(overwrite)
    spark.catalog.dropTempView("staged_by_hand")
    spark.sql(f"drop table {table} purge")
    shutil.rmtree(by_hand, ignore_errors=True)  # Spark never deletes a checkpoint
    return work.jobs


@pytest.mark.parametrize("when", ["first", "later"])
@pytest.mark.parametrize(("language", "materialized"), [*WAYS, ("seed", "seed")])
def test_statements(runs, language, materialized, when):
    name = "s" if language == "seed" else f"{language}_{materialized}"
    kind = "seed" if language == "seed" else "model"
    text, _ = runs[language, materialized, when]
    assert statements(text, f"{kind}.small.{name}") == STATEMENTS[language, when]


@pytest.mark.parametrize("when", ["first", "later"])
@pytest.mark.parametrize(("language", "materialized"), [*WAYS, ("seed", "seed")])
def test_no_statement_but_the_models(runs, language, materialized, when):
    """dbt and the guard send no SQL before or after the model."""
    text, _ = runs[language, materialized, when]
    assert statements(text) == STATEMENTS[language, when]


@pytest.mark.parametrize("when", ["first", "later"])
@pytest.mark.parametrize(("language", "materialized"), WAYS)
def test_jobs(runs, spark, language, materialized, when):
    """A model has the same jobs as the same write in plain Spark."""
    _, work = runs[language, materialized, when]
    assert work.jobs == jobs_by_hand(spark, language, materialized, when) > 0


@pytest.mark.parametrize("when", ["first", "later"])
def test_jobs_of_a_seed(runs, when):
    assert runs["seed", "seed", when][1].jobs == STATEMENTS["seed", when]


@pytest.mark.parametrize("when", ["first", "later"])
@pytest.mark.parametrize(("language", "materialized"), WAYS)
def test_the_models_plan_is_analyzed_once(runs, language, materialized, when):
    _, work = runs[language, materialized, when]
    assert work.pivots == 1


def test_a_unit_test_analyzes_its_model_once(project, runs, spark):
    """It also shows the difference if the expected rows are a query."""
    for name, passes in (("a_pivot", True), ("another", False)):
        with counted(spark) as work:
            result = project("test", "--select", f"test_name:{name}", schema=SCHEMA)
        assert result.success == passes, result.text
        assert work.pivots == 1
        assert statements(result.text) == 2
        assert (" differs from " in result.text) != passes


# The counters work


def test_an_analysis_is_counted_each_time(spark):
    pivot = "select * from values (1, 'a') as t (n, v) pivot (sum(n) for v in ('a'))"
    with counted(spark) as work:
        pass
    assert work.pivots == 0
    with counted(spark) as work:
        for _ in range(3):
            spark.sql(pivot)
    assert work.pivots == 3
    spark.sql(f"create or replace temporary view keeps_text as {pivot}")
    spark.sql(pivot).createOrReplaceTempView("keeps_the_plan")
    for view, analyses in (("keeps_text", 2), ("keeps_the_plan", 0)):
        with counted(spark) as work:
            spark.table(view)
            spark.sql(f"select * from {view} where true")
        assert work.pivots == analyses
        spark.catalog.dropTempView(view)


def test_a_job_is_counted(spark):
    with counted(spark) as work:
        spark.range(3)
    assert work.jobs == 0
    with counted(spark) as work:
        spark.range(3).foreach(lambda row: None)
        spark.sql("select current_catalog()").collect()
    assert work.jobs == 2


def test_a_statement_is_counted(project):
    """The guard sends no statement here, so this one comes from a macro."""
    result = project(
        "run-operation", "run_query", "--args", "{sql: select 1 as one}", schema=SCHEMA
    )
    assert result.success, result.text
    assert statements(result.text) == 1
