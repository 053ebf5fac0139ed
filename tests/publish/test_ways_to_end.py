"""Untested tables are reported, however a command ends and whatever it skips."""

import json

import pytest
from dbt_spark_contracts.publish import branches, lease
from dbt_spark_contracts.publish.run import Run
from dbt_spark_contracts.publish.tags import is_tag
from dbt_spark_contracts.spark import session

MODELS = {
    "models/a.sql": "select 1 as id, {{ var('worth', 10) }} as worth",
    "models/b.sql": "select id from {{ ref('a') }}",
    "models/m.yml": """
models:
  - name: a
    columns:
      - name: worth
        data_tests:
          - accepted_values:
              name: a_is_10
              arguments: {values: [10], quote: false}
              config: {severity: "{{ var('severity', 'error') }}"}
      - {name: id, data_tests: [{not_null: {name: a_has_id}}]}
""",
}
FAILS = "{% if var('fails', '') == 'NAME' %}select * from not_granted{% endif %}"


def project_yml(start: str, end: str) -> str:
    return f"""
name: small
profile: lakehouse
# The default of dbt-core 1.11. That of 1.12 is true: then no model runs after such a hook.
flags: {{send_anonymous_usage_stats: false, skip_nodes_if_on_run_start_fails: false}}
models: {{+file_format: iceberg, +materialized: table}}
on-run-start: {start}
on-run-end: {end}
"""


HOOKS = {
    "dbt_project.yml": project_yml(
        f"""["{FAILS.replace("NAME", "start")}", "{{{{ begin_run() }}}}"]""",
        f"""["{FAILS.replace("NAME", "end")}", "{{{{ end_run() }}}}",
            "{FAILS.replace("NAME", "after")}"]""",
    ),
    **MODELS,
}


@pytest.fixture
def project(small_project, schema):
    """Return a function that runs dbt on the project above, in the test's own namespaces."""
    dbt = small_project(HOOKS)

    def command(*args, **variables):
        return dbt(*args, schema=schema, **variables)

    command.folder, command.target = dbt.project_dir, dbt.target_path
    return command


@pytest.fixture
def worth(read, schema):
    """Return a function that returns the `worth` of `a` as a reader sees it."""
    return lambda: [row["worth"] for row in read(schema, "a")]


def held_branch(result) -> str:
    return result.text.partition("held back on the branch ")[2].split()[0].rstrip(".")


@pytest.mark.slow
def test_hooks_that_fail(project, worth, spark, schema):
    assert project("build").success
    # A hook before begin_run fails: dbt skips begin_run and builds on.
    result = project("build", worth=11, fails="start")
    assert f"{schema}.a is not written: this run has no lock and no branch" in result.message["a"]
    assert "\n" not in result.message["a"].strip().partition("Error")[2].strip().partition("\n")[2]
    assert result.said[-1] == "Nothing was published: begin_run did not run."
    assert worth() == [10]
    # A run without an audit has the lock.
    assert not project("build", worth=12, fails="start", write_audit_publish=False).success
    assert worth() == [12]
    # A hook before end_run fails: dbt skips end_run.
    result = project("build", "--exclude", "a_is_10", worth=13, fails="end")
    branch = held_branch(result)
    assert f"2 tables are held back on the branch {branch}." in result.text
    assert f"`dbt run-operation publish --args '{{branch: {branch}}}'`" in result.said[-1]
    assert worth() == [12]
    retried = project("retry", fails="")
    assert "had nothing left to do" in retried.said[-1] and branch in retried.said[-1]
    published = project("run-operation", "publish", "--args", f"{{branch: {branch}}}")
    assert published.said[-1].startswith("Published 2 tables one by one, untested: a (not all"), (
        published.text
    )
    assert worth() == [13]
    # A hook after end_run fails: the tables are already published.
    result = project("build", fails="after")
    assert not result.success and result.said[-1] == "Published 2 tables one by one."
    assert worth() == [10]


