"""Each run tags its tables, so readers can read all tables as of a run.

The tag needs no extra commit, and expires with the snapshots.
"""

from datetime import timedelta

import pytest
from dbt_spark_contracts import tables
from dbt_spark_contracts.publish import branches
from dbt_spark_contracts.publish.command import is_run_name
from dbt_spark_contracts.publish.tags import is_tag, tag_of

from tests.support.dbt_runner import ROOT
from tests.support.toy import TABLES, Toy

# The commits of a build to a table: one for the rows, one for main, the tag and the branch.
COMMITS = 2


@pytest.fixture(scope="module")
def toy(dbt, tmp_path_factory, module_schema):
    return Toy(dbt, tmp_path_factory.mktemp("toy"), module_schema)


@pytest.fixture(scope="module")
def runs(toy, spark):
    """Run two builds and one seed. Return the rows and the number of commits by the run's tag."""
    runs = {}
    toy.land({1: 10, 2: 20})
    for worths, command in (({}, "build"), ({2: 21}, "build"), ({2: 22}, "seed")):
        before = {name: commits(spark, toy, name) for name in TABLES if runs}
        toy.land(toy.newest | worths)
        result = toy.dbt(command, schema=toy.schema)
        assert result.success, result.text
        (newest,) = {tag for tag in tags(spark, toy, "events") if tag not in runs}
        new = {name: commits(spark, toy, name) - before.get(name, 0) for name in TABLES}
        runs[newest] = toy.rows(), new
    return runs


def tags(spark, toy, name: str) -> list[str]:
    refs = branches.refs(spark, [f"{toy.schema}.{name}"])
    return sorted(filter(is_tag, *refs.values()))


def commits(spark, toy, name: str) -> int:
    """Return how many times the table's metadata was written."""
    current = tables.load_anew(spark, f"{toy.schema}.{name}").operations().current()
    return current.previousFiles().size() + 1


def rows(spark, table: str, version: str) -> list[tuple]:
    query = f"select * from {table} version as of {version}"
    return sorted((tuple(row) for row in spark.sql(query).collect()), key=repr)


def test_a_run_is_read_by_its_name(toy, spark, runs):
    first, second, seed = runs
    for tag in (first, second):
        for name, expected in runs[tag][0].items():
            assert rows(spark, f"{toy.schema}.{name}", f"'{tag}'") == expected, (tag, name)
    assert runs[first][0] != runs[second][0]
    # A table that a run has not written has no tag of that run.
    assert tags(spark, toy, "events") == [first, second, seed]
    assert tags(spark, toy, "gold_doubled") == [first, second]


def test_every_table_as_of_a_run_by_the_log(toy, spark, runs):
    """The query of docs/operations.md also covers tables that the run has not written."""
    page = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    query = page.partition("```sql\n")[2].partition("```")[0]
    for tag, (expected, _) in runs.items():
        run = tag.removeprefix("published_")
        asked = query.replace("ops.", f"{toy.schema}_ops.").replace(
            "dbt_20261124t013215_c6068ea1", run
        )
        found = {row.table_name: row.snapshot_id for row in spark.sql(asked).collect()}
        assert set(found) == {f"{toy.schema}.{name}" for name in TABLES}
        for name, there in expected.items():
            table = f"{toy.schema}.{name}"
            assert rows(spark, table, str(found[table])) == there, (run, name)


def test_a_tag_is_no_name_of_a_run():
    run = "dbt_20261124t013215_c6068ea1"
    tag = tag_of(run)
    assert is_run_name(run) and is_tag(tag)
    assert not is_run_name(tag) and not is_tag(run)
    assert tag_of("roll_back_20261124t013215_c6068ea1") is None


def test_the_tag_is_no_commit_of_its_own(runs):
    _, second, seed = runs
    assert runs[second][1] == dict.fromkeys(TABLES, COMMITS)
    assert runs[seed][1] == {**dict.fromkeys(TABLES, 0), "events": COMMITS}


def test_it_is_kept_as_long_as_the_snapshots(toy, spark, runs):
    refs = spark.table(f"{toy.schema}.gold_doubled.refs").where("type = 'TAG'").collect()
    week = timedelta(days=7) // timedelta(milliseconds=1)
    assert {row.max_reference_age_in_ms for row in refs} == {week}
    # Expiring snapshots with any tool also removes the old tags.
    table = f"{toy.schema}.silver_merged"
    spark.sql(f"alter table {table} set tblproperties ('history.expire.max-snapshot-age-ms' = 1)")
    assert toy.dbt("run", "--select", "silver_merged", schema=toy.schema).success
    *old, _ = tags(spark, toy, "silver_merged")
    assert len(old) == 2
    spark.sql(f"call lakehouse.system.expire_snapshots('{table}')")
    tables.forget(spark, table)
    assert tags(spark, toy, "silver_merged") == old


@pytest.mark.slow
def test_maintenance_takes_those_that_are_older_than_it_keeps_snapshots(toy, spark, runs):
    result = toy.dbt("run-operation", "maintain", "--args", "{keep_days: 0}", schema=toy.schema)
    assert result.success, result.text
    assert f"{toy.schema}.events: 3 tags are dropped" in result.text
    for name in TABLES:
        assert tags(spark, toy, name) == []
    assert spark.table(f"{toy.schema}.events.snapshots").count() == 1
