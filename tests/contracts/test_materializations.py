"""Every way to build a table from a model: SQL and Python, table and incremental."""

import pytest

from tests.support.dbt_runner import make_project

WAYS = [
    ("sql", "table"),
    ("sql", "incremental"),
    ("python", "table"),
    ("python", "incremental"),
]

INPUT = """
select cast(id as bigint) as id, cast(v as string) as v
from (values {{ var('rows') }}) as given (id, v)
where id is not null
"""
SQL = "select v, id from {{ ref('input') }}"
PYTHON = "def model(dbt, spark):\n    return dbt.ref('input').select('v', 'id')\n"
YML = """
models:
  - name: {name}
    description: What '{name}' holds.
    config:
      materialized: {materialized}
      unique_key: id
      on_schema_change: fail
      contract: {{enforced: true}}
      partition_by: ["bucket(2, id)"]
      tblproperties: {{lakehouse.test: "yes"}}
    columns:
      - name: id
        data_type: bigint
        description: It's the "key" \\ and more.
        constraints: [{{type: not_null}}]
      - name: v
        data_type: string
        description: The value.
"""


@pytest.fixture(scope="module")
def project(dbt, tmp_path_factory):
    """Return a project with one model for each way. All of them read the rows of the var `rows`."""
    files = {"models/input.sql": INPUT}
    for language, materialized in WAYS:
        name = f"{language}_{materialized}"
        code, ending = (SQL, "sql") if language == "sql" else (PYTHON, "py")
        files[f"models/{name}.{ending}"] = code
        files[f"models/{name}.yml"] = YML.format(name=name, materialized=materialized)
    return make_project(dbt, tmp_path_factory.mktemp("paths"), files)


@pytest.fixture(scope="module")
def runs(project, spark, table, module_schema):
    """Return each table's rows and newest snapshot ID after each of four runs."""
    history = []
    for rows, arguments in (
        ("(1, 'a'), (2, 'b')", []),
        ("(1, 'a'), (2, 'b')", []),
        ("(2, 'B'), (3, 'c')", []),
        ("(9, 'z')", ["--full-refresh"]),
    ):
        result = project("run", *arguments, schema=module_schema, rows=rows)
        assert result.success, result.text
        names = [f"{language}_{materialized}" for language, materialized in WAYS]
        history.append({name: state(spark, table(name)) for name in names})
    return history


@pytest.fixture(scope="module")
def table(module_schema):
    """Return a function that returns the full name of a model's table."""
    return lambda name: f"{module_schema}.{name}"


def state(spark, table):
    newest = "select snapshot_id from {}.snapshots order by committed_at desc limit 1"
    return {
        "rows": {(row.id, row.v) for row in spark.table(table).collect()},
        "snapshot": spark.sql(newest.format(table)).first()[0],
    }


@pytest.mark.parametrize("name", ["sql_table", "python_table"])
def test_a_table_holds_the_rows_of_its_last_run(runs, name):
    rows = [run[name]["rows"] for run in runs]
    assert rows == [{(1, "a"), (2, "b")}, {(1, "a"), (2, "b")}, {(2, "B"), (3, "c")}, {(9, "z")}]


@pytest.mark.parametrize("name", ["sql_incremental", "python_incremental"])
def test_an_incremental_model_is_merged_on_its_key(runs, name):
    rows = [run[name]["rows"] for run in runs]
    merged = {(1, "a"), (2, "B"), (3, "c")}
    assert rows == [{(1, "a"), (2, "b")}, {(1, "a"), (2, "b")}, merged, {(9, "z")}]


@pytest.mark.parametrize("name", [f"{language}_{materialized}" for language, materialized in WAYS])
class TestTable:
    def test_old_snapshots_stay_readable_after_a_full_refresh(self, runs, spark, table, name):
        for run in runs:
            query = f"select id, v from {table(name)} version as of {run[name]['snapshot']}"
            assert {tuple(row) for row in spark.sql(query).collect()} == run[name]["rows"]

    def test_it_is_as_the_contract_says(self, runs, spark, table, name):
        columns = spark.table(table(name)).schema
        assert [(c.name, c.dataType.simpleString(), c.nullable) for c in columns] == [
            ("id", "bigint", False),
            ("v", "string", True),
        ]
        assert [c.metadata["comment"] for c in columns] == [
            'It\'s the "key" \\ and more.',
            "The value.",
        ]
        described = {
            row[0]: row[1] for row in spark.sql(f"describe extended {table(name)}").collect()
        }
        assert described["Part 0"] == "bucket(2, id)"
        assert described["Comment"] == f"What '{name}' holds."
        assert "lakehouse.test=yes" in described["Table Properties"]

    def test_a_client_that_is_not_spark_reads_it(self, runs, read, module_schema, name):
        assert read(module_schema, name) == [{"id": 9, "v": "z"}]

    def test_no_stage_is_left(self, runs, spark, module_schema, name):
        stage = f"{module_schema}__{name}__dbt_stage"
        assert not spark.catalog.tableExists(stage)
        spark.range(1).createOrReplaceTempView(stage)
        assert spark.catalog.tableExists(stage), "this is how one is seen"
        spark.catalog.dropTempView(stage)


