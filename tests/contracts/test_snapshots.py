"""A snapshot is staged, checked against the marks, written to the branch, and published."""

import shutil

import pytest

FILES = {
    "dbt_project.yml": """
name: small
profile: lakehouse
flags: {send_anonymous_usage_stats: false}
models: {+file_format: iceberg, +materialized: table}
snapshots: {+file_format: iceberg, +schema: silver}
on-run-start: "{{ begin_run() }}"
on-run-end: "{{ end_run() }}"
""",
    "models/silver_t.sql": "select id, policy, {{ var('extra', '1 as n') }} from values "
    "{{ var('rows') }} as given (id, policy)",
    "models/silver.yml": """
models:
  - name: silver_t
    config: {schema: silver}
    columns: [{name: policy, config: {meta: {silver_only: true, pii: true}}}]
""",
    "snapshots/in_yml.yml": """
snapshots:
  - name: in_yml
    relation: ref('silver_t')
    config: {strategy: check, unique_key: id, check_cols: all, hard_deletes: invalidate}
""",
    "snapshots/in_sql.sql": """
{% snapshot in_sql %}
{{ config(strategy='check', unique_key='id', check_cols=['renamed']) }}
select id, policy as renamed, uuid() as u from {{ ref('silver_t') }}
{% endsnapshot %}
""",
    "tests/fails.sql": """
-- depends_on: {{ ref('in_yml') }}
select 1 as one where {{ var('fails', false) }}
""",
}
A, B = "(1, 'a'), (2, 'b')", "(1, 'A'), (3, 'c')"


@pytest.fixture
def project(small_project, schema):
    project = small_project(FILES)

    def run(*arguments, rows=A, **options):
        return project(*arguments, schema=schema, rows=rows, **options)

    run.folder, run.target = project.project_dir, project.target_path
    return run


def test_a_snapshot_is_audited_and_published(project, read, spark, schema):
    def history(name, column):
        rows = read(f"{schema}_silver", name)
        return sorted((row["id"], row[column], row["dbt_valid_to"] is None) for row in rows)

    first = [(1, "a", True), (2, "b", True)]
    result = project("build")
    assert result.success, result.text
    assert "Published 3 tables one by one." in result.text
    assert history("in_yml", "policy") == history("in_sql", "renamed") == first

    result = project("build", rows=B, fails=True)
    assert not result.success
    assert "3 tables are held back" in result.text
    assert history("in_yml", "policy") == first, "it is held back with the rest"

    # The source gains one column and loses another.
    result = project("build", rows=B, extra="'x' as m")
    assert result.success, result.text
    changed = [(1, "A", True), (1, "a", False), (2, "b", False), (3, "c", True)]
    assert history("in_yml", "policy") == changed
    columns = {row["id"]: (row["n"], row["m"]) for row in read(f"{schema}_silver", "in_yml")}
    assert (columns[2], columns[3]) == ((1, None), (None, "x"))
    assert history("in_sql", "renamed") == [*changed[:2], (2, "b", True), (3, "c", True)]
    for name in ("in_yml", "in_sql"):
        assert not spark.catalog.tableExists(f"{schema}_silver__{name}__dbt_stage")


@pytest.mark.slow
def test_marks_go_with_a_snapshot(project):
    """Marks reach Gold even if the snapshot's yml lists no columns, and in a new process."""
    assert project("build").success
    shutil.rmtree(project.target)  # the table stores its own lineage
    gold = "{{ config(schema='gold') }} select id, %s as x from {{ ref('%s') }}"
    for name, code in {
        "gold_yml": gold % ("policy", "in_yml"),
        "gold_sql": gold % ("upper(renamed)", "in_sql"),
        "gold_fine": gold % ("dbt_valid_from", "in_sql"),
    }.items():
        (project.folder / f"models/{name}.sql").write_text(code)
    result = project("run", "--select", "config.schema:gold")
    assert {name: str(status) for name, status in result.status.items() if "gold" in name} == {
        "gold_yml": "error",
        "gold_sql": "error",
        "gold_fine": "success",
    }
    assert "gold_yml.x is in_yml.policy under another name" in result.message["gold_yml"]
    assert "gold_sql.x is made of in_sql.renamed" in result.message["gold_sql"]

    # A snapshot in another schema copies the marked column there.
    snapshot = project.folder / "snapshots/in_yml.yml"
    snapshot.write_text(snapshot.read_text().replace("{strategy", "{schema: history, strategy"))
    result = project("snapshot", "--select", "in_yml")
    assert not result.success
    assert "in_yml.policy is silver_t.policy" in result.message["in_yml"]


def test_what_cannot_be_traced_takes_all_marks_over(project):
    snapshot = project.folder / "snapshots/in_sql.sql"
    untraced = "java_method('java.lang.String', 'valueOf', id) as renamed"
    snapshot.write_text(snapshot.read_text().replace("policy as renamed", untraced))
    gold = "{{ config(schema='gold') }} select renamed as x from {{ ref('in_sql') }}"
    (project.folder / "models/gold_x.sql").write_text(gold)
    result = project("build", "--exclude", "in_yml")
    assert result.status["in_sql"] == "success"
    assert "gold_x.x is in_sql.renamed under another name" in result.message["gold_x"]


def test_missing_check_column_is_reported_on_the_first_run(project):
    snapshot = project.folder / "snapshots/in_sql.sql"
    snapshot.write_text(snapshot.read_text().replace("['renamed']", "['nope']"))
    result = project("build", "--exclude", "in_yml")
    assert not result.success
    assert "check_cols is nope, and the model returns no column" in result.message["in_sql"]


@pytest.mark.slow
def test_a_key_that_two_rows_have_is_refused(project, read, schema):
    """Spark would accept the duplicates once, and fail in every later merge."""
    twice = "(1, 'a'), (1, 'b'), (null, 'c'), (null, 'd')"
    line = "its unique_key promises one row per (id), and the query has several of (1)"
    assert project("run").success
    result = project("build", rows=twice)
    assert line in result.message["in_yml"] and line in result.message["in_sql"]
    twice = "(int(null), 'c'), (null, 'd'), (5, 'e')"
    result = project("build", rows=twice)
    assert result.status["in_yml"] == "success", "a null equals nothing"
    result = project("build", rows=f"{A}, (7, 'x'), (7, 'y')")
    assert "has several of (7)" in result.message["in_yml"]
    assert {row["id"] for row in read(f"{schema}_silver", "in_yml")} == {None, 5}
