"""Write-audit-publish: readers see all tables of a run after it has passed, or none."""

import os
import time

import pytest
from dbt_spark_contracts.publish.tags import is_tag

# A seed, a SQL and a Python model. A var decides whether the data test of `worth` fails or warns.
FILES = {
    "seeds/s.csv": "id,worth\n1,10\n2,20\n",
    "models/a.sql": "select id, worth, '{{ var(\"build\", 1) }}' as build from {{ ref('s') }}",
    "models/b.py": """
def model(dbt, spark):
    return dbt.ref("a").selectExpr("id", "worth * 2 as double_worth")
""",
    "models/schema.yml": """
models:
  - name: b
    columns:
      - name: double_worth
        data_tests:
          - accepted_values:
              name: b_is_worth_it
              arguments: {values: [20, 40], quote: false}
              config: {severity: "{{ var('severity', 'error') }}"}
""",
    "dbt_project.yml": """
name: small
profile: lakehouse
flags: {send_anonymous_usage_stats: false}
models: {+file_format: iceberg, +materialized: table}
seeds: {+file_format: iceberg}
on-run-start: "{{ begin_run() }}"
on-run-end: "{{ end_run() }}"
""",
}
TABLES = ("a", "b", "s")
ONLY_MAIN = {name: {"main"} for name in TABLES}
NOTHING: dict[str, list] = {name: [] for name in TABLES}
SPOILED = "id,worth\n1,11\n2,20\n"


@pytest.fixture
def project(small_project, schema):
    """Return a function that runs dbt on the project above, in the test's own namespaces."""
    dbt = small_project(FILES)

    def command(*args, **variables):
        return dbt(*args, schema=schema, **variables)

    command.folder = dbt.project_dir
    command.seed = lambda text: (dbt.project_dir / "seeds/s.csv").write_text(text)
    return command


@pytest.fixture
def seen(read, schema):
    """Return a function that returns the rows of each table as a reader without Spark sees them."""

    def tables():
        return {name: sorted(tuple(row.values()) for row in read(schema, name)) for name in TABLES}

    return tables


@pytest.fixture
def refs(spark, schema):
    """Return a function that returns the branches of each table, without the runs' tags."""

    def names():
        for name in TABLES:
            spark.sql(f"refresh table {schema}.{name}")
        return {
            name: {
                row.name
                for row in spark.table(f"{schema}.{name}.refs").collect()
                if not is_tag(row.name)
            }
            for name in TABLES
        }

    return names


def log_of(spark, schema) -> list[tuple[str, str]]:
    """Return (status, table) of each entry of the publish log, in order."""
    spark.sql(f"refresh table {schema}_ops.publish_log")
    rows = spark.table(f"{schema}_ops.publish_log").orderBy("logged_at", "table_name").collect()
    return [(row.status, row.table_name.rpartition(".")[2]) for row in rows]


def test_a_run_that_passes_is_published(project, seen, refs, spark, schema):
    result = project("build")
    assert result.success, result.text
    assert "Published 3 tables one by one." in result.text
    assert seen() == {
        "s": [(1, 10), (2, 20)],
        "a": [(1, 10, "1"), (2, 20, "1")],
        "b": [(1, 20), (2, 40)],
    }
    assert refs() == ONLY_MAIN
    assert log_of(spark, schema) == [
        *(("moving", name) for name in TABLES),
        *(("published", name) for name in TABLES),
    ]
    assert spark.conf.get("spark.wap.branch", None) is None


def test_a_failed_test_holds_everything_back(project, seen, refs, spark, schema):
    assert project("build").success
    before = seen()
    project.seed(SPOILED)
    result = project("build")
    assert result.status["b_is_worth_it"] == "fail"
    assert seen() == before
    (branch,) = {name for names in refs().values() for name in names} - {"main"}
    assert refs() == {name: {"main", branch} for name in TABLES}
    assert log_of(spark, schema)[6:] == [("held back", name) for name in TABLES]
    test, *query, last = told(result)
    assert test == "b_is_worth_it failed on 1 rows:"
    assert spark.sql("\n".join(query)).collect() == [(22, 1)]
    assert last == (
        "Nothing was published: readers see what they saw before. "
        f"3 tables are held back on the branch {branch}."
    )
    # The next build starts from the published rows.
    project.seed(FILES["seeds/s.csv"])
    assert project("build", build=2).success
    assert seen()["a"] == [(1, 10, "2"), (2, 20, "2")]


def told(result) -> list[str]:
    """Return the messages below dbt's own last line."""
    last = next(i for i, line in enumerate(result.said) if line.startswith("Done. PASS"))
    return [line for line in result.said[last + 1 :] if line]


def test_a_warning_passes(project, seen):
    project.seed(SPOILED)
    result = project("build", severity="warn")
    assert result.status["b_is_worth_it"] == "warn"
    assert seen()["b"] == [(1, 22), (2, 40)]


