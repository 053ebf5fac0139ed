"""`insert_overwrite` replaces only the returned partitions, and `microbatch` only its window.

The tests cover SQL and Python, with and without an audit, under different session settings.
"""

import pytest

from tests.support.dbt_runner import make_project

ROWS = """
select cast(id as bigint) as id, cast(ts as timestamp) as ts
from values {{ var('rows') }} as given (id, ts) where id is not null
"""
PROJECT = """
name: small
profile: lakehouse
flags: {send_anonymous_usage_stats: false}
models: {+file_format: iceberg, +materialized: table}
on-run-start:
  - "{{ begin_run() }}"
  - "set spark.sql.sources.partitionOverwriteMode = {{ var('mode', 'static') }}"
on-run-end: ["{{ end_run() }}", "reset spark.sql.sources.partitionOverwriteMode"]
"""
OVERWRITES = "{{ config(materialized='incremental', incremental_strategy='insert_overwrite'%s) }}"
BY_DAY = ", partition_by=['days(ts)']"
INSERT_OVERWRITE = {
    "dbt_project.yml": PROJECT,
    "models/given.sql": ROWS,
    "models/in_sql.sql": OVERWRITES % BY_DAY + "select ts, id from {{ ref('given') }}",
    "models/in_python.py": """
def model(dbt, spark):
    dbt.config(materialized="incremental", incremental_strategy="insert_overwrite",
               partition_by=["days(ts)"])
    return dbt.ref("given").select("ts", "id")
""",
    "models/whole.sql": OVERWRITES % "" + "select id, ts from {{ ref('given') }}",
    # The materialization `table` replaces the whole table, whatever the session setting is.
    "models/a_table.sql": """
{{ config(partition_by=['days(ts)']) }} select * from {{ ref('given') }}
""",
}
BATCHED = """{{ config(materialized='incremental', incremental_strategy='microbatch',
    event_time='ts', batch_size='day', begin='2026-01-01', lookback=0%s) }}
"""
MICROBATCH = {
    "dbt_project.yml": PROJECT,
    "models/given.sql": "{{ config(event_time='ts') }}" + ROWS,
    "models/unfiltered.sql": ROWS,
    "models/plain.sql": BATCHED % "" + "select * from {{ ref('given') }}",
    "models/by_month.sql": BATCHED % ", partition_by=['months(ts)']"
    + "select id, ts from {{ ref('given') }}",
    "models/reads_all.sql": BATCHED % "" + "select * from {{ ref('unfiltered') }}",
    "models/in_python.py": """
def model(dbt, spark):
    dbt.config(materialized="incremental", incremental_strategy="microbatch", event_time="ts",
               batch_size="day", begin="2026-01-01", lookback=0)
    return dbt.ref("given")
""",
    "models/fails.sql": BATCHED % ""
    + """select if(id = {{ var('bad', 0) }}, raise_error('no'), id) as id, ts
from {{ ref('given') }}""",
}
MODELS = ("plain", "by_month", "reads_all", "in_python")


def row(id, day, hour=8):
    return f"({id}L, timestamp '2026-01-0{day} 0{hour}:00:00')"


def given(*rows):
    return ", ".join(rows)


NONE = "(null, null)"


def ids(spark, table):
    spark.sql(f"refresh table {table}")
    return sorted((r.id, r.ts.day) for r in spark.table(table).collect())


def test_insert_overwrite(small_project, spark, schema):
    project = small_project(INSERT_OVERWRITE)
    partitioned = ("in_sql", "in_python")

    def run(*rows, **options):
        result = project("run", schema=schema, rows=given(*rows), **options)
        assert result.success, result.text
        tables = (*partitioned, "whole", "a_table")
        return {name: ids(spark, f"{schema}.{name}") for name in tables}

    run(row(1, 1), row(2, 2, 1), row(3, 2, 2))
    after = run(row(4, 2), row(5, 3), mode="dynamic")
    assert [after[name] for name in partitioned] == 2 * [[(1, 1), (4, 2), (5, 3)]]
    assert [after["whole"], after["a_table"]] == 2 * [[(4, 2), (5, 3)]]
    # Without rows, no partition is replaced.
    assert run(NONE) == {**after, "a_table": []}
    after = run(row(6, 3), write_audit_publish=False)
    assert [after[name] for name in partitioned] == 2 * [[(1, 1), (4, 2), (6, 3)]]
    assert after["whole"] == [(6, 3)]

    # Data files of an older partition spec would remain next to the new rows.
    spark.sql(f"alter table {schema}.in_sql replace partition field days(ts) with months(ts)")
    result = project("run", "-s", "in_sql", schema=schema, rows=row(7, 3))
    assert not result.success
    assert "files of an earlier partitioning" in result.message["in_sql"]
    assert ids(spark, f"{schema}.in_sql") == [(1, 1), (4, 2), (6, 3)]


