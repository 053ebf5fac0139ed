"""A run publishes every table that it has written, however it was written."""

import pytest
from dbt_spark_contracts.publish.written_rows import Written, in_words

from tests.support.dbt_runner import AUDITED

FILES = {
    "dbt_project.yml": AUDITED,
    "models/by_hook.sql": "select 1L as id",
    "models/by_python.sql": "select 1L as id",
    "models/untouched.sql": "select 1L as id",
    "models/hooked.sql": """
{{ config(post_hook="insert into " ~ this.schema ~ ".by_hook values (2L)") }}
select 1L as id
""",
    "models/writes.py": """
def model(dbt, spark):
    dbt.config(meta={"unaudited": "Its table is on the branch too."})
    schema = dbt.this.schema
    spark.sql("select 2L as id").writeTo(f"{schema}.by_python").append()
    return spark.range(1)
""",
}


@pytest.fixture
def project(small_project):
    return small_project(FILES)


def test_a_table_that_was_not_selected_is_published_with_the_rest(project, read, spark, schema):
    others = ("by_hook", "by_python", "untouched")
    assert project("run", "--select", *others, schema=schema).success
    for select, table in (("hooked", "by_hook"), ("writes", "by_python")):
        result = project("run", "--select", select, schema=schema)
        assert result.success, result.text
        assert "Published 2 tables one by one." in result.text
        assert sorted(row["id"] for row in read(schema, table)) == [1, 2]
    for table in others:
        assert spark.table(f"{schema}.{table}.refs").where("type = 'BRANCH'").count() == 1


def test_it_is_held_back_with_the_rest(project, read, schema):
    assert project("run", "--select", "by_hook", schema=schema).success
    (project.project_dir / "models/fails.sql").write_text(
        "-- depends_on: {{ ref('hooked') }}\nselect cast(raise_error('no') as bigint) as id"
    )
    result = project("run", "--select", "hooked", "fails", schema=schema)
    assert not result.success
    assert "2 tables are held back" in result.text
    assert [row["id"] for row in read(schema, "by_hook")] == [1]


@pytest.mark.quick
@pytest.mark.parametrize(
    ("records", "files", "size", "told"),
    [
        (1, 1, 1023, "1 row written in 1 file, 1023 B"),
        (12345, 2, 1536, "12,345 rows written in 2 files, 1.5 KiB"),
        (2, 1, 300 << 20, "2 rows written in 1 file, 300 MiB"),
        (0, 0, 0, "0 rows written"),
    ],
)
def test_what_was_written_is_reported_in_words(records, files, size, told):
    assert in_words(Written(1, records, files, size, records)) == told
