"""dbt-spark writes tables of other formats than Iceberg. Their contracts are not silently lost."""

import pytest
import yaml

from tests.support.dbt_runner import make_project

LINE = "dbt-spark writes it, visible at once, without a branch, a drift check or history."
PYTHON = """
def model(dbt, spark):
    dbt.config(file_format="{}")
    return dbt.ref("silver_t").selectExpr({})
"""
KEEPS_A_NOTE = """
def model(dbt, spark):
    dbt.config(file_format="parquet")
    dbt.notes.keep("so far")
    return spark.range(1)
"""
MARKED = {"name": "email", "config": {"meta": {"pii": True}}}
TYPED = [{"name": "id", "data_type": "bigint"}]
SNAPSHOT = "{% snapshot NAME %}{{ config(strategy='check', unique_key='id', check_cols='all', "
MODELS = {
    "models/silver_t.sql": "select 'e' as email, 'k' as id, 1L as n",
    # Written by dbt-spark.
    "models/plain.sql": "{{ config(file_format='parquet') }} select id from {{ ref('silver_t') }}",
    "models/no_format.sql": "{{ config(file_format=none) }} select id from {{ ref('silver_t') }}",
    "models/by_python.py": PYTHON.format("parquet", '"id", "2 as two"'),
    "models/bit_by_bit.sql": (
        "{{ config(file_format='parquet', materialized='incremental', "
        "pre_hook='create or replace temporary view of_a_hook as select 3L as three', "
        "post_hook='insert into {{ this }} values (4)') }} select three from of_a_hook"
    ),
    "models/own_hooks.sql": (
        "{{ config(materialized='incremental', unique_key='id', "
        "incremental_strategy='merge', meta={'unguarded': 'Its hooks.'}, "
        "post_hook='insert into {{ this }} values (null, 4)') }} select 'i' as id, 3 as n"
    ),
    "seeds/rules.csv": "id,level\na,1\nb,\n",
    # Not written.
    "models/promised.sql": "{{ config(file_format='parquet') }} select 1L as id",
    "models/promised_python.py": PYTHON.format("parquet", '"n as id"'),
    "models/promised_and_unguarded.sql": "{{ config(meta={'unguarded': 'So.'}) }} select 1L as id",
    "models/marked.sql": "{{ config(file_format='parquet') }} select email "
    "from {{ ref('silver_t') }}",
    "models/takes_it_out.sql": "{{ config(file_format='orc', schema='gold') }} "
    "select email as reference from {{ ref('silver_t') }}",
    "models/takes_it_out_python.py": PYTHON.format("orc", '"email as reference"').replace(
        "file_format", "schema='gold', file_format"
    ),
    "models/loses_it.sql": "{{ config(file_format='orc') }} select email as e "
    "from {{ ref('silver_t') }}",
    "models/notes.py": KEEPS_A_NOTE,
    "snapshots/history.sql": SNAPSHOT.replace("NAME", "history")
    + "file_format='delta') }} select * from {{ ref('silver_t') }}{% endsnapshot %}",
    "snapshots/of_parquet.sql": SNAPSHOT.replace("NAME", "of_parquet")
    + "file_format='parquet') }} select id from {{ ref('silver_t') }}{% endsnapshot %}",
    # A contracted model cannot trace the columns of such a table.
    "models/reads_it.sql": "select id from {{ ref('plain') }}",
    "models/knows_why.sql": "select id from {{ ref('plain') }}",
}
ENFORCED = {"contract": {"enforced": True}}
ID = [{"name": "id", "data_type": "string"}]
YML = {
    "models": [
        {"name": "silver_t", "columns": [MARKED]},
        {"name": "promised", "config": ENFORCED, "columns": TYPED},
        {"name": "promised_and_unguarded", "config": ENFORCED, "columns": TYPED},
        {"name": "promised_python", "config": ENFORCED, "columns": TYPED},
        {"name": "marked", "columns": [MARKED]},
        {"name": "reads_it", "config": ENFORCED, "columns": ID},
        {
            "name": "knows_why",
            "config": ENFORCED | {"meta": {"untraced_allowed": {"id": "A key, and no more."}}},
            "columns": ID,
        },
    ],
    "seeds": [{"name": "rules", "config": {"file_format": None}}],
}
REFUSED = {
    "promised": "its contract is enforced: set `+file_format: iceberg`, or remove the contract",
    "promised_and_unguarded": "meta unguarded, and its contract is enforced: remove `unguarded`, "
    "or remove the contract",
    "promised_python": "its contract is enforced: set `+file_format: iceberg`",
    "marked": "its column email is marked: set `+file_format: iceberg`, or remove the mark",
    "takes_it_out": "takes_it_out.reference is silver_t.email under another name",
    "takes_it_out_python": "takes_it_out_python.reference is silver_t.email under another name",
    "loses_it": "loses_it.e is silver_t.email under another name, and is not marked pii",
    "notes": "its model keeps a note, which needs a table that the guard writes",
    "history": "email would inherit marks, which needs a table that the guard writes",
    # The message is dbt-spark's.
    "of_parquet": "Snapshot functionality requires file_format be set to 'delta'",
    "reads_it": "reads_it.id cannot be traced, because of plain.id, whose origins its table does "
    "not store, because dbt-spark writes it (file_format parquet)",
}
WRITTEN = {"own_hooks", "plain", "no_format", "by_python", "bit_by_bit", "rules"}