@pytest.fixture(scope="module")
def batched(dbt, tmp_path_factory, module_schema):
    """Return a function that runs the project, by default on batches of three days."""
    project = make_project(dbt, tmp_path_factory.mktemp("batched"), MICROBATCH)

    def run(*arguments, days=(1, 4), rows=(), **options):
        if days:
            start, end = (f"2026-01-0{day}" for day in days)
            arguments += ("--event-time-start", start, "--event-time-end", end)
        return project(*arguments, schema=module_schema, rows=given(*rows), **options)

    return run


THREE_DAYS = (row(1, 1), row(2, 2), row(3, 3, 7), row(4, 3))


@pytest.mark.slow
def test_microbatch(batched, spark, module_schema):
    def tables():
        return [ids(spark, f"{module_schema}.{name}") for name in MODELS]

    models = ("--exclude", "fails")
    result = batched("run", *models, rows=THREE_DAYS)
    assert result.success, result.text
    assert tables() == 4 * [[(1, 1), (2, 2), (3, 3), (4, 3)]]
    # Compaction puts the rows of all days into one file. Then one day runs again.
    for name in MODELS:
        spark.sql(
            f"call system.rewrite_data_files(table => '{module_schema}.{name}', "
            "options => map('rewrite-all', 'true'))"
        )
        files = spark.table(f"{module_schema}.{name}.files").count()
        assert files == 1, "each batch's rows lie in a file with others'"
    for options in ({}, {"write_audit_publish": False}):
        result = batched("run", *models, days=(2, 3), rows=(row(9, 1), row(5, 2)), **options)
        assert result.success, result.text
        assert tables() == 4 * [[(1, 1), (3, 3), (4, 3), (5, 2)]]
        assert spark.table(f"{module_schema}.plain.refs").where("type = 'BRANCH'").count() == 1
    # A day without rows is replaced by no rows.
    assert batched("run", *models, days=(3, 4), rows=(row(9, 1),)).success
    assert tables() == 4 * [[(1, 1), (5, 2)]]
    # --full-refresh with a time range replaces only that range.
    result = batched("run", *models, "--full-refresh", rows=THREE_DAYS[1:], days=(2, 4))
    assert result.success, result.text
    assert tables() == 4 * [[(1, 1), (2, 2), (3, 3), (4, 3)]]


@pytest.mark.slow
def test_failed_batches_are_retried_and_no_others(batched, spark, module_schema):
    select = ("--select", "given", "fails")
    assert not batched("run", *select, rows=THREE_DAYS, bad=2).success
    assert ids(spark, f"{module_schema}.fails") == [], "it is held back"
    # The table does not exist yet, and dbt would start a new run with the latest batches.
    result = batched("run", *select, days=None, rows=THREE_DAYS)
    assert not result.success
    assert "run it with --full-refresh" in result.text

    assert not batched("run", *select, "--full-refresh", rows=THREE_DAYS, bad=2).success
    result = batched("retry", days=None, rows=THREE_DAYS)
    assert result.success, result.text
    assert result.text.count("START batch") == 1
    assert ids(spark, f"{module_schema}.fails") == [(1, 1), (2, 2), (3, 3), (4, 3)]


@pytest.mark.parametrize(
    ("column", "told"),
    [
        ("ts + interval 1 day as ts", "outside of its batch"),
        ("string(ts) as ts", "event_time ts is a string: cast it"),
        ("ts as other", "no column of that name"),
    ],
)
def test_no_row_of_a_batch_is_lost_in_silence(small_project, schema, column, told):
    files = {
        "models/given.sql": """
{{ config(event_time='ts') }} select 1L id, timestamp '2026-01-01 08:00:00' ts
""",
        "models/batched.sql": BATCHED % "" + f"select id, {column} from {{{{ ref('given') }}}}",
    }
    days = ("--event-time-start", "2026-01-01", "--event-time-end", "2026-01-02")
    result = small_project(files)("run", *days, schema=schema)
    assert not result.success
    assert told in result.text


def test_merge_supports_values_that_differ_each_time(small_project, spark, schema):
    """The values are computed once. Spark's own merge refuses them on the second run."""
    model = """{{ config(materialized='incremental', unique_key='id') }}
        select id, uuid() as a, rand() as b, monotonically_increasing_id() as c
        from range({{ var('first') }}, {{ var('first') }} + 3, 1, 1)"""
    project = small_project({"models/volatile.sql": model})
    tables = []
    for first in (0, 1):
        result = project("run", schema=schema, first=first)
        assert result.success, result.text
        spark.sql(f"refresh table {schema}.volatile")
        rows = spark.table(f"{schema}.volatile").collect()
        tables.append({row.id: row.a for row in rows})
        assert len(rows) == len(tables[-1])
    before, after = tables
    assert sorted(after) == [0, 1, 2, 3]
    assert after[0] == before[0] and after[1] != before[1]
    assert len(set(after.values())) == 4


