"""Forbidden code of a Python model is refused before it runs. Code that only reads is allowed."""

import ast
import re
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import yaml
from dbt_spark_contracts.lineage import source_code

PROJECT = {
    "name": "small",
    "profile": "lakehouse",
    "flags": {"send_anonymous_usage_stats": False},
    "models": {"+file_format": "iceberg", "+materialized": "table"},
    "on-run-start": "{{ begin_run() }}",
    "on-run-end": "{{ end_run() }}",
}
MODEL = """
import os
from concurrent.futures import ThreadPoolExecutor
from pyspark.sql import functions as F

{top}

def model(dbt, spark):
    t = dbt.ref("t")
    schema = os.environ["LAKEHOUSE_SCHEMA"]
    folder = os.environ["LAKEHOUSE_HOME"] + "/own_code"
{body}
    return t
"""
BRANCH = "spark.wap.branch"

# By case: the code, and a part of what the error names.
WRITES = {
    "insert": ("spark.sql(f'insert into {schema}.t select 1, 2')", "insert into"),
    "insert_in_a_with": (
        "spark.sql(f'with a as (select 1, 2) insert into {schema}.t select * from a')",
        "with a as",
    ),
    "several_inserts": (
        "spark.sql(f'from {schema}.t insert into {schema}.t select * insert into {schema}.t "
        "select *')",
        "from ",
    ),
    "insert_into_a_folder": (
        "spark.sql(f\"insert overwrite directory '{folder}' using parquet select 1\")",
        "insert overwrite directory",
    ),
    "of_values": ("spark.sql('insert into {x} select 1, 2', x=t)", "insert into"),
    "delete": ("spark.sql(f'delete from {schema}.t')", "delete from"),
    "update": ("spark.sql(f'update {schema}.t set n = 2')", "update "),
    "merge": (
        "spark.sql(f'merge into {schema}.t a using {schema}.t b on a.id = b.id "
        "when matched then delete')",
        "merge into",
    ),
    "truncate": ("spark.sql(f'truncate table {schema}.t')", "truncate"),
    "drop": ("spark.sql(f'drop table {schema}.t')", "drop table"),
    "alter": ("spark.sql(f'alter table {schema}.t add column x int')", "alter table"),
    "create": ("spark.sql(f'create table {schema}.u as select 1 as id')", "create table"),
    "replace": ("spark.sql(f'create or replace table {schema}.t as select 1 as id')", "create or"),
    "view": ("spark.sql(f'create view {schema}.v as select 1 as id')", "create view"),
    "drop_view": ("spark.sql(f'drop view {schema}.v')", "drop view"),
    "schema": ("spark.sql('create schema elsewhere')", "create schema"),
    "computed": ("spark.sql(\"drop table identifier('a' || 'b')\")", "drop table"),
    "procedure": (
        "spark.sql(f\"call lakehouse.system.rollback_to_snapshot('{schema}.t', 1)\")",
        "call ",
    ),
    "save_as_table": ("t.write.saveAsTable(f'{schema}.u')", "DataFrameWriter.saveAsTable"),
    "insert_into": ("t.write.insertInto(f'{schema}.t')", "DataFrameWriter.insertInto"),
    "save": ("t.write.format('iceberg').save(f'{schema}.t')", "DataFrameWriter.save"),
    "parquet": ("t.write.parquet(folder)", "DataFrameWriter.parquet"),
    "jdbc": ("t.write.jdbc('jdbc:derby:memory:x', 't')", "DataFrameWriter.jdbc"),
    "append": ("t.writeTo(f'{schema}.t').append()", "DataFrameWriterV2.append"),
    "create_v2": ("t.writeTo(f'{schema}.u').create()", "DataFrameWriterV2.create"),
    "stream": (
        "spark.readStream.format('rate').load().writeStream.format('noop').start()",
        "DataStreamWriter.start",
    ),
    "rdd": ("t.rdd.saveAsTextFile(folder)", "RDD.saveAsTextFile"),
    "catalog": ("spark.catalog.createTable('x', path=folder)", "Catalog.createTable"),
    "pandas_on_spark": ("t.pandas_api().to_parquet(folder)", "DataFrameWriter."),
    "a_thread": (
        "ThreadPoolExecutor(1).submit(spark.sql, f'delete from {schema}.t').result()",
        "delete from",
    ),
    "another_session": ("spark.newSession().sql(f'drop table {schema}.t')", "drop table"),
}
SHARED = {
    "the_branch": (f"spark.conf.set('{BRANCH}', 'x')", "spark.conf.set("),
    "no_branch": (f"spark.conf.unset('{BRANCH}')", "spark.conf.unset("),
    "the_branch_by_sql": (f"spark.sql('set {BRANCH}=x')", "set spark.wap"),
    "all_settings": ("spark.sql('reset')", "reset"),
    "the_schema": ("spark.sql(f'use {schema}')", "use "),
    "the_catalog": ("spark.catalog.setCurrentCatalog('lakehouse')", "Catalog.setCurrentCatalog"),
    "a_variable": ("os.environ['X'] = 'x'", "os.environ['X'] = …"),
    "a_variable_by_method": ("os.environ.update(X='x')", "os.environ['X'] = …"),
    "a_module": ("F.found = 1", "F.found = …"),
    "a_module_by_name": ("setattr(os, 'found', 1)", "setattr(…)"),
    "a_module_in_a_module": (
        "import pyspark.sql.functions\npyspark.sql.functions.found = t.columns",
        "pyspark.sql.functions.found = …",
    ),
    "what_a_module_holds": (
        "import json.decoder\njson.decoder.BACKSLASH['x'] = t.columns",
        "json.decoder.BACKSLASH['x'] = …",
    ),
    "all_that_a_module_holds": ("vars(F)['found'] = t.columns", "vars(F)['found'] = …"),
    "a_class": ("type(t).found = t.columns", "type(t).found = …"),
    "the_class_of_an_object": ("t.__class__.found = t.columns", "t.__class__.found = …"),
    "the_context": ("spark.sparkContext.found = t.columns", "spark.sparkContext.found = …"),
    "the_session": ("spark.stop()", "SparkSession.stop"),
}
READS = """
    t.createOrReplaceTempView("own_rows")
    assert spark.sql("select * from own_rows").count() == 1
    assert spark.sql("with a as (select 1) select * from {t}, a where {n} = 2", t=t, n=2).count()
    spark.sql("create or replace temporary view own_more as select * from own_rows")
    spark.sql("create or replace global temporary view own_global as select * from own_rows")
    spark.sql("cache table own_rows")
    spark.sql("uncache table own_rows")
    spark.sql("drop view own_more")
    spark.sql("drop view global_temp.own_global")
    spark.sql(f"show tables in {schema}").collect()
    spark.sql(f"describe {schema}.t").collect()
    spark.sql(f"explain insert into {schema}.t select 1, 2").collect()
    spark.sql("set spark.sql.shuffle.partitions=2")
    spark.sql("reset spark.sql.shuffle.partitions")
    spark.conf.set("spark.sql.ansi.enabled", spark.conf.get("spark.sql.ansi.enabled"))
    spark.sql(f"refresh table {schema}.t")
    spark.catalog.refreshTable(f"{schema}.t")
    spark.catalog.dropTempView("own_rows")
    t = t.cache()
    t.unpersist()
    import logging
    import pandas as pd
    logging.getLogger("own").propagate = False
    pd.options.mode.chained_assignment = None
    frame = pd.DataFrame({"a": [1]})
    frame["b"] = frame["a"]
    class Own:
        def __init__(self):
            self.__dict__["a"] = t.columns
            type(self).b = t.columns
    Own().a[0] = "x"
"""


