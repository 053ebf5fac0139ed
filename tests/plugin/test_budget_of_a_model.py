"""The guard adds no statement, no Spark job and no analysis of the plan to a model or a data test.

A model's own work is one analysis of its plan, its write and, for a Python model, its checkpoint.
That of a data test is one query. The project has what costs most: the two hooks of write, audit,
publish, contracts, and a marked column that each model reads from another schema.
"""

import shutil

import pytest

from tests.support.dbt_runner import AUDITED, make_project
from tests.support.spark_work import counted, statements

SOURCE = """
{{ config(schema='silver') }}
select * from values (1L, 'a', 's'), (1L, 'b', 's'), (2L, 'a', 's') as given (id, v, secret)
"""
MARK = """
models:
  - name: source
    columns: [{name: secret, config: {meta: {silver_only: true}}}]
"""
LEAK = "select secret as renamed from {{ ref('source') }}"
PIVOT = """
-- a comment, a hint, a common table expression and a `set` of Jinja
{% set values = "'a' as a, 'b' as b" %}
with source as (
    select /*+ coalesce(1) */ id, v, 1L as n from {{ ref('source') }} where secret is not null
)
select * from source pivot (sum(n) for v in ({{ values }}))
"""
PYTHON = """
from pyspark.sql import functions as F


def model(dbt, spark):
    rows = dbt.ref("source").where("secret is not null").coalesce(1)
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
    data_tests: {data_tests}
    columns:
      - {{name: id, data_type: bigint, constraints: [{{type: not_null}}]}}
      - {{name: a, data_type: bigint}}
      - {{name: b, data_type: bigint}}
"""
# A data test with a pivot, so that its analyses are counted, too.
FAILURES = """
select * from (select id, 'a' as v from {table}) pivot (count(id) for v in ('a' as n)) where n < 0
"""
GENERIC = f"{{% test pivoted(model) %}}{FAILURES.format(table='{{ model }}')}{{% endtest %}}"
DATA_TESTS = ("generic", "singular")
UNIT_TEST = """
unit_tests:
  - name: a_pivot
    model: sql_table
    given:
      - input: ref('source')
        format: sql
        rows: select 7L as id, 'a' as v, 's' as secret
    expect:
      rows: [{id: 7, a: 1, b: null}]
  - name: another
    model: sql_table
    given:
      - input: ref('source')
        format: sql
        rows: select 7L as id, 'a' as v, 's' as secret
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
# What a data test adds to a build: the statements, and the analyses of its query.
QUERIES = {
    "first": 1,
    "later": 0,  # it has passed on the same rows
}


@pytest.fixture(scope="module")
def project(dbt, spark, tmp_path_factory, module_schema):
    files = {
        "dbt_project.yml": AUDITED,
        "models/source.sql": SOURCE,
        "models/source.yml": MARK,
        "models/leak.sql": LEAK,
        "tests/generic/pivoted.sql": GENERIC,
        "tests/singular.sql": FAILURES.format(table="{{ ref('sql_table') }}"),
        "models/unit_test.yml": UNIT_TEST,
        "seeds/s.csv": "id,v\n1,a\n2,b\n",
        "seeds/s.yml": "seeds: [{name: s, config: {file_format: iceberg}}]",
    }
    for language, materialized in WAYS:
        name = f"{language}_{materialized}"
        code, ending = (PIVOT, "sql") if language == "sql" else (PYTHON, "py")
        files[f"models/{name}.{ending}"] = code
        tests = "[pivoted]" if name == "sql_table" else "[]"
        files[f"models/{name}.yml"] = YML.format(
            name=name, materialized=materialized, data_tests=tests
        )
    project = make_project(dbt, tmp_path_factory.mktemp("budget"), files)
    spark.sql(f"create namespace {module_schema}")  # or dbt would, before the first model
    result = project("run", "--select", "source", schema=module_schema)
    assert result.success, result.text
    return project


@pytest.fixture(scope="module")
def runs(project, spark, module_schema):
    """Return dbt's log and Spark's work for the first and a later run of each model."""
    runs = {}
    for when in ("first", "later"):
        for language, materialized in WAYS:
            with counted(spark) as work:
                result = project("run", "-s", f"{language}_{materialized}", schema=module_schema)
            assert result.success, result.text
            assert "Published 1 table" in result.text
            runs[language, materialized, when] = result.text, work
        with counted(spark) as work:
            result = project("seed", schema=module_schema)
        assert result.success, result.text
        runs["seed", "seed", when] = result.text, work
    return runs


@pytest.fixture(scope="module")
def tested(project, runs, spark, module_schema):
    """Return dbt's log and Spark's work for the first and a later build with each data test."""
    tested = {}
    for when in ("first", "later"):
        for kind in DATA_TESTS:
            with counted(spark) as work:
                result = project("build", "-s", f"test_type:{kind}", schema=module_schema)
            assert [*result.status.values()].count("pass") == 1, result.text
            tested[kind, when] = result.text, work
    return tested


def jobs_by_hand(spark, schema: str, language: str, materialized: str, when: str) -> int:
    """Count the Spark jobs of the same write and checkpoint in plain Spark."""
    table = f"{schema}.by_hand"
    by_hand = f"{spark.conf.get('spark.checkpoint.dir')}/hand"
    rows = f"from {schema}_silver.source where secret is not null"
    source = f"(select /*+ coalesce(1) */ id, v, 1L as n {rows})"
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
def test_jobs(runs, spark, module_schema, language, materialized, when):
    """A model has the same jobs as the same write in plain Spark."""
    _, work = runs[language, materialized, when]
    by_hand = jobs_by_hand(spark, module_schema, language, materialized, when)
    assert work.jobs == by_hand > 0


@pytest.mark.parametrize("when", ["first", "later"])
def test_jobs_of_a_seed(runs, when):
    assert runs["seed", "seed", when][1].jobs == STATEMENTS["seed", when]


@pytest.mark.parametrize("when", ["first", "later"])
@pytest.mark.parametrize(("language", "materialized"), WAYS)
def test_the_models_plan_is_analyzed_once(runs, language, materialized, when):
    _, work = runs[language, materialized, when]
    assert work.pivots == 1


@pytest.mark.parametrize("when", ["first", "later"])
@pytest.mark.parametrize("kind", DATA_TESTS)
def test_a_data_test_is_one_query(tested, kind, when):
    text, work = tested[kind, when]
    assert statements(text) == QUERIES[when]
    assert work.pivots == QUERIES[when]


@pytest.mark.parametrize("kind", DATA_TESTS)
def test_jobs_of_a_data_test(tested, spark, module_schema, kind):
    """It has the same jobs as its query in plain Spark, and none if it is not run again."""
    query = FAILURES.format(table=f"{module_schema}.sql_table")
    with counted(spark) as by_hand:
        spark.sql(f"select count(*) from ({query})").collect()
    assert tested[kind, "first"][1].jobs == by_hand.jobs > 0
    assert tested[kind, "later"][1].jobs == 0


def test_a_unit_test_analyzes_its_model_once(project, runs, spark, module_schema):
    """It also shows the difference if the expected rows are a query."""
    for name, passes in (("a_pivot", True), ("another", False)):
        with counted(spark) as work:
            result = project("test", "--select", f"test_name:{name}", schema=module_schema)
        assert result.success == passes, result.text
        assert work.pivots == 1
        assert statements(result.text) == 2
        assert (" differs from " in result.text) != passes


def test_the_marks_are_checked(project, module_schema):
    """The models above are held to the mark: without it, this one would pass."""
    result = project("run", "--select", "leak", schema=module_schema)
    assert "leak.renamed is source.secret under another name" in result.text


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


def test_a_statement_is_counted(project, module_schema):
    """The guard sends no statement here, so this one comes from a macro."""
    result = project(
        "run-operation", "run_query", "--args", "{sql: select 1 as one}", schema=module_schema
    )
    assert result.success, result.text
    assert statements(result.text) == 1
