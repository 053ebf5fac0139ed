"""A build does not run a data test again that has passed on the same rows, and runs all others.

Which tests were run is seen from the statements that dbt has sent to Spark.
"""

import pytest
from dbt_spark_contracts.compat.pyspark import java_classes, java_session
from dbt_spark_contracts.data_tests.passed import Passed

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
{{ config(materialized='incremental', unique_key='id') }}
select id, cast('2026-01-01' as timestamp) as at
from {{ new_rows(source('landed', 'numbers')) or source('landed', 'numbers') }}
""",
    "models/other.sql": "{{ config(materialized='incremental', unique_key='one') }} select 1 as one"
    " {% if is_incremental() %} where false {% endif %}",
    "models/models.yml": """
sources: [{name: landed, schema: "{{ target.schema }}_landed", tables: [{name: numbers}]}]
models:
  - name: copied
    columns:
      - name: id
        data_tests:
          - unique: {name: of_rows}
          - relationships:
              name: of_source
              arguments: {to: "source('landed', 'numbers')", field: id}
          - not_null: {name: with_limit, config: {limit: 10}}
          - accepted_values: {name: that_warns, arguments: {values: [0]}, config: {severity: warn}}
          - not_null: {name: stored, config: {store_failures: true}}
""",
    "tests/of_both.sql": """
with known as (select id from {{ ref('copied') }})
select known.id from known cross join {{ ref('other') }} as other
where known.id < other.one and known.id not in (select one from {{ ref('other') }})
    and exists (select 1 from known as again where again.id = known.id)
""",
    "tests/by_var.sql": "select * from {{ ref('copied') }} where id = {{ var('wrong', -1) }}",
    "tests/by_chance.sql": "select * from {{ ref('copied') }} where rand() < -id",
    "tests/by_clock.sql": "select * from {{ ref('copied') }} where at > current_timestamp()",
    "tests/by_day.sql": "select * from {{ ref('copied') }} where at > timestamp 'tomorrow'",
    "tests/by_cast_day.sql": """
select * from {{ ref('copied') }} where at > cast(concat('to', 'morrow') as timestamp)
""",
    "tests/of_snapshots.sql": "select * from {{ ref('copied') }}.snapshots where parent_id < 0",
    "tests/of_a_branch.sql": "select * from {{ ref('copied') }}.branch_main where id < 0",
    "tests/of_a_sample.sql": "select * from {{ ref('copied') }} tablesample (9 percent)"
    " where id < 0",
    "tests/of_a_view.sql": """
select * from {{ ref('copied') }} where id in (select id from negative_numbers)
""",
    "tests/by_a_function.sql": "select * from {{ ref('copied') }} where id < 0 and {{ is_odd() }}",
    "tests/by_setting.sql": "select * from {{ ref('copied') }} where id = -${small.wrong}",
    "tests/of_another_catalog.sql": """
select id from {{ ref('copied') }} join other.{{ target.schema }}.copied using (id) where id < 0
""",
    "tests/by_sound.sql": "select * from {{ ref('copied') }} where soundex(string(id)) = 'S123'",
    "macros/is_odd.sql": "{% macro is_odd() %}{{ var('is_odd', 'id % 2 = 1') }}{% endmacro %}",
}

# They depend on nothing but rows of models and on their own text.
OF_ROWS = {"of_rows", "of_both", "by_var", "by_a_function", "by_sound"}
ALWAYS = {
    *("of_source", "with_limit", "that_warns", "stored", "by_chance", "by_clock", "by_day"),
    *("of_snapshots", "of_a_branch", "of_a_sample", "of_a_view", "of_another_catalog"),
    *("by_setting", "by_cast_day"),
}  # fmt: skip


class Project:
    """The project, and what its last command has run."""

    def __init__(self, project, spark, schema) -> None:
        self._project, self.spark, self.schema = project, spark, schema
        self.table = f"{schema}.copied"
        spark.sql(f"create namespace {schema}_landed")
        spark.sql(f"create table {schema}_landed.numbers (id bigint) using iceberg")
        self.land(1)

    def land(self, number: int) -> None:
        self.spark.sql(f"insert into {self.schema}_landed.numbers values ({number})")
        # The view of a test is made anew, as a hook would.
        numbers = self.spark.table(f"{self.schema}_landed.numbers").where("id < 0")
        numbers.createOrReplaceTempView("negative_numbers")

    def ran(self, command: str = "build", *arguments: str, fails: bool = False, **variables) -> set:
        """Run dbt. Return the names of the tests that it has run."""
        result = self._project(command, *arguments, schema=self.schema, **variables)
        assert result.success is not fails, result.text
        names = {name.split(".")[2] for name in result.statements if name.startswith("test.")}
        told = [line for line in result.said if line.startswith("Data tests not run again")]
        skipped = (OF_ROWS | ALWAYS) - names
        assert told == [
            "Data tests not run again, because they have passed on these rows: "
            f"{len(skipped)}. `dbt test` runs them all."
        ] * bool(skipped), (told, skipped)  # fmt: skip
        assert all(result.status[name] == "pass" for name in skipped), result.status
        return names

    def newest(self) -> int:
        return self.spark.table(f"{self.table}.refs").where("name = 'main'").first().snapshot_id

    def call(self, procedure: str, arguments: str) -> None:
        catalog = self.spark.catalog.currentCatalog()
        self.spark.sql(f"call {catalog}.system.{procedure}({arguments})").collect()


@pytest.fixture
def project(small_project, spark, schema, tmp_path):
    settings = {
        "small.wrong": "5",
        "spark.sql.catalog.other": "org.apache.iceberg.spark.SparkCatalog",
        "spark.sql.catalog.other.type": "hadoop",
        "spark.sql.catalog.other.warehouse": str(tmp_path / "other"),
    }
    for name, value in settings.items():
        spark.conf.set(name, value)
    # Its table has the same schema and name as the project's.
    spark.sql(f"create table other.{schema}.copied (id bigint) using iceberg")
    yield Project(small_project(FILES), spark, schema)
    spark.catalog.dropTempView("negative_numbers")
    for name in settings:
        spark.conf.unset(name)


@pytest.fixture
def soundex_is_replaced(spark):
    """Return a function that replaces one of Spark's own functions."""
    registry = java_session(spark).sessionState().functionRegistry()
    name = java_classes(spark).org.apache.spark.sql.catalyst.FunctionIdentifier("soundex")
    own = registry.lookupFunction(name).get(), registry.lookupFunctionBuilder(name).get()
    yield lambda: spark.udf.register("soundex", lambda text: "S123", "string")
    registry.registerFunction(name, *own)