@pytest.mark.slow
def test_an_error_holds_back_what_was_written_before_it(project, seen):
    assert project("build").success
    before = seen()
    project.seed("id,worth\n3,10\n")
    (project.folder / "models/b.py").write_text(
        "def model(dbt, spark):\n    return dbt.ref('a').no()\n"
    )
    result = project("build")
    assert result.status["a"] == "success" and result.status["b"] == "error"
    assert told(result)[0] == "b failed."
    assert "2 tables are held back" in result.text
    assert seen() == before


def test_a_first_build_that_fails_leaves_empty_tables(project, seen):
    project.seed(SPOILED)
    assert not project("build").success
    assert seen() == NOTHING


def test_retry_publishes_what_the_failed_run_wrote(project, seen, refs):
    project.seed(SPOILED)
    assert not project("build").success
    assert not project("retry").success  # a retry of a retry continues the same run
    result = project("retry", severity="warn")
    assert result.success, result.text
    assert set(result.status) == {"b_is_worth_it", "small-on-run-start-0", "small-on-run-end-0"}
    assert "Published 3 tables one by one." in result.text
    assert seen()["b"] == [(1, 22), (2, 40)]
    assert refs() == ONLY_MAIN


@pytest.mark.slow
def test_retry_of_what_readers_are_past_is_refused(project, seen):
    assert project("build").success
    results = project.folder / "target/run_results.json"
    project.seed(SPOILED)
    assert not project("build").success
    failed = results.read_text()
    project.seed("id,worth\n7,10\n")
    assert project("build").success
    before = seen()
    results.write_text(failed)
    result = project("retry", severity="warn")
    assert not result.success
    assert "has been written since the branch" in result.text
    assert seen() == before


def test_retry_of_an_interrupted_run_goes_on_with_its_branch(project, seen, spark, schema):
    """The run has logged nothing, but dbt has kept its results."""
    project.seed(SPOILED)
    assert not project("build").success
    spark.sql(f"delete from {schema}_ops.publish_log")
    assert project("retry", severity="warn").success
    assert seen()["b"] == [(1, 22), (2, 40)]


@pytest.mark.slow
def test_retry_of_what_is_gone_is_refused(project, seen, spark, schema):
    """Without its branch, a retry would publish only the nodes that it builds."""
    project.seed(SPOILED)
    assert not project("build").success
    results = project.folder / "target/run_results.json"
    failed = results.read_text()
    assert project("run-operation", "maintain", "--args", "{keep_days: 0}").success
    results.write_text(failed)
    result = project("retry", severity="warn")
    assert not result.success
    assert "or its run wrote to main. Run `dbt build` again." in result.text
    assert seen() == NOTHING


@pytest.mark.slow
def test_select_goes_through_the_gate(project, seen):
    assert project("build").success
    project.seed(SPOILED)
    assert project("build", "--select", "s").success
    before = seen()
    assert before["s"] == [(1, 11), (2, 20)]
    assert not project("build", "--select", "a+", build=2).success
    assert seen() == before


def test_empty_never_publishes(project, seen, refs):
    assert project("build").success
    before = seen()
    assert project("build", "--empty").success
    assert seen() == before
    assert refs() == ONLY_MAIN


@pytest.mark.slow
def test_empty_can_be_retried(project, refs):
    model = project.folder / "models/b.py"
    model.write_text("def model(dbt, spark):\n    return dbt.ref('a').no()\n")
    assert not project("build", "--empty").success
    model.write_text(FILES["models/b.py"])
    assert project("retry").success
    assert refs() == ONLY_MAIN


def test_a_var_turns_it_off(project, seen, spark, schema):
    project.seed(SPOILED)
    assert not project("build", write_audit_publish=False).success
    assert seen()["b"] == [(1, 22), (2, 40)]
    assert not spark.catalog.tableExists(f"{schema}_ops.publish_log")
    # The first audited run enables branches for tables that were written without them.
    assert not project("build", build=2).success
    assert seen()["a"] == [(1, 11, "1"), (2, 20, "1")]


def test_a_seed_keeps_its_history(project, spark, schema):
    assert project("seed").success
    first = spark.table(f"{schema}.s.snapshots").orderBy("committed_at").collect()[-1].snapshot_id
    project.seed("id,worth,note\n1,,it's\n")
    assert project("seed").success
    spark.sql(f"refresh table {schema}.s")
    assert spark.table(f"{schema}.s").collect() == [(1, None, "it's")]
    assert spark.sql(f"select * from {schema}.s version as of {first}").count() == 2


# After a killed run


def broken_off(spark, schema, forwarded: str) -> None:
    """Simulate a publish of a held-back run that was killed after one table had moved."""
    log = f"{schema}_ops.publish_log"
    spark.sql(f"refresh table {log}")
    held = spark.table(log).where("status = 'held back'")
    run = held.first().run
    held.selectExpr(
        "current_timestamp() as logged_at", "run", "'x' as invocation_id", "'moving' as status",
        "table_name", "from_snapshot_id", "to_snapshot_id",
    ).writeTo(log).append()  # fmt: skip
    spark.sql(f"call system.fast_forward('{schema}.{forwarded}', 'main', '{run}')")


