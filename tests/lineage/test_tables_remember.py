"""A table stores the origins of its rows. Readers apply the current marks to them.

A Silver table has a marked column, and an intermediate model passes it on to Gold.
"""

import shutil

import pytest

YML = """
models:
  - name: silver_t
    config: {{schema: silver}}
    columns: [{{name: policy, config: {{meta: {silver_t}}}}}, {{name: car}}]
  - name: between
    config: {{schema: silver}}
    columns: [{{name: x, config: {{meta: {between}}}}}]
  - name: other
    config: {{schema: silver}}
    columns: [{{name: y, config: {{meta: {{silver_only: true}}}}}}]
  - name: gold_x
    config: {{schema: gold, contract: {{enforced: true}}}}
    columns: [{{name: reference, data_type: string}}]
"""
MARKED, CLEAN = "{pii: true}", "{}"
FILES = {
    "models/silver_t.sql": "select 'POL-1' as policy, 'k' as car",
    "models/between.sql": "select policy as x from {{ ref('silver_t') }}",
    "models/other.sql": "select 'o' as y",
    "models/gold_x.sql": "select x as reference from {{ ref('between') }}",
    "models/models.yml": YML.format(silver_t=CLEAN, between=CLEAN),
}
UDF = """
from pyspark.sql import functions as F


def model(dbt, spark):
    return dbt.ref("silver_t").select(F.udf(str)("car").alias("x"))
"""
AUDITED = """
name: small
profile: lakehouse
flags: {send_anonymous_usage_stats: false}
models: {+file_format: iceberg, +materialized: table}
snapshots: {+file_format: iceberg, +schema: silver}
seeds: {+file_format: iceberg}
on-run-start: "{{ begin_run() }}"
on-run-end: "{{ end_run() }}"
"""


@pytest.fixture
def project(small_project, schema):
    project = small_project(FILES)

    def run(*arguments, target=True, **files):
        """Run dbt with changed models. Without a target/, dbt knows only the tables."""
        for name, text in files.items():
            path = project.project_dir / "models" / name.replace("__", ".")
            path.unlink(missing_ok=True)
            if text:
                path.write_text(text)
        if not target:
            shutil.rmtree(project.target_path)
        return project(*arguments, schema=schema)

    run.dir = project.project_dir
    run.small = project
    return run


def test_a_mark_of_today_reaches_what_was_built_before_it(project):
    assert project("run").success
    marked = YML.format(silver_t=MARKED, between=CLEAN)
    result = project("run", "-s", "gold_x", target=False, models__yml=marked)
    told = "gold_x.reference is between.x (made of silver_t.policy) under another name"
    assert told in result.message["gold_x"]


def test_table_without_rows_passes_no_origins_on(project):
    """Such a table is left by a first build that published nothing, for example with `--empty`."""
    (project.dir / "dbt_project.yml").write_text(AUDITED)
    assert project("run", "--empty").success
    result = project("run", "-s", "gold_x", models__yml=YML.format(silver_t=MARKED, between=CLEAN))
    assert result.success, result.text


@pytest.mark.slow
def test_table_without_new_rows_still_passes_its_origins_on(project):
    """Iceberg counts the records of a new branch from 0, even if the table has rows."""
    (project.dir / "dbt_project.yml").write_text(AUDITED)
    added = "{{ config(materialized='incremental', incremental_strategy='append') }}\n"
    added += FILES["models/between.sql"] + "{% if is_incremental() %} where false{% endif %}"
    for _ in range(2):
        result = project("run", "-s", "silver_t between", between__sql=added)
        assert result.success, result.text
    marked = YML.format(silver_t=MARKED, between=CLEAN)
    result = project("run", "-s", "gold_x", target=False, models__yml=marked)
    assert "gold_x.reference is between.x (made of silver_t.policy)" in result.message["gold_x"]


def test_what_could_not_be_traced_is_remembered(project):
    marked = YML.format(silver_t=MARKED, between=CLEAN)
    files = {"between__sql": None, "between__py": UDF, "models__yml": marked}
    assert project("run", "-s", "silver_t other between", **files).success
    result = project("run", "-s", "gold_x", target=False)
    assert "because of between.x, which cannot be traced" in result.message["gold_x"]


def test_a_table_that_does_not_know_is_refused_with_a_way_out(project, spark, schema):
    marked = YML.format(silver_t=CLEAN, between=CLEAN)
    assert project("run", models__yml=marked).success
    for name, _ in spark.sql(f"show tblproperties {schema}_silver.between").collect():
        if name.startswith("contracts.made_of."):
            spark.sql(f"alter table {schema}_silver.between unset tblproperties ('{name}')")
    result = project("run", "-s", "gold_x")
    assert (
        "gold_x.reference cannot be traced, because of between.x, whose origins its table does not "
        "store: run `dbt build -s between` to store them"
    ) in result.message["gold_x"]
    assert project("build", "-s", "between").success
    assert project("run", "-s", "gold_x").success


@pytest.mark.slow
def test_origins_are_remembered_through_an_older_table(project):
    """`between` no longer reads the policy, but `last` was built when it did."""
    files = {
        "last__sql": "select x as z from {{ ref('between') }}",
        "gold_x__sql": "select z as reference from {{ ref('last') }}",
    }
    assert project("run", **files).success
    clean = {"between__sql": "select car as x from {{ ref('silver_t') }}"}
    marked = {"models__yml": YML.format(silver_t=MARKED, between=CLEAN)}
    assert project("run", "-s", "between", **clean, **marked).success
    result = project("run", "-s", "gold_x")
    assert "gold_x.reference is last.z (made of silver_t.policy)" in result.message["gold_x"]
    assert project("run", "-s", "last").success
    assert project("run", "-s", "gold_x").success