@pytest.mark.slow
def test_a_publish_that_is_refused_keeps_the_results(project, worth, schema):
    """Another writer has written to main during the run, without the lock."""
    assert project("build").success
    (project.folder / "models/b.sql").unlink()
    (project.folder / "models/b.py").write_text(f"""
def model(dbt, spark):
    iceberg = spark._jvm.org.apache.iceberg
    table = iceberg.spark.Spark3Util.loadIcebergTable(spark._jsparkSession, "{schema}.a")
    table.newDelete().deleteFromRowFilter(iceberg.expressions.Expressions.alwaysTrue()).commit()
    return dbt.ref("a").select("id")
""")
    result = project("build")
    assert not result.success and "keyboard interrupt" not in result.text, result.text
    assert worth() == []
    written = json.loads((project.target / "run_results.json").read_text())["results"]
    ended = {each["unique_id"].partition(".")[2]: each for each in written}
    assert ended["small.a"]["status"] == ended["small.b"]["status"] == "success"
    (refused,) = (each for each in written if each["status"] == "error")
    assert refused["unique_id"] == "operation.small.small-on-run-end-1"
    for told in (refused["message"], result.said[-1]):
        assert f"{schema}.a has been written since the branch" in told
    assert "are held back on the branch" in result.said[-2]
    assert "had nothing left to do" in project("retry").said[-1]


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c(project, worth):
    """`dbt retry` does not know the nodes that were not started, so it must not publish."""
    assert project("build").success
    (project.folder / "models/b.py").write_text("""
import _thread
import time


def model(dbt, spark):
    _thread.interrupt_main()
    time.sleep(1)
    return dbt.ref("a").select("id")
""")
    (project.folder / "models/b.sql").unlink()
    (project.folder / "models/c.sql").write_text("select * from {{ ref('b') }}")
    result = project("run", worth=11)
    assert not result.success
    assert "held back on the branch" in result.said[-2]
    assert "nodes did not run. To go on: `dbt build`." in result.said[-1]
    retried = project("retry")
    assert "was interrupted before" in retried.text and "run `dbt build` again" in retried.text
    assert worth() == [10]


def test_what_no_test_has_seen_is_said(project, worth):
    assert project("build").said[-1] == "Published 2 tables one by one."
    for command in (
        ["run"],
        ["build", "--exclude-resource-type", "test"],
        ["build", "--exclude", "a_has_id"],
    ):
        assert (
            project(*command)
            .said[-1]
            .startswith("Published 2 tables one by one, untested: a (not all")
        )
    assert (
        project("run", "--select", "b").said[-1] == "Published 1 tables in one commit."
    )  # it has no test
    assert not project("build", worth=11).success
    # Without its branch, the tables of the first attempt would be missing.
    result = project("retry", severity="warn", write_audit_publish=False)
    assert not result.success and "would go on from main without them" in result.text
    # A retry does not repeat what has already run.
    assert project("retry", worth=10).said[-1].startswith("Nothing was published")
    assert project("retry", severity="warn").said[-1] == "Published 2 tables one by one."
    assert worth() == [11]


@pytest.mark.parametrize(
    "part",
    [["--empty"], pytest.param(["--sample", "1 day"], marks=pytest.mark.slow)],
    ids=["--empty", "--sample"],
)
def test_a_part_is_never_published(project, worth, spark, schema, part):
    assert project("run").success
    result = project("run", *part, worth=11)
    assert result.success, result.text
    assert result.said[-1] == "Nothing was published: --empty and --sample build for a try only."
    assert worth() == [10]
    spark.sql(f"refresh table {schema}.a")
    assert spark.table(f"{schema}.a.refs").where("type = 'BRANCH'").count() == 1
    # Without a branch readers would see the rows at once, so the run is refused.
    result = project("run", *part, worth=11, write_audit_publish=False)
    assert not result.success
    assert "leave one of the two out. Nothing was written." in result.text
    assert worth() == [10]
    result = project("run", worth=12, write_audit_publish=False)
    assert result.said[-1].startswith("Readers saw each table as soon as it was written")
    assert worth() == [12]


