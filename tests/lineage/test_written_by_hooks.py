"""A hook's writes to a table of the project are checked against the marks, like a model's."""

import pytest
import yaml

T, CLEAN = "{{ ref('t') }}", "{{ this.schema }}.clean"
SILVER = "{{ this.schema }}_silver.t"
# By name: the hook, and whether it passes on a marked value.
HOOKS = {
    "insert": (f"insert into {CLEAN} select policy, 1 from {SILVER}", True),
    "insert_some": (f"insert into {CLEAN} (n, x) select 1, policy from {SILVER}", True),
    "insert_by_name": (f"insert into {CLEAN} by name select policy as x from {SILVER}", True),
    "insert_of_a_with": (
        f"with a as (select policy from {SILVER}) insert into {CLEAN} select policy, 1 from a",
        True,
    ),
    "several": (
        f"from {SILVER} insert into {CLEAN} select car, 1 insert into {CLEAN} select policy, 1",
        True,
    ),
    "overwrite": (f"insert overwrite {CLEAN} select policy, 1 from {SILVER}", True),
    "replace_where": (
        f"insert into {CLEAN} replace where true select policy, 1 from {SILVER}",
        True,
    ),
    "merge_all": (
        f"merge into {CLEAN} a using (select policy as x, n from {SILVER}) b on a.n = b.n "
        "when matched then update set * when not matched then insert *",
        True,
    ),
    "merge_some": (
        f"merge into {CLEAN} a using {SILVER} b on a.n = b.n "
        "when matched then update set x = concat(b.policy, '') "
        "when not matched then insert (x, n) values (b.car, b.n)",
        True,
    ),
    "update": (f"update {CLEAN} set x = (select max(policy) from {SILVER})", True),
    "update_within": (f"update {SILVER} set car = policy", True),
    "replace_table": (
        f"create or replace table {CLEAN} using iceberg as select policy as x, 1 as n "
        f"from {SILVER}",
        True,
    ),
    "replace_table_of_a_with": (
        f"replace table {CLEAN} using iceberg as with a as (select policy as x from {SILVER}) "
        "select * from a",
        True,
    ),
    "replace_table_of_clean": (
        f"create or replace table {CLEAN} using iceberg as select car as x, 1 as n from {SILVER}",
        False,
    ),
    "into_a_source": (
        "insert into {{ source('landed', 'raw') }} select policy, 1 from " + SILVER,
        True,
    ),
    "of_clean_into_a_source": (
        "insert into {{ source('landed', 'raw') }} select car, 1 from " + SILVER,
        False,
    ),
    "insert_of_clean": (f"insert into {CLEAN} select car, 1 from {SILVER}", False),
    "merge_by_what_is_marked": (
        f"merge into {CLEAN} a using {SILVER} b on a.x = b.policy "
        "when not matched then insert (x, n) values (b.car, b.n)",
        False,
    ),
    "update_of_what_is_marked": (f"update {SILVER} set policy = upper(policy)", False),
    "delete": (f"delete from {CLEAN} where x in (select policy from {SILVER})", False),
    "of_literals": (f"insert into {CLEAN} values ('a', 1)", False),
    "insert_into_a_computed_name": (
        "insert into identifier('{{ this.schema }}' || '.clean') select policy, 1 from " + SILVER,
        True,
    ),
    "insert_into_a_branch": (
        f"{{{{ branch() }}}}insert into {CLEAN}.branch_own select policy, 1 from {SILVER}",
        True,
    ),
    "literals_of_what_was_asked_for": (
        f"insert into {CLEAN} values ('{{{{ asked('policy') }}}}', 1)",
        True,
    ),
    "literals_of_what_is_clean": (
        f"insert into {CLEAN} values ('{{{{ asked('car') }}}}', 1)",
        False,
    ),
    **{
        name: (f"call lakehouse.system.{call}", True)
        for name, call in {
            "files": f"add_files('{CLEAN}', '`parquet`.`/a/b`')",
            "files_by_name": f"ADD_FILES(source_table => '`parquet`.`/a`', table => '{CLEAN}')",
            "a_table_by_its_files": f"register_table('{CLEAN}', '/a/b.metadata.json')",
            "a_snapshot_of_a_table": f"snapshot('spark_catalog.a.b', 'lakehouse.{CLEAN}')",
            "migrate": f"migrate('{CLEAN}')",
        }.items()
    },
    "rewrite": (f"call lakehouse.system.rewrite_manifests('{CLEAN}')", False),
    "rename_to": (f"alter table {SILVER}_copy rename to {CLEAN}", True),
    "rename_a_column": (f"alter table {SILVER} rename column policy to other", True),
    "into_its_own_table": ("insert into {{ this }} select policy, 'x', 1 from " + SILVER, True),
}


# A table that is only a source.
LAND = """
{% macro branch() %}
  {%- if execute %}
    {%- do run_query("alter table " ~ this.schema ~ ".clean create or replace branch own") %}
  {%- endif %}
{%- endmacro %}
{% macro asked(name) %}
  {%- if execute -%}
    {%- set found = run_query("select " ~ name ~ " from " ~ this.schema ~ "_silver.t") -%}
    {{- found.rows[0][0] -}}
  {%- endif -%}
{% endmacro %}
{% macro land() %}
  {% do run_query("create table if not exists " ~ target.schema ~ ".clean_too (x string, n int)") %}
{% endmacro %}
"""


@pytest.fixture(scope="module")
def built(dbt, tmp_path_factory, module_schema):
    from tests.support.dbt_runner import make_project

    policy = {"name": "policy", "config": {"meta": {"pii": True}}}
    models = [
        {"name": "t", "config": {"schema": "silver"}, "columns": [policy]},
        {"name": "h_into_its_own_table", "columns": [policy]},
    ]
    raw = {"name": "raw", "identifier": "clean_too"}
    sources = [{"name": "landed", "schema": "{{ target.schema }}", "tables": [raw]}]
    files = {
        "models/t.sql": "select 'P' as policy, 'k' as car, 1 as n",
        "models/clean.sql": "select 'x' as x, 1 as n",
        "macros/land.sql": LAND,
        "models/models.yml": yaml.safe_dump({"models": models, "sources": sources}),
    }
    for name, (hook, _) in HOOKS.items():
        query = "select 'k' as policy, 'k' as car, 1 as n"
        head = f'{{{{ config(post_hook="{hook}") }}}}\n-- depends_on: {T} {{{{ ref("clean") }}}}\n'
        files[f"models/h_{name}.sql"] = head + query
    project = make_project(dbt, tmp_path_factory.mktemp("hooks"), files)
    assert project("run-operation", "land", schema=module_schema).success
    return project("run", "--threads", "1", schema=module_schema)


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook(built, name):
    _, is_leak = HOOKS[name]
    message = built.message[f"h_{name}"]
    if is_leak:
        assert built.status[f"h_{name}"] == "error", message
        assert "is not run: " in message
        assert any(line in message for line in ("t.policy", "no query shows", "cannot be traced"))
    else:
        assert built.status[f"h_{name}"] == "success", message
