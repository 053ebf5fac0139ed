"""A changed model is reported as unchanged only if that is proven."""

import pytest
from dbt_spark_contracts.cli.check_pull_request.manifest import Manifest
from dbt_spark_contracts.cli.check_pull_request.proof.plans import StandIns, are_same
from dbt_spark_contracts.cli.check_pull_request.proof.pure_python import is_pure_python
from dbt_spark_contracts.cli.check_pull_request.proof.pure_sql import is_pure_sql
from dbt_spark_contracts.cli.check_pull_request.proof.stage import run_python


@pytest.fixture(scope="module")
def table(spark, module_schema):
    spark.sql(f"create namespace if not exists {module_schema}")
    name = f"{module_schema}.t"
    spark.sql(f"create table {name} (a bigint, b bigint, d double, s string) using iceberg")
    stand_ins = StandIns(spark)
    yield stand_ins.view(name)
    stand_ins.drop()
    spark.sql(f"drop table {name}")


SAME = [
    ("select a, b from {t}", "with e as (select * from {t}) select e.a, e.b from e"),
    ("select a from {t} where a > 1 and b > 2", "select a from {t} where b > 2 and a > 1"),
    ("select a + 1 as x from {t}", "select x from (select a + 1 as x, b from {t})"),
    ("select max(a) as x from {t} t1", "select max(t2.a) as x from (select a, b from {t}) t2"),
    (
        "select x.a from {t} x join {t} y on x.a = y.b",
        "with y as (select * from {t}) select x.a from {t} as x inner join y on y.b = x.a",
    ),
    (
        "select a, (select max(b) from {t}) m from {t}",
        "select a, m from (select a, (select max(b) from {t}) m from {t})",
    ),
    ("select a from {t} where true", "select a from {t}"),
    (
        "select a, row_number() over (partition by a order by b) as x from {t}",
        "select e.a, row_number() over (partition by e.a order by e.b) as x from {t} e",
    ),
]
NOT_SAME = [
    ("select a, b from {t}", "select b as a, a as b from {t}"),
    ("select a as x, b as y from {t}", "select a as y, b as x from {t}"),
    ("select a from {t}", "select b as a from {t}"),
    ("select a from {t} where a > 1", "select a from {t} where a > 2"),
    # On an empty Iceberg table, aggregate pushdown would turn both into null.
    ("select max(a) as x from {t}", "select max(b) as x from {t}"),
    ("select count(*) as x from {t}", "select count(a) as x from {t}"),
    ("select d + a + b as x from {t}", "select d + (a + b) as x from {t}"),
    ("select (d + a) + b as x from {t}", "select (d + b) + a as x from {t}"),
    ("select struct(a as x, b as y) as z from {t}", "select struct(a as y, b as x) as z from {t}"),
    ("select a from {t} limit 1", "select a from {t} limit 2"),
    ("select distinct a from {t}", "select a from {t}"),
    ("select concat(s, 'a, b') as x from {t}", "select concat(s, 'a', 'b') as x from {t}"),
    ("select coalesce(a, 1) as x from {t}", "select coalesce(a, 2) as x from {t}"),
]
NEVER = [
    "select rand() as x from {t}",
    "select current_date() as x from {t}",
    "select current_timestamp() as x from {t}",
    "select unix_timestamp() as x from {t}",
    "select now() as x from {t}",
    "select current_user() as x from {t}",
    "select current_database() as x from {t}",
    "select uuid() as x from {t}",
    "select input_file_name() as x from {t}",
    "select monotonically_increasing_id() as x from {t}",
    "select first(a) as x from {t}",
    "select collect_list(a) as x from {t}",
    "select max_by(a, b) as x from {t}",
    "select any_value(a) as x from {t}",
    "select reflect('java.lang.System', 'getProperty', 'user.name') as x from {t}",
    "select a from {t} tablesample (10 percent)",
    "select a from {t} where a > (select rand())",
    "select a from {t} where exists (select 1 from {t} where d > rand())",
    "select doubled(a) as x from {t}",
    "select version() as x from {t}",
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_same(spark, table, one, other):
    assert are_same(spark.sql(one.format(t=table)), spark.sql(other.format(t=table)))


@pytest.mark.parametrize(("one", "other"), NOT_SAME)
def test_not_same(spark, table, one, other):
    assert not are_same(spark.sql(one.format(t=table)), spark.sql(other.format(t=table)))


@pytest.mark.parametrize("query", NEVER)
def test_plan_that_depends_on_more_than_tables_is_never_proven(spark, table, query):
    spark.udf.register("doubled", lambda value: value * 2, "bigint")
    assert not are_same(*(spark.sql(query.format(t=table)) for _ in range(2)))


BY_KEY = """
from pyspark.sql import functions as F


def model(dbt, spark):
    limit = dbt.config.get("limit")
    rows = dbt.affected(
        dbt.ref("t"),
        ["a"],
        keys=lambda changed: changed.select("a"),
        also={"limit": lambda held: held.where(held.b > F.lit(limit))},
        apart_from=["run"],
    )
    return rows.groupBy("a").agg(F.sum("b").alias("b"))
"""
OTHER_KEYS = {
    "by": ('["a"]', '["a", "b"]'),
    "an expression in by": ('["a"]', '[(F.col("a") + 1).alias("a")]'),
    "keys": ('changed.select("a")', 'changed.where("a > 1").select("a")'),
    "a function of also": ("held.b > F", "held.b >= F"),
    "a name of also": ('{"limit":', '{"other":'),
    "no also": ('also={"limit": lambda held: held.where(held.b > F.lit(limit))},', ""),
    "apart_from": ('["run"]', '["run", "limit"]'),
    "a value that is read": ('["run"]', '[f"{limit}"]'),
    "not affected": ("dbt.affected", "(lambda rows, *_, **__: rows)"),
    "rows": ('F.sum("b")', 'F.max("b")'),
}


@pytest.fixture
def staged(spark, module_schema, table, tmp_path):
    """A function that stages a Python model which is built with delete+insert."""
    stand_ins = StandIns(spark)
    node = {"relation_name": f"{module_schema}.t", "config": {"materialized": "incremental"}}

    def run(source: str):
        loads = f"type('', (), {{'ref': lambda self, name: load('{module_schema}.t')}})()"
        code = f"{source}\n\ndef dbtObj(load):\n    return {loads}\n"
        return run_python(tmp_path, {**node, "raw_code": source}, code, stand_ins)

    yield run
    stand_ins.drop()


def test_rows_of_changed_keys(staged):
    assert is_pure_python(BY_KEY, (), ())
    refactored = BY_KEY.replace("dbt.ref", "(lambda name: dbt.ref(name))")
    refactored = refactored.replace("rows.groupBy", 'rows.select("a", "b").groupBy')
    assert staged(BY_KEY).is_same(staged(refactored))


@pytest.mark.parametrize(("text", "other"), OTHER_KEYS.values(), ids=OTHER_KEYS)
def test_rows_of_other_keys(staged, text, other):
    assert text in BY_KEY
    try:
        found = staged(BY_KEY.replace(text, other))
    except (TypeError, ValueError) as error:
        assert "may differ in another run" in str(error) or "earlier builds" in str(error)
    else:
        assert not staged(BY_KEY).is_same(found)


PURE = """
from pyspark.sql import functions as F

from shared.grades import grade_of


def model(dbt, spark):
    events = dbt.ref("events")
    counted = events.groupBy("a").count()
    return counted.join(events, "a").select(*[F.col(name) for name in ("a", "b")], events.worth)
"""
IMPURE = {
    "a clock": ("import datetime", ""),
    "an environment": ("import os", ""),
    "a file": ("", "open('x')"),
    "an action": ("", "events.count()"),
    "an action by attribute": ("", "getattr(events, 'count')()"),
    "first row": ("", "events.first()"),
    "rows": ("", "events.collect()"),
    "the session": ("", "spark.conf"),
    "the session of a frame": ("", "events.sparkSession"),
    "a module of a module": ("", "F.sys.argv"),
    "a UDF": ("", "F.udf(len)"),
    "an imported UDF": ("from pyspark.sql.functions import udf", ""),
    "another library": ("import numpy", ""),
    "its own table": ("", "dbt.this"),
    "incremental": ("", "dbt.is_incremental"),
    "who somebody is": ("", "None if events is None else 1"),
    "an order of a set": ("", "list({'a', 'b'})"),
    "a special date": ("", "F.expr(\"date 'today'\")"),
    "a private name": ("", "events._jdf"),
    "a builtin": ("", "hash('a')"),
    "a variable of Spark's": ("", "F.expr('${x}')"),
    "a table by its name": ("", "'ci_silver.events'"),
    "an error": ("", "1\n    try:\n        y = 1\n    except ValueError:\n        y = 2"),
}


def test_python_that_only_its_refs_decide_about():
    assert is_pure_python(PURE, {"shared.grades"}, {"ci_silver"})


@pytest.mark.quick
@pytest.mark.parametrize(("imports", "statement"), IMPURE.values(), ids=IMPURE)
def test_python_that_something_else_may_decide_about(imports, statement):
    source = imports + PURE.replace("    counted =", f"    other = {statement or 1}\n    counted =")
    assert not is_pure_python(source, {"shared.grades"}, {"ci_silver"})


SQL = "{{ config(materialized='table') }} select {{ twice('a') }} from {{ ref('events') }}"
IMPURE_SQL = [
    "{{ var('x') }}",
    "{{ env_var('x') }}",
    "{{ run_started_at }}",
    "{{ target.name }}",
    "{% if execute %}1{% endif %}",
    "{% if is_incremental() %}1{% endif %}",
    "{{ this }}",
    "{{ run_query('select 1') }}",
    "{{ config.get('x') }}",
    "{{ adapter.get_relation('a', 'b', 'c') }}",
    "{{ [1, 2] | random }}",
    "{{ modules.datetime }}",
    "{{ invocation_id }}",
    "{{ calls_a_var() }}",
    "date 'today'",
    "timestamp ' Now'",
    "${env:HOME}",
    "(select 1 from ci_silver.events)",
]


def manifest(sql: str) -> tuple[dict, Manifest]:
    def macro(name: str, text: str, *calls: str) -> dict:
        called = [f"macro.p.{call}" for call in calls]
        own = {"name": name, "package_name": "p", "depends_on": {"macros": called}}
        return own | {"macro_sql": f"{{% macro {name}(x) %}}{text}{{% endmacro %}}"}

    macros = [
        macro("twice", "{{ once(x) }} * 2", "once"),
        macro("once", "{{ x }}"),
        macro("calls_a_var", "{{ inner() }}", "inner"),
        macro("inner", "{{ var('x') }}"),
        macro("is_incremental", "{{ this }}"),
        macro("run_query", "{{ statement() }}"),
    ]
    called = [each for each in macros if each["name"] in sql]
    depends = {"macros": [f"macro.p.{each['name']}" for each in called]}
    raw = {
        "metadata": {"adapter_type": "spark"},
        "macros": {f"macro.p.{each['name']}": each for each in macros},
    }
    return {"raw_code": sql, "depends_on": depends}, Manifest(raw)


@pytest.mark.quick
def test_sql_that_only_its_refs_decide_about():
    assert is_pure_sql(*manifest(SQL), {"ci_silver"})


@pytest.mark.quick
@pytest.mark.parametrize("part", IMPURE_SQL)
def test_sql_that_something_else_may_decide_about(part):
    assert not is_pure_sql(*manifest(f"{SQL} {part}"), {"ci_silver"})
