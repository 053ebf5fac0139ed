"""Third-party materializations work as in dbt, or are refused in one line before they run."""

import shutil

import pytest

from tests.support.dbt_runner import AUDITED

OWN = """
{%% materialization %s, adapter='spark', supported_languages=['sql', 'python'] %%}
  {%% call statement('main') %%}
    create or replace table {{ this }} using iceberg as select 1 as id
  {%% endcall %%}
  {{ return({'relations': [this.incorporate(type='table')]}) }}
{%% endmaterialization %%}
"""
CONTRACT = """
models:
  - name: m
    config: {contract: {enforced: true}}
    columns: [{name: id, data_type: int}]
"""
SQL, PYTHON = "select 1 as id", "def model(dbt, spark):\n    return spark.range(1)\n"


@pytest.mark.parametrize("file", ["models/m.sql", "models/m.py"])
def test_a_contract_that_nothing_checks_is_refused(small_project, schema, spark, file):
    """Full and partial parsing refuse it, also without dbt's artifacts, for SQL and Python."""
    project = small_project(
        {file: SQL if file.endswith("sql") else PYTHON, "models/m.yml": CONTRACT}
    )
    assert project("parse").success
    macro = project.project_dir / "macros/own.sql"
    macro.parent.mkdir()
    macro.write_text(OWN % "table")
    for command in (("parse",), ("run",), ("--no-write-json", "run")):
        result = project(*command, schema=schema)
        assert not result.success
        if file.endswith("sql"):
            assert "m: the materialization table of small does not check" in result.text
    assert not spark.catalog.tableExists(f"{schema}.m")


def test_what_writes_past_the_branch_is_refused_or_named(small_project, schema, spark, read):
    files = {
        "dbt_project.yml": AUDITED,
        "macros/own.sql": OWN % "mine",
        "models/m.sql": "{{ config(materialized='mine') }}" + SQL,
    }
    project = small_project(files)
    result = project("run", schema=schema)
    assert not result.success
    told = "the materialization mine of small may write past this run's branch"
    assert told in result.message["m"]
    assert len(result.message["m"].splitlines()) == 2, "dbt's own line, and one"
    assert not spark.catalog.tableExists(f"{schema}.m")
    # The meta key `unaudited` allows it, and so does a run without an audit.
    model = project.project_dir / "models/m.sql"
    model.write_text(
        "{{ config(materialized='mine', meta={'unaudited': 'a cache of nobody'}) }}" + SQL
    )
    assert project("run", schema=schema).success
    assert read(schema, "m") == [{"id": 1}]
    model.write_text(files["models/m.sql"])
    assert project("run", schema=schema, write_audit_publish=False).success


def test_a_view_where_the_catalog_has_none(small_project, schema, spark):
    files = {
        "dbt_project.yml": AUDITED,
        "models/m.sql": "{{ config(materialized='view') }}" + SQL,
        "models/mv.sql": "{{ config(materialized='materialized_view') }}" + SQL,
        "models/e.sql": "{{ config(materialized='ephemeral') }}" + SQL,
        "models/t.sql": "select * from {{ ref('e') }}",
        "tests/stored.sql": "{{ config(store_failures_as='view') }} select * from {{ ref('t') }}",
    }
    project = small_project(files)
    result = project("build", schema=schema)
    assert "of a test, `store_failures_as: table`" in result.message["stored"]
    assert "the catalog lakehouse has no views: set `materialized: table`" in result.message["m"]
    assert "has not been implemented for this adapter" in result.message["mv"]
    assert [str(result.status[name]) for name in ("m", "mv", "t")] == ["error", "error", "success"]
    # An existing table is not dropped for a view.
    (project.project_dir / "models/t.sql").write_text(files["models/m.sql"])
    assert project("run", "-s", "t", schema=schema, write_audit_publish=False).success is False
    assert spark.catalog.tableExists(f"{schema}.t")


def test_clone_is_refused(small_project, schema, spark):
    """dbt-spark can clone Delta tables only. No table is created instead."""
    project = small_project({"models/m.sql": SQL})
    assert project("run", schema=schema).success
    state = project.project_dir / "state"
    shutil.copytree(project.target_path, state)
    result = project("clone", "--state", str(state), schema=f"{schema}_b")
    assert not result.success
    assert "shallow clone requires file_format be set to 'delta'" in result.text
    assert not spark.catalog.tableExists(f"{schema}_b.m")


def test_failures_are_stored_at_once_and_again(small_project, schema, spark):
    files = {
        "dbt_project.yml": AUDITED,
        "models/m.sql": "select id from range({{ var('rows') }})",
        "models/m.yml": """
models:
  - name: m
    columns: [{name: id, data_tests: [{accepted_values: {arguments: {values: [0], quote: false}}}]}]
  - name: marked
    columns: [{name: policy, data_tests: [unique], config: {meta: {pii: true}}}]
""",
        "models/marked.sql": "select 'POL-1' as policy from range(2)",
    }
    project = small_project(files)
    for rows in (3, 2):
        result = project("build", "--store-failures", schema=schema, rows=rows)
        assert not result.success
        name = next(name for name in result.status if name.startswith("accepted"))
        stored = f"{schema}_dbt_test__audit.{name}"
        spark.sql(f"refresh table {stored}")
        assert spark.table(stored).count() == rows - 1, "what the branch holds, and readers do not"
        assert spark.table(f"{schema}.m").count() == 0
    assert "2 tables are held back" in result.text
    # Values of marked columns are not copied to the tables of failures.
    assert "unique_field is marked.policy" in result.message["unique_marked_policy"]
    assert not spark.catalog.tableExists(f"{schema}_dbt_test__audit.unique_marked_policy")
