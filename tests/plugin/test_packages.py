"""Small dbt packages imitate what widely used packages do and what the guard could break.

The real packages are not on PyPI. docs/dbt_features.md lists those that were tested by hand.
"""

import pytest
import yaml

from tests.support.dbt_runner import make_project

# Like elementary: hooks fill tables. The on-run-end hook runs after the project's hooks and uses a
# table that it creates without a schema and drops again.
WATCHER = {
    "dbt_project.yml": """
name: watcher
config-version: 2
models: {watcher: {+materialized: incremental, +incremental_strategy: merge, +unique_key: id}}
on-run-end: "{{ watcher.keep_results(results) }}"
""",
    "models/artifacts.sql": """
{{ config(post_hook="{{ watcher.keep_artifacts() }}") }}
select * from (select cast('dummy' as string) as id, cast('dummy' as string) as note) where 1 = 0
""",
    "models/results.sql": """
select * from (select cast('dummy' as string) as id, cast('dummy' as string) as status) where 1 = 0
""",
    "macros/keep.sql": """
{% macro keep_artifacts() %}
  {% set name = 'artifacts__tmp_' ~ modules.datetime.datetime.utcnow().strftime('%Y%m%d%H%M%S%f') %}
  {% set like = this.incorporate(path={'schema': none, 'identifier': name}, type='table') %}
  {% do run_query('create table ' ~ like ~ ' as select * from ' ~ this ~ ' where 1 = 0') %}
  {% do run_query("insert into " ~ like ~ " values ('" ~ model.name ~ "', null)") %}
  {% do run_query('merge into ' ~ this ~ ' t using ' ~ like ~ ' s on t.id = s.id '
                  ~ 'when matched then delete') %}
  {% do run_query('insert into ' ~ this ~ ' select * from ' ~ like) %}
  {% do adapter.drop_relation(like) %}
{% endmacro %}

{% macro keep_results(results) %}
  {% if execute and flags.WHICH == 'build' %}
    {% set name = adapter.get_relation(none, target.schema, 'results') %}
    {% if not name.type %}{% do exceptions.raise_compiler_error('of no type') %}{% endif %}
    {% for result in results if result.node.resource_type == 'model' %}
      {% set row = "('" ~ result.node.name ~ "', '" ~ result.status ~ "')" %}
      {% do run_query('insert into ' ~ name ~ ' values ' ~ row) %}
    {% endfor %}
  {% endif %}
{% endmacro %}
""",
}
# Like dbt_utils: macros that override dbt's by dispatch, and generic tests.
TOOLS = {
    "dbt_project.yml": "name: tools\nconfig-version: 2\n",
    "macros/tools.sql": """
{% macro spark__concat(fields) %}concat_ws('|', {{ fields | join(', ') }}){% endmacro %}
{% macro surrogate_key(names) %}
  {{ return(adapter.dispatch('surrogate_key', 'tools')(names)) }}
{% endmacro %}
{% macro default__surrogate_key(names) %}md5({{ dbt.concat(names) }}){% endmacro %}
{% macro star(from) %}
  {%- for column in adapter.get_columns_in_relation(from) -%}
  `{{ column.name }}`{{ ', ' if not loop.last }}
  {%- endfor -%}
{% endmacro %}
{% test as_many_rows(model, other) %}
  select 1 from (select count(*) as n from {{ model }}), (select count(*) as m from {{ other }})
  where n != m
{% endtest %}
""",
}
# Like dbt_project_evaluator: tables built from the graph and a seed, without contract or format.
EVALUATOR = {
    "dbt_project.yml": """
name: evaluator
config-version: 2
models: {evaluator: {+materialized: table}}
""",
    "seeds/exceptions.csv": "name,comment\nnone,\n",
    "models/base_nodes.sql": """
{%- for node in graph.nodes.values() | selectattr('resource_type', 'equalto', 'model') if execute %}
select cast('{{ node.name }}' as string) as name, {{ node.columns | length }} as columns
{{ 'union all' if not loop.last }}
{%- endfor %}
""",
    "models/undocumented.sql": """
select name from {{ ref('base_nodes') }}
where columns = 0 and name not in (select name from {{ ref('exceptions') }})
""",
}
PROJECT = {
    "dbt_project.yml": yaml.safe_dump(
        {
            "name": "small",
            "profile": "lakehouse",
            "flags": {"send_anonymous_usage_stats": False},
            "models": {
                "small": {"+file_format": "iceberg", "+materialized": "table"},
                "watcher": {
                    "+file_format": "iceberg",
                    "+meta": {"unguarded": "Its own hooks write it, after the end of the run too."},
                },
            },
            "dispatch": [{"macro_namespace": "dbt", "search_order": ["small", "tools", "dbt"]}],
            "on-run-start": "{{ begin_run() }}",
            "on-run-end": "{{ end_run() }}",
        }
    ),
    "models/stg.sql": "select id, {{ tools.surrogate_key(['id', 'name']) }} as k "
    "from values ('1', 'a'), ('2', 'b') as t(id, name)",
    "models/mart.sql": "select {{ tools.star(ref('stg')) }} from {{ ref('stg') }} "
    "where id != {{ var('left_out', '0') }}",
    "models/all.yml": """
models:
  - name: mart
    config: {contract: {enforced: true}}
    columns: [{name: id, data_type: string}, {name: k, data_type: string}]
    data_tests: [{tools.as_many_rows: {arguments: {other: "{{ ref('stg') }}"}}}]
""",
}


@pytest.fixture(scope="module")
def project(dbt, tmp_path_factory):
    files = dict(PROJECT)
    for name, package in {"watcher": WATCHER, "tools": TOOLS, "evaluator": EVALUATOR}.items():
        files |= {f"dbt_packages/{name}/{path}": text for path, text in package.items()}
    return make_project(dbt, tmp_path_factory.mktemp("packages"), files)


def test_packages_build_beside_the_guard(project, spark, module_schema):
    built = project("build", schema=module_schema)
    assert built.success, built.text
    key = spark.table(f"{module_schema}.mart").where("id = '1'").head().k
    assert key == spark.sql("select md5('1|a') as k").head().k  # the package's own concat
    undocumented = {row.name for row in spark.table(f"{module_schema}.undocumented").collect()}
    assert undocumented == {"stg", "artifacts", "results", "base_nodes", "undocumented"}
    # The hooks' tables have the rows of this run, although they were written after the publish.
    rows = spark.table(f"{module_schema}.artifacts").collect()
    assert [tuple(row) for row in rows] == [("artifacts", None)]
    results = spark.table(f"{module_schema}.results").collect()
    assert {row.status for row in results} == {"success"}


def test_what_a_package_logs_about_a_held_back_run_is_shown(project, spark, module_schema):
    assert project("build", schema=module_schema).success
    before = spark.table(f"{module_schema}.mart").count()
    failed = project("build", schema=module_schema, left_out="1")
    assert not failed.success
    assert any("Nothing was published" in line for line in failed.said)
    assert spark.table(f"{module_schema}.mart").count() == before
    results = spark.table(f"{module_schema}.results").where("id = 'mart'")
    assert results.count() >= 2
    assert spark.table(f"{module_schema}.artifacts").count() == 1  # merged