@pytest.mark.slow
def test_a_test_is_run_again_when_what_decides_has_changed(project, spark):
    everything = OF_ROWS | ALWAYS
    assert project.ran() == everything
    assert project.ran() == ALWAYS
    assert project.ran() == ALWAYS  # the note is passed on

    # Other rows.
    first = project.newest()
    project.land(2)
    assert project.ran() == everything
    assert project.ran() == ALWAYS
    spark.sql(f"delete from {project.table} where id = 2")
    assert project.ran() == everything  # and Silver is compared with its parent, which writes it
    project.ran()
    project.call("rollback_to_snapshot", f"'{project.table}', {first}")
    assert project.ran() == everything

    # The same rows under another schema.
    project.ran()
    spark.sql(f"alter table {project.table} alter column at comment 'another schema'")
    assert project.ran() >= {"of_rows", "of_both", "by_var"}

    # Another query, and a failure that is not remembered.
    assert project.ran() == ALWAYS
    assert project.ran(wrong=-2) == {*ALWAYS, "by_var"}
    assert "by_var" in project.ran(fails=True, wrong=1)
    assert "by_var" in project.ran(fails=True, wrong=1)
    assert "by_var" in project.ran(wrong=-2)
    assert project.ran(wrong=-2) == ALWAYS

    # A compaction changes no row.
    before = project.newest()
    options = "map('rewrite-all', 'true')"
    project.call("rewrite_data_files", f"table => '{project.table}', options => {options}")
    assert project.newest() != before
    assert project.ran(wrong=-2) == ALWAYS


@pytest.mark.slow
def test_when_all_tests_are_run(project, spark, dbt):
    everything = OF_ROWS | ALWAYS
    project.ran()
    assert project.ran("test") == everything
    assert project.ran(repeat_data_tests=True) == everything
    assert project.ran("build", "--full-refresh") == everything
    assert project.ran() == ALWAYS

    # A setting that may change a result.
    spark.conf.set("spark.sql.ansi.enabled", "false")
    spark.conf.set("spark.sql.legacy.timeParserPolicy", "LEGACY")
    try:
        assert project.ran() == everything
    finally:
        spark.conf.unset("spark.sql.legacy.timeParserPolicy")
    project.ran()

    # A function of the session may stand for one of Spark's.
    spark.udf.register("odd", lambda number: number % 2 == 1, "boolean")
    try:
        assert project.ran() == everything
        assert project.ran(is_odd="odd(id)") == everything
        assert project.ran(is_odd="odd(id)") == everything
    finally:
        spark.sql("drop temporary function odd")
    project.ran()
    assert project.ran() == ALWAYS

    # The note is lost.
    notes = [*(dbt.home / "warehouse" / f"{project.schema}_ops").rglob("*-dbt-note.stats")]
    assert notes
    for note in notes:
        note.unlink()
    assert project.ran() == everything
    assert project.ran() == ALWAYS


def test_a_change_while_a_test_runs(spark, schema):
    """What a test has passed on is not known if it has changed meanwhile."""
    passed = Passed(spark, f"{schema}.dbt_nodes")
    assert not passed.has("test.a", "before")
    passed.add("test.a", "after")
    assert not passed.has("test.a", "after")
    passed.add("test.a", "after")
    assert passed.has("test.a", "after") and passed.not_run_again == 1
    assert not passed.has("test.a", None)


def test_part_of_the_tests(project):
    """A command that runs some tests keeps what is known of the others."""
    project.ran()
    result = project._project("build", "-s", "other", "--exclude", "of_both", schema=project.schema)
    assert result.success, result.text
    assert project.ran() == ALWAYS
    # Part of the rows shows nothing about the others.
    project.land(3)
    project._project("build", "--empty", schema=project.schema)
    assert project.ran() == OF_ROWS | ALWAYS


@pytest.mark.slow
def test_a_test_is_run_again_when_one_of_sparks_functions_is_replaced(project, soundex_is_replaced):
    project.ran()
    assert project.ran() == ALWAYS
    soundex_is_replaced()
    assert project.ran(fails=True) == {*ALWAYS, "by_sound"}
