"""What a hook does to a table after it was checked is held against its contract again."""

import pytest
import yaml

PROJECT = {
    "name": "small",
    "profile": "lakehouse",
    "flags": {"send_anonymous_usage_stats": False},
    "models": {"+file_format": "iceberg", "+materialized": "table"},
    "on-run-start": ["{{ begin_run() }}"],
    "on-run-end": ["{{ hook_of_the_run() }}", "{{ end_run() }}"],
}
YML = """
models:
  - name: m
    config: {contract: {enforced: true}}
    constraints: [{type: check, expression: id < 10}]
    columns:
      - {name: id, data_type: int, constraints: [{type: not_null}]}
      - {name: v, data_type: string}
"""
HOOK = "{% macro hook_of_the_run() %}{{ var('at_the_end', 'select 1') }}{% endmacro %}"
FILES = {
    "dbt_project.yml": yaml.safe_dump(PROJECT),
    "macros/hook.sql": HOOK,
    "models/m.sql": "{{ config(post_hook=var('after', [])) }} select 1 as id, 'a' as v",
    "models/free.sql": "{{ config(post_hook=var('after_free', [])) }} select 1 as id",
    "models/m.yml": YML,
}
BREACHES = {
    "add column policy string": "policy: in the table, not in the contract",
    "drop column v": "v: no longer in the table",
    "alter column id type bigint": "id: id int not null was written, id bigint not null found",
    "alter column id drop not null": "id: id int not null was written, id int found",
    "rename column v to w": "v: v string was written, w string found",
}


@pytest.fixture(scope="module")
def project(dbt, tmp_path_factory, module_schema):
    from tests.support.dbt_runner import make_project

    small = make_project(dbt, tmp_path_factory.mktemp("hooks"), FILES)
    result = small("run", schema=module_schema)
    assert result.success, result.text
    return lambda *args, **variables: small(*args, schema=module_schema, **variables)


@pytest.fixture
def seen(spark, module_schema):
    """The columns of the model's table, and its rows, as readers see them."""

    def now():
        spark.sql(f"refresh table {module_schema}.m")
        columns = spark.table(f"{module_schema}.m").schema
        rows = [tuple(row) for row in spark.table(f"{module_schema}.m").collect()]
        return [(c.name, c.dataType.simpleString(), c.nullable) for c in columns], rows

    return now


AS_PROMISED = [("id", "int", False), ("v", "string", True)]


@pytest.mark.parametrize("change", BREACHES)
def test_a_post_hook_that_changes_columns(project, seen, change):
    result = project("run", "-s", "m", after=[f"alter table {{{{ this }}}} {change}"])
    assert result.status["m"] == "error"
    assert BREACHES[change] in result.message["m"]
    assert seen() == (AS_PROMISED, [(1, "a")])


def test_a_post_hook_that_rewrites_values(project, seen):
    result = project("run", "-s", "m", after=["update {{ this }} set id = 17"])
    assert "id < 10 does not hold for each row" in result.message["m"]
    assert seen() == (AS_PROMISED, [(1, "a")])
    allowed = project("run", "-s", "m", after=["update {{ this }} set id = 7"])
    assert allowed.success, allowed.text
    assert seen() == (AS_PROMISED, [(7, "a")])


@pytest.mark.parametrize(
    ("hook", "told"),
    [
        ("alter table {}.m add column policy string", "policy: in the table, not in the contract"),
        ("update {}.m set id = 17", "id < 10 does not hold for each row"),
    ],
)
def test_a_hook_at_the_end_of_the_run(project, seen, module_schema, hook, told):
    before = seen()
    result = project("run", "-s", "m", at_the_end=hook.format(module_schema))
    assert not result.success
    assert told in result.text
    assert "Nothing was published" in result.text
    assert seen() == before


def test_a_model_without_a_contract_is_warned_of(project, spark, module_schema):
    added = ["alter table {{ this }} add column policy string"]
    result = project("run", "-s", "free", after_free=added)
    assert result.success, result.text
    assert "policy: in the table, not in the contract" in "\n".join(result.said)


def test_hooks_of_which_a_later_one_fails(project, seen):
    before = seen()
    hooks = ["alter table {{ this }} add column policy string", "select nonsense"]
    result = project("run", "-s", "m", after=hooks)
    assert result.status["m"] == "error"
    assert "Its columns were put back" in "\n".join(result.said)
    assert seen() == before