CONTRACT = """
models:
  - name: m
    config:
      contract: {{enforced: true}}
      on_schema_change: {on_schema_change}
      materialized: {materialized}
    columns:
      - {{name: id, data_type: bigint}}
      - {{name: n, data_type: int, description: {comment}}}
"""


def contracted(on_schema_change="fail", materialized="table", comment="A number."):
    return CONTRACT.format(
        on_schema_change=on_schema_change, materialized=materialized, comment=comment
    )


@pytest.fixture
def drifted(small_project, spark, request, tmp_path):
    """Build a contracted model once, then alter its table with the statements of the parameter."""
    schema = tmp_path.name
    project = small_project(
        {"models/m.sql": "select 1L as id, 2 as n", "models/m.yml": contracted()}
    )
    assert project("run", schema=schema).success
    name = f"{schema}.m"
    for change in request.param:
        spark.sql(f"alter table {name} {change}")
    return project, schema, name


def snapshots(spark, name):
    return [row[0] for row in spark.sql(f"select snapshot_id from {name}.snapshots").collect()]


@pytest.mark.parametrize(
    ("drifted", "told"),
    [
        (["add column event_id string"], "event_id: in the table, not in the contract"),
        (["drop column n"], "n: in the contract, not in the table"),
        (["alter column n type bigint"], "n: bigint in the table, int in the contract"),
        (["rename column n to m"], "m: in the table, not in the contract"),
    ],
    indirect=["drifted"],
)
def test_drift_stops_the_run_before_it_writes(drifted, spark, told):
    project, schema, name = drifted
    before = snapshots(spark, name)
    result = project("run", schema=schema)
    assert not result.success
    assert told in result.text
    assert f"{name} differs from what its model promises; nothing was written" in result.text
    assert snapshots(spark, name) == before


@pytest.mark.parametrize("materialized", ["table", "incremental"])
@pytest.mark.parametrize("drifted", [["drop column n"]], indirect=True)
def test_append_new_columns_adds_what_the_contract_names(
    drifted, spark, small_project, materialized
):
    project, schema, name = drifted
    contract = contracted("append_new_columns", materialized)
    (project.project_dir / "models/m.yml").write_text(contract)
    assert project("run", schema=schema).success
    columns = spark.table(name).schema
    assert [(c.name, c.metadata.get("comment")) for c in columns] == [
        ("id", None),
        ("n", "A number."),
    ]


@pytest.mark.parametrize("drifted", [["drop column n"]], indirect=True)
def test_a_new_column_cannot_be_not_null(drifted, spark):
    project, schema, name = drifted
    contract = contracted("append_new_columns").replace(
        "name: n,", "name: n, constraints: [{type: not_null}],"
    )
    (project.project_dir / "models/m.yml").write_text(contract)
    result = project("run", schema=schema)
    assert not result.success
    assert "whose rows have no value for it, and it is not null" in result.text
    assert spark.table(name).columns == ["id"]


@pytest.mark.parametrize("drifted", [["add column event_id string"]], indirect=True)
def test_append_new_columns_lets_no_stray_column_through(drifted, spark):
    project, schema, _ = drifted
    (project.project_dir / "models/m.yml").write_text(contracted("append_new_columns"))
    result = project("run", schema=schema)
    assert not result.success
    assert "event_id: in the table, not in the contract" in result.text


@pytest.mark.parametrize("drifted", [[]], indirect=True)
def test_a_changed_description_reaches_the_table(drifted, spark):
    project, schema, name = drifted
    (project.project_dir / "models/m.yml").write_text(contracted(comment="Another."))
    assert project("run", schema=schema).success
    assert spark.table(name).schema["n"].metadata["comment"] == "Another."


def test_a_model_without_a_contract_follows_its_own_columns(small_project, spark, schema):
    project = small_project({"models/m.sql": "select 1L as id, 'x' as old"})
    assert project("run", schema=schema).success
    (project.project_dir / "models/m.sql").write_text("select 1L as id, 'y' as new")
    assert project("run", schema=schema).success
    assert [row.asDict() for row in spark.table(f"{schema}.m").collect()] == [{"id": 1, "new": "y"}]


def test_another_file_format_is_refused_in_a_materialization_of_these_steps(small_project, schema):
    steps = "{{ return(contracts__make_table()) }}"
    files = {
        "macros/own.sql": f"{{% materialization own, adapter='spark' %}}{steps}"
        "{% endmaterialization %}",
        "models/m.sql": "{{ config(file_format='parquet', materialized='own') }} select 1 as id",
    }
    result = small_project(files)("run", schema=schema)
    assert not result.success
    assert "set `+file_format: iceberg`" in result.text