def model(code: str, top: str = "") -> str:
    return MODEL.format(body=textwrap.indent(code, "    "), top=top)


@pytest.fixture(scope="module")
def built(dbt, tmp_path_factory, module_schema):
    from tests.support.dbt_runner import make_project

    files = {
        "dbt_project.yml": yaml.safe_dump(PROJECT),
        "models/t.sql": "select 1 as id, 2 as n",
        "models/reads.py": MODEL.format(body=READS, top=""),
        "models/at_the_top.py": model(
            "pass", "spark.sql(f\"delete from {os.environ['LAKEHOUSE_SCHEMA']}.t\")"
        ),
        "models/allowed.py": model("spark.sql(f'create table {schema}.by_hand as select 1 as id')"),
        "models/models.yml": yaml.safe_dump(
            {
                "models": [
                    {"name": "allowed", "config": {"meta": {"unaudited": "A log of its own."}}}
                ]
            }
        ),
    }
    for name, (code, _) in {**WRITES, **SHARED}.items():
        files[f"models/m_{name}.py"] = model(code)
    project = make_project(dbt, tmp_path_factory.mktemp("own_code"), files)
    return project("run", schema=module_schema)


@pytest.mark.parametrize("name", WRITES)
def test_direct_write_is_refused(built, name):
    message = built.message[f"m_{name}"]
    assert re.search(rf"\bm_{name}( or \w+)*: `{re.escape(WRITES[name][1])}", message)
    assert "is not run: no branch of this run would hold it, and no contract" in message
    assert "as `unaudited: …`." in message


@pytest.mark.parametrize("name", SHARED)
def test_what_all_models_share_stays(built, name):
    message = built.message[f"m_{name}"]
    assert f"m_{name}: `{SHARED[name][1]}" in message
    assert "all models of this run share what it changes" in message


def test_code_outside_of_the_function_counts(built):
    assert "at_the_top: `delete from" in built.message["at_the_top"]


def test_what_reads_may_run(built):
    assert built.status["reads"] == "success", built.message["reads"]


def test_a_reason_allows_it(built, spark, module_schema):
    assert built.status["allowed"] == "success", built.message["allowed"]
    assert spark.catalog.tableExists(f"{module_schema}.by_hand")


@pytest.mark.quick
def test_the_code_of_one_model_is_parsed_at_a_time(monkeypatch):
    """Concurrent parsing sometimes fails with a SystemError in Python 3.11."""
    parse, at_once, most = ast.parse, [], []

    def slowly(source):
        at_once.append(source)
        most.append(len(at_once))
        time.sleep(0.02)
        at_once.remove(source)
        return parse(source)

    monkeypatch.setattr(source_code.ast, "parse", slowly)
    with ThreadPoolExecutor(4) as threads:
        sources = [f"import polars  # {number}" for number in range(8)]
        found = [*threads.map(source_code.reads, sources)]
    assert {each.libraries for each in found} == {("polars",)}
    assert most == [1] * 8