@pytest.fixture(scope="module")
def project(dbt, tmp_path_factory):
    files = MODELS | {"models/all.yml": yaml.safe_dump(YML)}
    return make_project(dbt, tmp_path_factory.mktemp("unguarded"), files)


@pytest.fixture(scope="module")
def built(project, module_schema):
    return project("build", schema=module_schema)


def test_what_asks_for_nothing_is_written_by_dbt_spark(built, spark, module_schema):
    assert {name for name in WRITTEN if built.status[name] == "success"} == WRITTEN
    for name in WRITTEN:
        lines = [line for line in built.said if line.endswith(LINE) and f".{name}:" in line]
        assert len(lines) == 1, name
    assert f"{module_schema}.no_format: no file_format: {LINE}" in built.said
    assert f"{module_schema}.own_hooks: meta unguarded: {LINE}" in built.said
    rows = {
        name: {tuple(row) for row in spark.table(f"{module_schema}.{name}").collect()}
        for name in WRITTEN
    }
    assert rows["plain"] == rows["no_format"] == {("k",)}
    assert rows["own_hooks"] == {("i", 3), (None, 4)}
    assert rows["by_python"] == {("k", 2)}
    assert rows["bit_by_bit"] == {(3,), (4,)}
    assert rows["rules"] == {("a", 1), ("b", None)}


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_lose_a_promise_is_refused(built, spark, module_schema, name):
    assert built.status[name] == "error"
    assert REFUSED[name] in built.message[name]
    assert not spark.catalog.tableExists(f"{module_schema}.{name}")


def test_an_allowance_says_why_it_may_be_read(built):
    assert built.status["knows_why"] == "success", built.message["knows_why"]


def test_second_run_appends_or_replaces_as_dbt_spark_does(built, project, spark, module_schema):
    names = sorted(WRITTEN - {"rules"})
    again = project("run", "-s", *names, schema=module_schema)
    assert again.success, again.text
    assert project("seed", schema=module_schema).success
    counts = {
        name: spark.table(f"{module_schema}.{name}").count() for name in WRITTEN - {"own_hooks"}
    }
    assert counts == {"plain": 1, "no_format": 1, "by_python": 1, "bit_by_bit": 4, "rules": 2}
    assert spark.table(f"{module_schema}.own_hooks").count() == 3  # merged, and appended to


def test_a_table_of_the_guard_is_not_dropped(small_project, spark, schema):
    project = small_project({"models/m.sql": "select 1L as id"})
    assert project("run", schema=schema).success
    (project.project_dir / "models/m.sql").write_text(
        "{{ config(file_format='parquet') }} select 2L as id"
    )
    result = project("run", schema=schema)
    assert "there is a table whose history dbt-spark would drop" in result.message["m"]
    assert [row.id for row in spark.table(f"{schema}.m").collect()] == [1]


def test_an_audited_run_writes_it_at_once(small_project, spark, schema):
    files = {
        "models/plain.sql": "{{ config(file_format='parquet') }} select 1L as id",
        "models/guarded.sql": "select id from {{ ref('plain') }}",
        "models/all.yml": "models: [{name: guarded, columns: [{name: id, data_tests: [{"
        "accepted_values: {arguments: {values: [2], quote: false}}}]}]}]",
        "dbt_project.yml": yaml.safe_dump(
            {
                "name": "small",
                "profile": "lakehouse",
                "models": {"+file_format": "iceberg", "+materialized": "table"},
                "on-run-start": "{{ begin_run() }}",
                "on-run-end": "{{ end_run() }}",
            }
        ),
    }
    project = small_project(files)
    for _ in range(2):  # dbt-spark drops its table, so no branch holds it
        result = project("build", schema=schema)
        assert result.status["plain"] == "success", result.text
        assert spark.table(f"{schema}.plain").count() == 1
        assert spark.table(f"{schema}.guarded").count() == 0  # its test failed