def test_an_allowance_on_the_way_holds_for_what_comes_after(project):
    marked = YML.format(silver_t=MARKED, between=CLEAN).replace(
        "{schema: silver}\n    columns: [{name: x",
        "{schema: silver, meta: {pii_allowed: {x: Agreed.}}}\n    columns: [{name: x",
    )
    files = {
        "last__sql": "select x as z from {{ ref('between') }}",
        "gold_x__sql": "select z as reference from {{ ref('last') }}",
    }
    assert project("run", models__yml=marked, **files).success
    assert project("run", "-s", "gold_x").success
    without = YML.format(silver_t=MARKED, between=CLEAN)
    result = project(
        "run", "-s", "gold_x", gold_x__sql=FILES["models/gold_x.sql"], models__yml=without
    )
    assert "is between.x (made of silver_t.policy)" in result.message["gold_x"]


@pytest.mark.slow
def test_earlier_rows_of_an_incremental_table_are_remembered(project):
    head = "{{ config(materialized='incremental') }} "
    dirty = {"between__sql": head + "select policy as x from {{ ref('silver_t') }}"}
    clean = {"between__sql": head + "select car as x from {{ ref('silver_t') }}"}
    marked = {"models__yml": YML.format(silver_t=MARKED, between=CLEAN)}
    assert project("run", **dirty).success
    assert project("run", "-s", "between", **clean, **marked).success
    assert "made of silver_t.policy" in project("run", "-s", "gold_x").message["gold_x"]
    assert project("run", "-s", "between", "--full-refresh").success
    assert project("run", "-s", "gold_x").success


def test_a_deferred_table_is_asked_itself(project, spark, schema):
    small = project.small
    assert small("run", schema=f"{schema}_prod").success
    marked = YML.format(silver_t=MARKED, between=CLEAN)
    (project.dir / "models/models.yml").write_text(marked)
    state = project.dir / "state"
    shutil.copytree(small.target_path, state)
    shutil.rmtree(small.target_path)
    result = small("run", "-s", "gold_x", "--defer", "--state", str(state), schema=f"{schema}_dev")
    assert "is between.x (made of silver_t.policy)" in result.message["gold_x"]


@pytest.mark.slow
def test_a_state_of_a_table_is_known_by_itself(project, schema):
    """A roll-back, a tag and a branch each have rows from another time."""
    tag = f"alter table {schema}_silver.between create or replace tag before"
    dirty = '{{ config(post_hook="' + tag + "\") }} select policy as x from {{ ref('silver_t') }}"
    assert project("run", between__sql=dirty).success
    files = {
        "between__sql": "select car as x from {{ ref('silver_t') }}",
        "models__yml": YML.format(silver_t=MARKED, between=CLEAN),
    }
    assert project("run", **files).success, "clean by now"
    old = f"-- {{{{ ref('between') }}}}\nselect x as reference from {schema}_silver.between "
    for state in ("version as of 'before'", ".tag_before", ".changes"):
        query = old.rstrip() + (state if state.startswith(".") else f" {state}")
        result = project("run", "-s", "gold_x", gold_x__sql=query)
        assert "(made of silver_t.policy)" in result.message["gold_x"], state


@pytest.mark.slow
def test_a_snapshot_and_a_seed_as_parents(project, schema):
    folder = project.dir
    (folder / "dbt_project.yml").write_text(AUDITED)
    (folder / "snapshots").mkdir()
    (folder / "seeds").mkdir()
    (folder / "seeds/numbers.csv").write_text("n\n1\n")
    (folder / "snapshots/history.yml").write_text("""
snapshots:
  - name: history
    relation: ref('between')
    config: {strategy: check, unique_key: x, check_cols: all}
""")
    query = "select h.x as reference from {{ ref('history') }} h cross join {{ ref('numbers') }} n"
    seeded = "select string(n) as reference from {{ ref('numbers') }}"
    built = project("build", gold_x__sql=query)
    assert built.success, built.text
    marked = YML.format(silver_t=MARKED, between=CLEAN)
    result = project("run", "-s", "gold_x", models__yml=marked)
    assert "is history.x (made of" in result.message["gold_x"], result.text
    assert project("run", "-s", "gold_x", gold_x__sql=seeded).success


@pytest.mark.slow
def test_a_branch_remembers_what_main_does_not(project, schema):
    """A held-back run changes neither the published rows nor their stored origins."""
    folder = project.dir
    (folder / "dbt_project.yml").write_text(AUDITED)
    assert project("build", between__sql="select car as x from {{ ref('silver_t') }}").success
    (folder / "tests").mkdir()
    (folder / "tests/fails.sql").write_text("select * from {{ ref('between') }}")
    assert not project("build", between__sql=FILES["models/between.sql"]).success
    (folder / "tests/fails.sql").unlink()
    marked = {"models__yml": YML.format(silver_t=MARKED, between=CLEAN)}
    clean = {"between__sql": "select car as x from {{ ref('silver_t') }}"}
    result = project("run", "-s", "gold_x", **marked, **clean)
    assert result.success, result.text


def test_origins_of_a_removed_model_are_unknown(project):
    files = {
        "old__sql": "select 'POL-1' as policy",
        "between__sql": "select policy as x from {{ ref('old') }}",
    }
    marked = YML.format(silver_t=MARKED, between=CLEAN)
    assert project("run", models__yml=marked, **files).success
    gone = {"old__sql": None, "between__sql": FILES["models/between.sql"]}
    result = project("run", "-s", "gold_x", **gone)
    told = "between.x, which was made of old, a table that dbt does not know"
    assert told in result.message["gold_x"]
