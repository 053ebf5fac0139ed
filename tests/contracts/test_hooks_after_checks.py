"""A hook's change to a checked table is refused, or checked against the contract again.

An Iceberg table has one schema for all its branches, so a statement that changes the schema is
refused before it runs. SQL that dbt does not execute, such as the SQL of a Python model, is checked
afterwards.
"""

import pytest
import yaml
from dbt_spark_contracts.publish import statements

PROJECT = {
    "name": "small",
    "profile": "lakehouse",
    "flags": {"send_anonymous_usage_stats": False},
    "models": {"+file_format": "iceberg", "+materialized": "table"},
    "on-run-start": [
        "{{ var('before', 'select 1') }}",
        "{{ begin_run() }}",
        "{{ var('at_the_start', 'select 1') }}",
    ],
    "on-run-end": [
        "{{ hook_of_the_run() }}",
        "{{ end_run() }}",
        "{{ var('past_the_end', 'select 1') }}",
    ],
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
HOOK = """
{% macro hook_of_the_run() %}{{ var('at_the_end', 'select 1') }}{% endmacro %}
{% macro an_operation(sql) %}{% do run_query(sql) %}{% endmacro %}
"""
CHANGES = """
def model(dbt, spark):
    dbt.config(meta={{"unaudited": "To see what becomes of it."}})
    rows = dbt.ref("m").select("id")
    spark.sql("alter table {table} {change}")
    return rows
"""
FILES = {
    "dbt_project.yml": yaml.safe_dump(PROJECT),
    "macros/hook.sql": HOOK,
    "models/m.sql": "{{ config(post_hook=var('after', [])) }} select 1 as id, 'a' as v",
    "models/free.sql": (
        "{{ config(pre_hook=var('before_free', []), post_hook=var('after_free', [])) }} "
        "select 1 as id, 2 as `v.w`"
    ),
    "models/m.yml": YML,
}
BREACHES = {
    "add column policy string": "policy: in the table, not in the contract",
    "drop column v": "v: no longer in the table",
    "alter column id type bigint": "id: id int not null was written, id bigint not null found",
    "alter column id drop not null": "id: id int not null was written, id int found",
    "rename column v to w": "v: v string was written, w string found",
}
PAST_THE_BRANCH = {
    "alter table {m} add column policy string": "Let its model return these columns",
    "alter table {m} drop column v": "Let its model return these columns",
    "alter table {m} alter column id type bigint": "Let its model return these columns",
    "alter table {m} alter column id drop not null": "Let its model return these columns",
    "alter table {m} rename column v to w": "Let its model return these columns",
    "ALTER /* a comment */ TABLE {M} RENAME COLUMN v TO w": "Let its model return these columns",
    "alter table {m} replace columns (id int)": "Let its model return these columns",
    "alter table {m} rename to {m}_2": "go to the branch of the build",
    "drop table {m}": "go to the branch of the build",
    "drop table if exists {catalog}.{m} purge": "go to the branch of the build",
    "create or replace table {m} (id int) using iceberg": "go to the branch of the build",
    "replace table {m} using iceberg as select 1 as id": "go to the branch of the build",
    "insert into {m}.branch_main values (5, 'x')": "Write to the table itself",
    "delete from {m}.branch_main as old where old.id = 1": "Write to the table itself",
    "with n as (select 5 as id, 'x' as v) insert into {m}.branch_other select * from n": (
        "Write to the table itself"
    ),
    "call system.rollback_to_timestamp('{m}', timestamp '2020-01-01')": "go to the branch",
    "call {catalog}.system.fast_forward(table => '{m}', branch => 'main', to => 'x')": "branch",
    "alter table {m} drop branch main": "Leave the branch main alone",
    "alter table {m} create or replace branch main": "Leave the branch main alone",
    "alter table {m} unset tblproperties ('write.wap.enabled')": "Leave these properties alone",
    "alter table {m} set tblproperties ('contracts.pending.x' = '{{}}')": "Leave these properties",
}
HARMLESS = (
    "alter table {m} set tblproperties ('read.split.target-size' = '1')",
    "alter table {m} write ordered by id",
    "alter table {m} alter column v comment 'about drop and replace'",
    "alter table {m} create or replace tag before_it",
    "call system.rewrite_data_files('{m}')",
    "create or replace table {schema}.own_of_hooks using iceberg as select 1 as id",
    "alter table {schema}.own_of_hooks add column more int",
    "drop table {schema}.own_of_hooks",
    "create table if not exists {m} (id int) using iceberg",
    "create or replace temporary view a_view as select replace(v, 'a', 'drop') as v from {m}",
    "truncate table {m}",
    "insert into {m} values (1, 'alter')",
)


@pytest.fixture(scope="module")
def project(dbt, tmp_path_factory, module_schema):
    from tests.support.dbt_runner import make_project

    small = make_project(dbt, tmp_path_factory.mktemp("hooks"), FILES)
    result = small("run", schema=module_schema)
    assert result.success, result.text

    def command(*args, **variables):
        return small(*args, schema=module_schema, **variables)

    command.folder = small.project_dir
    return command


@pytest.fixture
def spelled(spark, module_schema):
    """Return a function that fills the names of this test's tables into a statement."""

    def statement(text: str) -> str:
        return text.format(
            m=f"{module_schema}.m",
            M=f"{module_schema}.`M`".lower(),
            schema=module_schema,
            catalog=spark.catalog.currentCatalog(),
        )

    return statement


@pytest.fixture
def seen(spark, module_schema):
    """Return a function that reads the columns and rows of the model's table, as readers do."""

    def now():
        spark.sql(f"refresh table {module_schema}.m")
        columns = spark.table(f"{module_schema}.m").schema
        rows = [tuple(row) for row in spark.table(f"{module_schema}.m").collect()]
        return [(c.name, c.dataType.simpleString(), c.nullable) for c in columns], rows

    return now


AS_PROMISED = [("id", "int", False), ("v", "string", True)]


@pytest.mark.parametrize("text", PAST_THE_BRANCH)
def test_a_statement_shows_what_no_branch_can_hold(spark, module_schema, spelled, text):
    sql = spelled(text)
    assert statements.may_have_effects(sql, is_on_branch=True)
    found = statements.effects(spark, sql)
    (effect,) = [each for each in found if each.table == f"{module_schema}.m"]
    assert PAST_THE_BRANCH[text] in effect.way_out


@pytest.mark.parametrize(
    "text",
    [
        "drop table identifier('{m}')",
        "alter table identifier('{m}') add column policy string",
        "create or replace table identifier('{m}') using iceberg as select 1 as id",
        "insert into IDENTIFIER ('{m}.branch_main') values (5, 'x')",
    ],
)
def test_a_statement_shows_a_computed_name(spark, spelled, text):
    (effect,) = statements.effects(spark, spelled(text))
    assert not effect.table and "and not identifier(…)" in effect.way_out
    assert statements.effects(spark, spelled("select identifier('v') from {m}")) == []


@pytest.mark.usefixtures("project")
def test_what_a_branch_holds_or_no_reader_sees_passes(spark, module_schema, spelled):
    for text in HARMLESS:
        told = statements.effects(spark, spelled(text))
        assert [each for each in told if each.table.endswith(".m") and each.way_out] == [], text


def test_hooks_that_go_past_the_branch_are_refused(project, seen, spelled, module_schema):
    """Each kind of hook is tried, on the model's own table and on others, contracted or not."""
    before = seen()
    drop, rename = (
        spelled("drop table {m}"),
        spelled("alter table {schema}.free rename column id to i"),
    )
    insert = spelled("insert into {m} values (9, 'x')")
    for place, sql in (
        ("after", drop),
        ("after_free", rename),
        ("after_free", drop),
        ("before_free", drop),
        ("before", drop),
        ("at_the_start", drop),
        ("at_the_end", rename),
        ("past_the_end", drop),
        ("before", insert),
        ("past_the_end", insert),
    ):
        hooks = [sql] if "free" in place or place == "after" else sql
        result = project("run", **{place: hooks})
        assert not result.success, (place, result.text)
        table = f"{module_schema}.{'free' if sql == rename else 'm'}"
        told = f"`{sql}` is not run: readers of {table} would see it at once"
        assert told in result.text, (place, result.text)
        assert seen() == before
    # A project can disable the audit.
    assert project("run", "-s", "free", after_free=[rename], write_audit_publish=False).success
    back = spelled("alter table {schema}.free rename column i to id")
    told = project("run-operation", "an_operation", "--args", f"{{sql: {back}}}")
    assert told.success, told.text
    assert f"`{back}`: readers of {module_schema}.free see it at once." in "\n".join(told.said)


def test_what_a_hook_may_do(project, seen, spelled):
    hooks = [spelled(text) for text in HARMLESS]
    result = project("run", "-s", "free", after_free=hooks)
    assert result.success, result.text
    assert seen() == (AS_PROMISED, [(1, "alter")])


@pytest.mark.parametrize("change", BREACHES)
def test_a_post_hook_that_changes_columns_of_main(project, seen, change):
    """Without write-audit-publish the hook runs, and a breach of contract fails the model."""
    hook = [f"alter table {{{{ this }}}} {change}"]
    result = project("run", "-s", "m", after=hook, write_audit_publish=False)
    assert result.status["m"] == "error"
    assert BREACHES[change] in result.message["m"]
    assert seen() == (AS_PROMISED, [(1, "a")])


@pytest.mark.parametrize("change", BREACHES)
def test_a_python_model_that_changes_columns_of_another(project, seen, module_schema, change):
    """dbt does not see the model's own SQL, so the table is checked before it is published."""
    before = seen()
    python = project.folder / "models/changes.py"
    python.write_text(CHANGES.format(table=f"{module_schema}.m", change=change))
    try:
        result = project("run", "-s", "m", "changes")
    finally:
        python.unlink()
    assert not result.success
    assert BREACHES[change] in result.text and "Nothing was published" in result.text
    assert seen() == before


def test_a_post_hook_that_rewrites_values(project, seen):
    result = project("run", "-s", "m", after=["update {{ this }} set id = 17"])
    assert "id < 10 does not hold for each row" in result.message["m"]
    assert seen() == (AS_PROMISED, [(1, "a")])
    allowed = project("run", "-s", "m", after=["update {{ this }} set id = 7"])
    assert allowed.success, allowed.text
    assert seen() == (AS_PROMISED, [(7, "a")])


def test_a_hook_at_the_end_of_the_run_that_rewrites_values(project, seen, module_schema):
    before = seen()
    result = project("run", "-s", "m", at_the_end=f"update {module_schema}.m set id = 17")
    assert not result.success
    assert "id < 10 does not hold for each row" in result.text
    assert "Nothing was published" in result.text
    assert seen() == before


def test_a_model_without_a_contract_is_warned_of(project, spark, module_schema):
    added = ["alter table {{ this }} add column policy string"]
    result = project("run", "-s", "free", after_free=added, write_audit_publish=False)
    assert result.success, result.text
    assert "policy: in the table, not in the contract" in "\n".join(result.said)


def test_hooks_of_which_a_later_one_fails(project, seen):
    hooks = ["alter table {{ this }} add column policy string", "select nonsense"]
    result = project("run", "-s", "m", after=hooks, write_audit_publish=False)
    assert result.status["m"] == "error"
    assert "Its columns were put back" in "\n".join(result.said)
    assert seen() == (AS_PROMISED, [(1, "a")])