def test_a_merge_on_columns_of_any_name(small_project, spark, schema):
    """Covers keys and updated columns. A missing column is reported on the first run."""
    merged = "{{ config(materialized='incremental', %s) }} select "
    row = "1 as `x.y`, named_struct('z', 2) as s, {{ var('n') }} as `A ``b`, {{ var('n') }} as c"
    updates = "unique_key=['X.y', 's.z'], merge_update_columns=['a `b']"
    files = {
        "models/merged.sql": merged % updates + row,
        "models/quoted.sql": merged % "unique_key='`x.y`'" + row,
        "models/no_key.sql": merged % "unique_key=['c', 'nope']" + row,
        "models/updates.sql": merged % "unique_key='c', merge_update_columns='nope'" + row,
        "models/excludes.sql": merged % "unique_key='c', merge_exclude_columns=['nope']" + row,
    }
    project = small_project(files)
    for n in (1, 2):
        result = project("run", schema=schema, n=n)
        told = "unique_key is nope, and the model returns no column of that name: x.y, s, A `b, c."
        assert told in result.message["no_key"]
        assert "merge_update_columns is nope, and" in result.message["updates"]
        assert "merge_exclude_columns is nope, and" in result.message["excludes"]
        assert {result.status[name] for name in ("merged", "quoted")} == {"success"}, result.text
    for name, expected in {"merged": (2, 1), "quoted": (2, 2)}.items():
        spark.sql(f"refresh table {schema}.{name}")
        (found,) = spark.table(f"{schema}.{name}").collect()
        assert found[2:] == expected


@pytest.mark.slow
def test_a_merge_may_leave_rows_as_they_are(small_project, spark, schema):
    """By a condition, or always. With another strategy, that would have no effect."""
    query = "select explode(sequence(1, 2 + {{ var('n') }})) as id, {{ var('n') }} as n"
    merged = "{{ config(materialized='incremental', %s) }} " + query
    newer = "DBT_INTERNAL_SOURCE.id = 1 or DBT_INTERNAL_DEST.id = 2 and DBT_INTERNAL_DEST.n < 2"
    files = {
        "models/newer.sql": merged % f"unique_key='id', matched_condition='{newer}'",
        "models/added.sql": merged % "unique_key=['id'], skip_matched_step=true",
        "models/appended.sql": merged % "matched_condition='true'",
        "models/replaced.sql": merged
        % "unique_key='id', incremental_strategy='delete+insert', skip_matched_step=true",
    }
    project = small_project(files)
    for n in (1, 2, 3):
        result = project("run", schema=schema, n=n)
        for name, config in {
            "appended": "matched_condition",
            "replaced": "skip_matched_step",
        }.items():
            told = f"{config} has an effect with the strategy merge only, not with "
            assert told in result.message[name]
        assert {result.status[name] for name in ("newer", "added")} == {"success"}, result.text
    for name, expected in {
        "newer": {1: 3, 2: 2, 3: 1, 4: 2, 5: 3},
        "added": {1: 1, 2: 1, 3: 1, 4: 2, 5: 3},
    }.items():
        spark.sql(f"refresh table {schema}.{name}")
        assert {row.id: row.n for row in spark.table(f"{schema}.{name}").collect()} == expected


@pytest.mark.slow
def test_a_column_that_the_table_lacks_is_ignored(small_project, spark, schema):
    """`ignore` is the default of on_schema_change. An unknown value is refused."""
    code = "select ts as `my ``time`, id{{ var('more', '') }} from {{ ref('given') }}"
    batched = BATCHED.replace("='ts'", "='my `time'") % ""
    files = {
        "models/given.sql": ROWS,
        "models/overwritten.sql": OVERWRITES % ", partition_by=['id']" + code,
        "models/batched.sql": batched + code,
        "models/typo.sql": OVERWRITES % ", on_schema_change='sync'" + code,
    }
    project = small_project(files)
    days = ("--event-time-start", "2026-01-01", "--event-time-end", "2026-01-04")
    for rows, more in (THREE_DAYS, ""), ((row(1, 2), row(5, 3)), ", 'x' as more"):
        result = project("run", *days, schema=schema, rows=given(*rows), more=more)
        assert "typo: on_schema_change is sync, and can be ignore," in result.message["typo"]
        assert {result.status[name] for name in ("overwritten", "batched")} == {"success"}
        # With the rows of all days in one file, the batch replaces rows instead of files.
        spark.sql(f"call system.rewrite_data_files('{schema}.batched')")
    found = {}
    for name in ("overwritten", "batched"):
        spark.sql(f"refresh table {schema}.{name}")
        assert spark.table(f"{schema}.{name}").columns == ["my `time", "id"]
        found[name] = sorted((r.id, r[0].day) for r in spark.table(f"{schema}.{name}").collect())
    assert found["overwritten"] == [(1, 2), (2, 2), (3, 3), (4, 3), (5, 3)]
    assert found["batched"] == [(1, 2), (5, 3)]
