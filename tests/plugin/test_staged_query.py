"""A SQL model can be any single query that Spark accepts, and nothing else."""

import pytest

from tests.support.dbt_runner import make_project

TARGET = "select 1L as id"

QUERIES = {
    "a comment at the end": "select 2L as id -- the end",
    "a semicolon": "select 2L as id;",
    "a hint": "select /*+ coalesce(1) */ id from values (2L) as given (id)",
    "a common table expression": "with two as (select 2L as id) select id from two",
    "parentheses": "(select 2L as id) union all (select 2L as id where false)",
    "values": "values (2L) as given (id)",
    "a query from its table": "from values (2L) as given (id) select id",
    "a `set` of Jinja": "{% set two = '2L' %}{# and a comment #} select {{ two }} as id",
}

OTHERS = {
    "an insert": "insert into {{ ref('target') }} values (9L)",
    "an insert after a with": "with n as (select 9L as id) insert into {{ ref('target') }} from n",
    "an insert after a from": "from (select 9L as id) insert into {{ ref('target') }} select id",
    "a delete": "delete from {{ ref('target') }}",
    "a drop": "drop table {{ ref('target') }}",
    "two statements": "select id from {{ ref('target') }}; drop table {{ ref('target') }}",
    "more than a query": "select id from {{ ref('target') }} where true drop table",
    "a setting": "set spark.sql.shuffle.partitions = 7",
}


@pytest.fixture(scope="module")
def result(dbt, spark, tmp_path_factory, module_schema):
    """Run one model per text, after the table that the texts use. Return the result."""
    files = {"models/target.sql": TARGET}
    for number, text in enumerate([*QUERIES.values(), *OTHERS.values()]):
        files[f"models/m{number}.sql"] = f"-- depends_on: {{{{ ref('target') }}}}\n{text}"
    project = make_project(dbt, tmp_path_factory.mktemp("queries"), files)
    return project("run", schema=module_schema)


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_becomes_a_table(result, spark, module_schema, name):
    model = f"m{[*QUERIES].index(name)}"
    assert result.status[model] == "success", result.message[model]
    assert [row.id for row in spark.table(f"{module_schema}.{model}").collect()] == [2]


@pytest.mark.parametrize("name", OTHERS)
def test_anything_else_is_a_syntax_error(result, name):
    model = f"m{len(QUERIES) + [*OTHERS].index(name)}"
    assert result.status[model] == "error"
    assert "[PARSE_SYNTAX_ERROR]" in result.message[model]


def test_nothing_else_has_run(result, spark, module_schema):
    assert [row.id for row in spark.table(f"{module_schema}.target").collect()] == [1]
    assert spark.conf.get("spark.sql.shuffle.partitions") != "7"