@pytest.mark.slow
def test_what_others_do_meanwhile(project, worth, spark, schema):
    """Others compact main, which changes no row, drop a table, or write to an unknown name."""
    assert project("build").success
    for id in range(2, 8):
        spark.sql(f"insert into {schema}.b values ({id})")
    compaction = f"call system.rewrite_data_files('{schema}.b')"
    (project.folder / "models/b.sql").write_text(f"""
{{{{ config(materialized='incremental', post_hook="{compaction}") }}}}
select 8 as id
""")
    assert project("build").said[-1] == "Published 2 tables one by one."
    spark.sql(f"refresh table {schema}.b")
    operations = {row.operation for row in spark.table(f"{schema}.b.snapshots").collect()}
    assert "replace" in operations
    assert sorted(row.id for row in spark.table(f"{schema}.b").collect()) == [1, *range(2, 9)]
    dropped = f"drop table {schema}.gone"
    spark.sql(f"create table {schema}.gone (id int) using iceberg")
    (project.folder / "models/b.sql").write_text(f"""
{{{{ config(post_hook=["insert into {schema}.gone values (1)", "{dropped}"]) }}}}
select 9 as id
""")
    assert project("build").said[-1] == "Published 2 tables one by one."


def test_a_written_table_that_cannot_be_told_stops_the_publish(spark, monkeypatch):
    catalog = spark.catalog.currentCatalog()
    for committed in ("file:/tmp/a_path", "another_catalog.a.b"):
        monkeypatch.setattr(branches, "_committed", {committed})
        with pytest.raises(branches.NotUnderstood, match=committed):
            branches.written(spark, [])
    # Tables that a package has created and dropped are in no catalog.
    for committed in (f"{catalog}.not_there.gone", "gone__tmp_1"):
        monkeypatch.setattr(branches, "_committed", {committed})
        assert branches.written(spark, []) == []


@pytest.mark.slow
def test_hooks_that_are_configured_twice(small_project, schema):
    """For example in a package and in the project. An operation is refused in a build's hook."""
    twice = project_yml('["{{ begin_run() }}", "{{ begin_run() }}"]', '["{{ end_run() }}"]')
    calls = "{% do maintain(3) %}{% do roll_back('2999-01-01') %}"
    again = f"{{% macro nightly() %}}{calls}{{% endmacro %}}"
    hook = "{% macro in_a_hook() %}{% if execute %}{% do maintain() %}{% endif %}{% endmacro %}"
    files = {"dbt_project.yml": twice, "macros/m.sql": again + hook, **MODELS}
    project = small_project(files)
    for command in (["build"], ["run-operation", "nightly"], ["build"]):
        result = project(*command, schema=schema)
        assert result.success, result.text
    assert result.said[-1] == "Published 2 tables one by one."
    (project.project_dir / "models/b.sql").write_text(
        "{{ config(post_hook='{{ in_a_hook() }}') }} select id from {{ ref('a') }}"
    )
    result = project("build", schema=schema)
    assert "maintain cannot run in a hook, because the build has locked the tables" in result.text
    assert "held back on the branch" in result.said[-1]


@pytest.mark.slow
def test_invalid_parameters(project, worth):
    assert project("build").success
    for told, variables in {
        "write_audit_publish must be true or false: 'false'": {"write_audit_publish": "false"},
        "write_audit_publish must be true or false: None": {"write_audit_publish": None},
        "lock_wait_seconds must be a number of seconds: nan": {"lock_wait_seconds": float("nan")},
    }.items():
        result = project("build", worth=11, **variables)
        assert not result.success and told in result.text
    for operation, argument, told in (
        ("maintain", "{keep_days: .inf}", "from 0 to 36500, or false, and is inf"),
        ("maintain", "{keep_days: .nan}", "from 0 to 36500, or false, and is nan"),
        ("publish", "{branch: 5}", "5 is not a branch of a run"),
        ("publish", "{branch: null}", "None is not a branch of a run"),
    ):
        result = project("run-operation", operation, "--args", argument)
        assert not result.success and told in result.text
    assert worth() == [10]


