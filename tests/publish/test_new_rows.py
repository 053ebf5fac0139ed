"""A SQL model reads the rows since the snapshots that it was built from, and loses none.

The table stores a note of these snapshots together with its rows, so the note is correct however a
run ends.
"""

import shutil

import pytest
from dbt_spark_contracts.increments.adapter_methods import IncrementMethods

FILES = {
    "dbt_project.yml": """
name: small
profile: lakehouse
flags: {send_anonymous_usage_stats: false}
models: {+file_format: iceberg}
on-run-start: "{{ begin_run() }}"
on-run-end: "{{ end_run() }}"
""",
    "models/copied.sql": """
{{ config(materialized='incremental', unique_key='id', pre_hook="{{ var('before', '') }}") }}
select id, '{{ invocation_id }}' as read_by
from {{ new_rows(source('landed', 'numbers')) or source('landed', 'numbers') }}
""",
    "models/landed.yml": """
sources: [{name: landed, schema: "{{ target.schema }}_landed", tables: [{name: numbers}]}]
""",
    "tests/fails.sql": """
-- depends_on: {{ ref('copied') }}
select 1 as one where {{ var('fails', false) }}
""",
}


class Copy:
    """The project, its source, and the rows that its builds have read."""

    def __init__(self, project, read, spark, schema) -> None:
        self.project, self._read, self.spark, self.schema = project, read, spark, schema
        self.source = f"{schema}_landed.numbers"
        spark.sql(f"create namespace {schema}_landed")
        spark.sql(f"create table {self.source} (id bigint) using iceberg")

    def land(self, *numbers: int) -> int:
        """Append numbers to the source. Return the new snapshot id."""
        self.spark.sql(f"insert into {self.source} values {', '.join(f'({n})' for n in numbers)}")
        return self.newest(self.source)

    def newest(self, table: str) -> int:
        snapshots = self.spark.table(f"{table}.refs").where("name = 'main'")
        return snapshots.first().snapshot_id

    def call(self, procedure: str, arguments: str) -> None:
        catalog = self.spark.catalog.currentCatalog()
        self.spark.sql(f"call {catalog}.system.{procedure}({arguments})").collect()

    def compact(self, table: str) -> None:
        options = "map('rewrite-all', 'true')"
        self.call("rewrite_data_files", f"table => '{table}', options => {options}")

    def expire(self, table: str) -> None:
        """Remove all snapshots but the newest."""
        for tag in self.spark.table(f"{table}.refs").where("type = 'TAG'").collect():
            self.spark.sql(f"alter table {table} drop tag {tag.name}")
        all_but_one = "older_than => timestamp '2999-01-01', retain_last => 1"
        self.call("expire_snapshots", f"table => '{table}', {all_but_one}")

    def build(self, *arguments: str, says: str = "", **variables) -> None:
        """Build. Check whether a line says that the table is compared with its whole parent."""
        result = self.project("build", *arguments, schema=self.schema, **variables)
        assert result.success is not variables.get("fails", False), result.text
        told = [line for line in result.said if "compared with all" in line]
        assert (len(told) == 1 and says in told[0]) if says else not told, told

    def numbers(self) -> dict[int, str]:
        return {row["id"]: row["read_by"] for row in self._read(self.schema, "copied")}


@pytest.fixture
def copy(small_project, read, spark, schema):
    return Copy(small_project(FILES), read, spark, schema)


def new(before: dict, after: dict) -> set[int]:
    """Return the numbers that were read between two states."""
    return {number for number, read_by in after.items() if before.get(number) != read_by}


def test_each_row_is_read_once(copy):
    first = copy.land(1, 2)
    copy.build()
    states = [copy.numbers()]

    def step(expected: set[int], says: str = "", **variables) -> None:
        copy.build(says=says, **variables)
        states.append(copy.numbers())
        assert new(*states[-2:]) == expected

    assert states == [{1: states[0][1], 2: states[0][1]}]
    copy.land(3)
    copy.land(4)
    copy.compact(copy.source)
    step({3, 4})  # the compaction of the parent adds no rows
    before = copy.newest(f"{copy.schema}.copied")
    step(set())
    assert copy.newest(f"{copy.schema}.copied") == before  # nothing is written
    copy.compact(f"{copy.schema}.copied")
    copy.land(5)
    step(set(), fails=True)  # held back together with its note
    step({5})  # the note is found although the table was compacted
    # Rows that land after the selection are read by the next build.
    step(set(), before=f"insert into {copy.source} values (6)")
    step({6})
    # The parent is rolled back, and then gets other rows.
    copy.call("rollback_to_snapshot", f"'{copy.source}', {first}")
    copy.land(7)
    step({1, 2, 7}, says="was rolled back, or created anew, since its snapshot")
    copy.spark.sql(f"delete from {copy.source} where id = 1")
    step({2, 7}, says="replaced or deleted")
    # The table is rolled back, and its note with it.
    before = copy.newest(f"{copy.schema}.copied")
    copy.land(8)
    step({8})
    copy.call("rollback_to_snapshot", f"'{copy.schema}.copied', {before}")
    states.append(copy.numbers())
    step({8})
    # Another writer deletes rows.
    copy.spark.sql(f"delete from {copy.schema}.copied where id = 2")
    step({2, 7, 8}, says="something else has written")
    copy.land(9)
    copy.land(10)
    copy.expire(copy.source)
    step({2, 7, 8, 9, 10}, says="expired")
    copy.build("--full-refresh")
    copy.land(11)
    states.append(copy.numbers())
    step({11})


def test_a_snapshot_that_the_table_was_made_after_has_expired(copy):
    copy.land(1)
    copy.build()
    copy.expire(f"{copy.schema}.copied")
    copy.land(2)
    copy.build(says=f"{copy.schema}.copied was expired")
    before = copy.numbers()
    copy.land(3)
    copy.build()
    assert new(before, copy.numbers()) == {3}


@pytest.mark.slow
def test_two_builds_that_overlap(copy, dbt, spark, tmp_path, monkeypatch):
    """The lock is lost: one build reads, another reads more and writes, then the first writes."""
    copy.land(1)
    at_once = {"write_audit_publish": False}
    copy.build(**at_once)
    copy.land(2)
    note = IncrementMethods.note_what_is_read
    others = []

    def late(self, table, view) -> None:
        note(self, table, view)
        if not others:
            copy.land(3)
            shutil.rmtree(dbt.home / "warehouse" / f"{copy.schema}_ops" / "build_lease")
            others.append(
                copy.project.start(
                    "build", schema=copy.schema, target_path=tmp_path / "other", **at_once
                )
            )
            said, _ = others[0].communicate(timeout=300)
            assert others[0].returncode == 0, said
            # Without this, Iceberg refuses the write, because it was planned before the other one.
            spark.catalog.refreshTable(str(table))

    monkeypatch.setattr(IncrementMethods, "note_what_is_read", late)
    result = copy.project("build", schema=copy.schema, **at_once)
    assert others and result.success, result.text
    copy.land(4)
    copy.build(says="two builds have written", **at_once)
    assert set(copy.numbers()) == {1, 2, 3, 4}
    before = copy.numbers()
    copy.land(5)
    copy.build(**at_once)
    assert new(before, copy.numbers()) == {5}