def test_a_publish_that_broke_off_is_finished(project, seen, spark, schema):
    project.seed(SPOILED)
    assert not project("build").success
    broken_off(spark, schema, "a")
    result = project("seed")
    assert "was broken off while it published 3 tables: finished." in result.text
    assert seen() == {
        "s": [(1, 11), (2, 20)],
        "a": [(1, 11, "1"), (2, 20, "1")],
        "b": [(1, 22), (2, 40)],
    }
    assert "broken off" not in project("seed").text


@pytest.mark.slow
def test_a_publish_that_cannot_be_finished_is_taken_back(project, seen, spark, schema):
    assert project("build").success
    before = seen()
    project.seed(SPOILED)
    assert not project("build").success
    broken_off(spark, schema, "a")
    spark.sql(f"insert into {schema}.b values (0, 0)")
    result = project("run", "--empty")
    assert "taken back, because of a write by something else to" in result.text
    assert seen() == {**before, "b": [(0, 0), *before["b"]]}


# Operations by hand


def held_branch(result) -> str:
    return result.text.partition("held back on the branch ")[2].partition(".")[0]


@pytest.mark.slow
def test_publish_by_hand(project, seen, refs):
    project.seed(SPOILED)
    branch = held_branch(project("build"))
    result = project("run-operation", "publish", "--args", f"{{branch: {branch}}}")
    assert result.success, result.text
    assert seen()["b"] == [(1, 22), (2, 40)]
    assert refs() == ONLY_MAIN
    result = project("run-operation", "publish", "--args", f"{{branch: {branch}}}")
    assert f"No table has the branch {branch}: it was published or cleared up" in result.text


def test_publish_by_hand_is_all_or_none(project, seen, spark, schema):
    project.seed(SPOILED)
    branch = held_branch(project("build"))
    spark.sql(f"insert into {schema}.b values (0, 0)")
    before = seen()
    result = project("run-operation", "publish", "--args", f"{{branch: {branch}}}")
    assert not result.success
    assert f"{schema}.b has been written since the branch {branch} was created." in result.text
    assert seen() == before


def test_roll_back(project, seen, spark, schema):
    def at(number):
        rows = spark.table(f"{schema}_ops.publish_log").where("status = 'published'")
        # As a text, because pyspark converts a timestamp to the time zone of this process.
        text = "date_format(logged_at, 'yyyy-MM-dd HH:mm:ss.SSSSSS') as logged_at"
        return sorted(row.logged_at for row in rows.selectExpr(text).distinct().collect())[number]

    builds = []
    for build in (1, 2):
        assert project("build", build=build).success
        builds.append(seen())
    spark.sql(f"refresh table {schema}_ops.publish_log")
    to = at(0)
    result = project("run-operation", "roll_back", "--args", f'{{to: "{to}"}}')
    assert result.success, result.text
    # The second build has not written the seed again.
    assert f"2 tables are as they were published on {to}." in result.text
    assert seen() == builds[0]
    # Then forward again, then to a time before the first build.
    assert project("run-operation", "roll_back", "--args", f'{{to: "{at(1)}"}}').success
    assert seen() == builds[1]
    assert project("run-operation", "roll_back", "--args", '{to: "2000-01-01"}').success
    assert seen() == NOTHING
    result = project("run-operation", "roll_back", "--args", "{to: soon}")
    assert (
        "to must be a time like 2026-01-14 18:00, or the name of a run, and is 'soon'."
        in result.text
    )
    assert project("build", build=3).success
    assert seen()["a"] == [(1, 10, "3"), (2, 20, "3")]


@pytest.mark.slow
def test_maintain(project, seen, refs, spark, schema, dbt):
    for build in (1, 2):
        assert project("build", build=build).success
    before = seen()
    project.seed(SPOILED)
    assert not project("build").success
    orphan = dbt.home / f"warehouse/{schema}/a/data/of-a-dead-run.parquet"
    orphan.write_bytes(b"")
    younger = orphan.with_name("of-who-has-no-lock.parquet")
    younger.write_bytes(b"")
    four_days_ago = time.time() - 4 * 24 * 3600
    os.utime(orphan, (four_days_ago, four_days_ago))
    result = project("run-operation", "maintain", "--args", "{keep_days: 7}")
    assert result.success, result.text
    assert not orphan.exists() and younger.exists()
    assert refs() != ONLY_MAIN  # the held-back branch can still be published
    assert spark.table(f"{schema}.a.snapshots").count() > 1
    assert seen() == before
    assert project("run-operation", "maintain", "--args", "{keep_days: 0}").success
    assert refs() == ONLY_MAIN
    spark.sql(f"refresh table {schema}.a")
    assert spark.table(f"{schema}.a.snapshots").count() == 1
    assert seen() == before
    result = project("run-operation", "roll_back", "--args", '{to: "2000-01-01"}')
    assert "of that time has expired; nothing was rolled back." in result.text
    project.seed(FILES["seeds/s.csv"])
    assert project("build", build=3).success