def test_a_project_without_the_hooks_writes_to_main(small_project, read, schema):
    result = small_project(MODELS)("build", schema=schema, worth=11)
    assert result.status["a"] == "success" and result.status["a_is_10"] == "fail"
    assert [row["worth"] for row in read(schema, "a")] == [11]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("hook", "told"),
    [
        ("reset", "goes past this run's branch"),
        ("use spark_catalog", "has changed Spark's catalog from lakehouse to spark_catalog"),
    ],
)
def test_a_hook_that_resets_the_branch_stops_the_run(project, worth, hook, told):
    assert project("build").success
    (project.folder / "models/b.sql").write_text(
        f"{{{{ config(post_hook='{hook}') }}}} select * from {{{{ ref('a') }}}}"
    )
    (project.folder / "models/c.sql").write_text("select * from {{ ref('b') }}")
    for audits in (True, False):
        result = project("run", worth=11, write_audit_publish=audits)
        # Without a branch the statement bypasses none.
        assert result.success is (not audits and hook == "reset")
        assert result.success or told in result.message["b"]
        assert result.success or str(result.status["c"]) in ("skipped", "error")
        assert worth() == ([10] if audits else [11])
    assert project("run", "--select", "a", worth=12).said[-1].startswith("Published 1 tables")


def test_only_branches_of_runs_are_published(project, worth):
    assert project("build").success
    for branch in ("main", "my_tag"):
        result = project("run-operation", "publish", "--args", f"{{branch: {branch}}}")
        assert not result.success and "is not a branch of a run" in result.text
    assert worth() == [10]


def test_snapshot_with_changed_columns_is_reported(spark, schema):
    """`roll_back` to it is refused, because a column of that time would be missing."""
    spark.sql(f"create schema if not exists {schema}")
    table = f"{schema}.t"
    spark.sql(f"create table {table} (id int, gone int, kept int) using iceberg")
    spark.sql(f"insert into {table} values (1, 2, 3)")
    first = spark.sql(f"select snapshot_id from {table}.snapshots").head()[0]
    spark.sql(f"alter table {table} add column new int")
    assert branches.changed_columns(spark, table, first) == []
    spark.sql(f"alter table {table} drop column gone")
    assert branches.changed_columns(spark, table, first) == ["gone"]


@pytest.mark.slow
def test_a_branch_of_a_table_that_only_a_hook_wrote_goes(project, spark, schema, monkeypatch):
    """`maintain` and the build after a kill drop it. They keep branches that people created."""
    assert project("build").success
    table = f"{schema}.`of.hooks`"
    told = "tblproperties ('write.wap.enabled' = 'true')"
    spark.sql(f"create table {table} using iceberg {told} as select 0 as id")
    spark.sql(f"alter table {table} create branch dbt_my_own")
    written = f"insert into {table} select 1"
    (project.folder / "models/a.sql").write_text(
        f"{{{{ config(post_hook='{written}') }}}} {MODELS['models/a.sql']}"
    )

    def branches_of() -> set[str]:
        return {ref for ref in branches.refs(spark, [table])[table] if not is_tag(ref)}

    def one_is_held() -> bool:
        return len(branches_of() - {"main", "dbt_my_own"}) == 1

    assert not project("build", worth=11).success
    assert one_is_held()
    data = spark.table(f"{table}.all_data_files").count()
    maintained = project("run-operation", "maintain", "--args", "{keep_days: 0}")
    assert maintained.success, maintained.text
    assert branches_of() == {"main", "dbt_my_own"}
    # The table is not part of the project, so maintenance changes nothing else of it.
    assert spark.table(f"{table}.all_data_files").count() == data

    with monkeypatch.context() as killed:
        killed.setattr(Run, "end", lambda *_: None)
        killed.setattr(Run, "complete", end_without_a_word)
        project("build", worth=11)
    session.use_branch(None)
    assert one_is_held()
    result = project("build", "--select", "b")
    assert "was killed before it ended" in result.text
    assert branches_of() == {"main", "dbt_my_own"}


def end_without_a_word(run: Run, settle) -> None:
    """End like a killed process: its writes and its lease remain, and nobody renews the lease."""
    run.ownership.lease._stop.set()
    lease._ended.add(run.ownership.lease.owner)