def test_a_failed_write_leaves_the_table_as_it_was(small_project, spark, schema):
    model = "select id, if(id > {{ var('limit') }}, raise_error('no'), id) as n from range(5)"
    project = small_project({"models/m.sql": model})
    assert project("run", schema=schema, limit=9).success
    before = snapshots(spark, f"{schema}.m")
    assert not project("run", schema=schema, limit=2).success
    assert snapshots(spark, f"{schema}.m") == before
    assert spark.table(f"{schema}.m").count() == 5


@pytest.mark.parametrize(
    "drifted", [["add column event_id string", "add column x int"]], indirect=True
)
def test_stray_columns_are_dropped_on_purpose_and_stay_in_history(drifted, spark):
    project, schema, name = drifted
    spark.sql(f"insert into {name} values (7, 8, 'e', 9)")
    polluted = snapshots(spark, name)[-1]
    operation = ("run-operation", "drop_stray_columns", "--args")

    dry = project(*operation, "{model: m, dry_run: true}", schema=schema)
    assert dry.success
    assert f"{name}: would drop event_id" in dry.text
    assert spark.table(name).columns == ["id", "n", "event_id", "x"]

    done = project(*operation, "{model: m}", schema=schema)
    assert done.success
    assert f"{name}: dropped event_id" in done.text
    assert spark.table(name).columns == ["id", "n"]
    assert project("run", schema=schema).success
    before = spark.sql(f"select event_id, x from {name} version as of {polluted} where id = 7")
    assert [tuple(row) for row in before.collect()] == [("e", 9)]


@pytest.mark.parametrize("drifted", [[]], indirect=True)
def test_dropping_stray_columns_names_what_is_wrong(drifted):
    project, schema, _ = drifted
    result = project(
        "run-operation", "drop_stray_columns", "--args", "{model: nope}", schema=schema
    )
    assert not result.success
    assert "There is no model 'nope'." in result.text


@pytest.mark.parametrize("materialized", ["table", "incremental"])
def test_a_model_without_a_contract_promises_nothing_of_nulls(
    small_project, spark, schema, materialized
):
    """Spark can prove that the first rows have no nulls, but not that later rows have none."""
    config = f"{{{{ config(materialized='{materialized}') }}}} "
    project = small_project({"models/m.sql": f"{config} select 1 as id, 'x' as v"})
    assert project("run", schema=schema).success
    later = f"{config} select 2 as id, cast(null as string) as v"
    (project.project_dir / "models/m.sql").write_text(later)
    result = project("run", schema=schema)
    assert result.success, result.text
    assert spark.table(f"{schema}.m").where("id = 2").first().v is None


COUNT = """
models:
  - name: contracted
    config: {contract: {enforced: true}}
    columns: [{name: n, data_type: bigint, constraints: [{type: not_null}]}]
"""


def test_a_count_that_is_read_off_metadata_is_never_null(small_project, read, schema):
    """Spark's optimizer replaces the query by one row, and types its column as nullable."""
    count = "select count(*) as n from {{ ref('a') }}"
    files = {
        "models/a.sql": "select id from range(3)",
        "models/plain.sql": count,
        "models/contracted.sql": count,
        "models/contracted.yml": COUNT,
    }
    project = small_project(files)
    for _ in range(2):
        result = project("run", schema=schema)
        assert result.success, result.text
    assert read(schema, "plain") == read(schema, "contracted") == [{"n": 3}]


def test_a_hook_outside_of_a_transaction_runs(small_project, schema, spark):
    """Such hooks run before, or after, the hooks in the transaction."""
    spark.sql(f"create namespace {schema}")
    spark.sql(f"create table {schema}.told (hooks string) using iceberg")

    def hook(name: str) -> str:
        told = f"{schema}.told"
        return f"insert into {told} select concat(count(*), ' {name}') from {told}"

    code = f"""
{{{{ config(
    pre_hook=["{hook("pre")}", before_begin("{hook("before")}")],
    post_hook=[after_commit("{hook("after")}"), "{hook("post")}"]
) }}}}
select 1 as id
"""
    result = small_project({"models/a.sql": code})("run", schema=schema)
    assert result.success, result.text
    told = sorted(row.hooks for row in spark.table(f"{schema}.told").collect())
    assert told == ["0 before", "1 pre", "2 post", "3 after"]


def test_models_that_differ_by_capitals_are_staged_apart(small_project, schema):
    """View names are case-insensitive in Spark, and threads share a session."""
    code = "{{ config(alias='%s') }} {{ contracts__staged_view() }}"
    files = {"models/one.sql": code % "Tab", "models/other.sql": code % "tab"}
    result = small_project(files)("compile", schema=schema)
    assert result.success, result.text
    assert len({str(code).strip().lower() for code in result.code.values()}) == 2, result.code
