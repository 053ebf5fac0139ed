"""Readers see column changes when the build is published, not before."""

import json
import re

import pytest
import yaml
from dbt_spark_contracts import schemas
from dbt_spark_contracts.publish import lease, pending
from dbt_spark_contracts.publish.run import Run
from dbt_spark_contracts.spark import session

PROJECT = {
    "name": "small",
    "profile": "lakehouse",
    "flags": {"send_anonymous_usage_stats": False},
    "models": {"+file_format": "iceberg", "+materialized": "table"},
    "seeds": {"+file_format": "iceberg"},
    "on-run-start": "{{ begin_run() }}",
    "on-run-end": [
        "{{ end_run() if not var('killed', false) }}",
        "{{ 'select id from ' ~ ref(var('reads_at_the_end')) if var('reads_at_the_end', '') }}",
    ],
}
YML = """
models:
  - name: a
    columns:
      - name: id
        data_tests: [{accepted_values: {arguments: {values: [1, "{{ var('allowed', 2) }}"]}}}]
"""
SEED = "id,flag,v\n1,true,5\n2,false,6\n"
FILES = {
    "dbt_project.yml": yaml.safe_dump(PROJECT),
    "seeds/s.csv": SEED,
    # The name `s` stands for both the table and a common table expression, as in real queries.
    "models/a.sql": "with s as (select * from {{ ref('s') }}) select * from s",
    "models/b.py": "def model(dbt, spark):\n    return dbt.ref('s').select('id', 'v')\n",
    "models/schema.yml": YML,
}
# A model that collects something, a note, and later makes a view of the seed's name.
NOTED = """
def model(dbt, spark):
    dbt.config(materialized='incremental', unique_key='id')
    dbt.notes.recall()
    dbt.notes.keep('x')
    # spark.range(1).createOrReplaceTempView('s')
    return spark.range(1).select('id')
"""
CONTRACTED = {
    "models/n.py": NOTED,
    "models/contracts.yml": """
models:
  - name: c
    config: {contract: {enforced: true}}
    columns: [{name: id, data_type: bigint}]
  - name: n
    columns: [{name: id, config: {meta: {pii: true}}}]
""",
    # It runs after `n`.
    "models/c.py": """
def model(dbt, spark):
    dbt.ref('n')
    return dbt.ref('s').select('id')
""",
}
OLD = [{"id": 1, "flag": True, "v": 5}, {"id": 2, "flag": False, "v": 6}]


@pytest.fixture
def project(small_project, schema):
    """Return a function that runs dbt on the project above, which has been built once."""
    dbt = small_project(FILES)

    def command(*args, succeeds=True, **variables):
        result = dbt(*args, schema=schema, **variables)
        assert result.success == succeeds, result.text
        return result

    command.target = dbt.target_path
    command.seed = lambda text: (dbt.project_dir / "seeds/s.csv").write_text(text)
    command.write = lambda path, text: (dbt.project_dir / path).write_text(text)
    command("build")
    return command


def noted(spark, table: str) -> bool:
    spark.sql(f"refresh table {table}")
    return bool(pending.notes(spark, table))


@pytest.mark.slow
def test_a_column_goes_when_the_build_is_published(project, read, spark, schema):
    project.seed("id,v\n1,7\n2,8\n")
    failed = project("build", succeeds=False, allowed=9)
    assert "Nothing was published" in failed.text
    assert read(schema, "s") == read(schema, "a") == OLD
    assert noted(spark, f"{schema}.s")

    # Models of the same build no longer see the column.
    project.write("models/b.py", FILES["models/b.py"].replace("'v'", "'flag'"))
    failed = project("build", succeeds=False)
    assert "`flag` cannot be resolved" in failed.text
    assert read(schema, "s") == OLD

    # `dbt retry` continues on the branch of the failed build.
    project.write("models/b.py", FILES["models/b.py"])
    project("retry")
    for table in ("s", "a", "b"):
        assert read(schema, table) == [{"id": 1, "v": 7}, {"id": 2, "v": 8}]
        assert not noted(spark, f"{schema}.{table}")


@pytest.mark.slow
def test_what_other_models_have_collected_is_not_in_a_seed_that_loses_a_column(project, spark):
    """The view of its future columns is the guard's, and shares nothing between models."""
    for path, text in CONTRACTED.items():
        project.write(path, text)
    project("build")
    project.seed("id,v\n1,7\n2,8\n")
    project("build")
    # A view that another model creates may have values in it.
    project.write("models/n.py", NOTED.replace("# ", ""))
    project.write(
        "models/b.py", FILES["models/b.py"].replace("select", "selectExpr").replace("'v'", "'id v'")
    )
    project.seed("id\n1\n2\n")
    assert "of another model" in project("build", succeeds=False).text
    spark.catalog.dropTempView("s")


def test_a_type_changes_when_the_build_is_published(project, read, spark, schema):
    """The old values stay until the build is published, also after a failed build."""
    project.seed("id,flag,v\n1,true,5.5\n2,yes,6\n")
    assert "`--full-refresh` lets the table follow" in project("build", succeeds=False).text
    project("build", "--full-refresh", succeeds=False, allowed=9)
    assert read(schema, "s") == read(schema, "a") == OLD

    # The lineage uses the new column names.
    lineage = json.loads((project.target / "column_lineage.json").read_text())
    (origin,) = lineage["nodes"]["model.small.b"]["columns"]["v"]["origins"]
    assert (origin["node"], origin["column"]) == ("seed.small.s", "v")

    # While the first build is held back, another build of a table that reads `s` can run.
    project("build", "--select", "b")
    assert [row["v"] for row in read(schema, "b")] == [5, 6]
    assert read(schema, "s") == OLD

    # A held-back build does not block another build of the same table.
    project("build", "--full-refresh", "--select", "s", "a", succeeds=False, allowed=9)
    assert read(schema, "s") == read(schema, "a") == OLD
    project("retry", reads_at_the_end="s")
    for name in ("s", "a"):
        rows = sorted((row["id"], row["flag"], row["v"]) for row in read(schema, name))
        assert rows == [(1, "true", 5.5), (2, "yes", 6.0)]
        assert set(read(schema, name)[0]) == {"id", "flag", "v"}
        assert not noted(spark, f"{schema}.{name}")


@pytest.mark.slow
def test_published_by_hand(project, read, schema):
    project.seed("id,v,flag\n1,x,true\n2,y,false\n")
    failed = project("build", "--full-refresh", "-s", "s", "a", succeeds=False, allowed=9)
    branch = re.search(r"held back on the branch (\w+)", failed.text)[1]
    assert read(schema, "s") == OLD
    project("run-operation", "publish", "--args", f"{{branch: {branch}}}")
    assert [(row["id"], row["v"], row["flag"]) for row in read(schema, "s")] == [
        (1, "x", True), (2, "y", False)
    ]  # fmt: skip


def test_what_is_not_published_leaves_no_column(project, read, spark, schema):
    project.seed("id,new\n1,x\n")
    project("build", "--empty", "-s", "s", "a")
    assert read(schema, "s") == read(schema, "a") == OLD
    assert not noted(spark, f"{schema}.s")


def end_without_a_word(run: Run, settle) -> None:
    """End like a killed process: changes stay, and the lease stays but is not renewed."""
    run.ownership.lease._stop.set()
    lease._ended.add(run.ownership.lease.owner)


def test_a_killed_build_leaves_no_column(project, read, spark, schema, monkeypatch):
    """The next command that takes the lock undoes the changes."""
    project.seed("id,v,new\n1,x,2\n")
    with monkeypatch.context() as killed:
        killed.setattr(Run, "complete", end_without_a_word)
        project("seed", "--full-refresh", killed=True)
    session.use_branch(None)
    assert noted(spark, f"{schema}.s")
    (row, _) = read(schema, "s")
    assert row.pop("new") is None
    assert [row.pop(name) for name in row.copy() if name.startswith("v__dbt_")] == [None]
    assert row == OLD[0]  # readers still see the old values

    result = project("run", "-s", "b")
    assert "was killed before it ended" in result.text
    assert read(schema, "s") == OLD
    assert not noted(spark, f"{schema}.s")


@pytest.mark.slow
def test_at_once_without_a_branch(project, read, schema):
    project.seed("id,v\n1,x\n")
    project("seed", "--full-refresh", write_audit_publish=False)
    assert read(schema, "s") == [{"id": 1, "v": "x"}]


STRATEGIES = {"merged": "unique_key='id'", "appended": "incremental_strategy='append'"}


@pytest.mark.slow
def test_an_incremental_models_columns(small_project, read, schema):
    """A removed column may have been not null. A removed partition column stays in the table."""
    config = (
        "{{{{ config(materialized='incremental', on_schema_change='sync_all_columns', {}) }}}} "
    )
    first = "select 1 as id, 2 as gone, 'x' as part"
    models = {
        f"models/{n}.sql": config.format(f"{key}, partition_by='part'") + first
        for n, key in STRATEGIES.items()
    }
    project = small_project({"dbt_project.yml": yaml.safe_dump(PROJECT), **models})
    assert project("run", schema=schema).success
    for code, succeeds in (
        ("select cast(raise_error('no') as int) as id, 5 as new", False),
        ("select 1 as id, 5 as new union all select 3, 6", True),
    ):
        for name, key in STRATEGIES.items():
            (project.project_dir / f"models/{name}.sql").write_text(config.format(key) + code)
        result = project("run", schema=schema)
        assert result.success == succeeds, result.text
        assert "part stays in the table, and is null" in result.text
        if not succeeds:
            old = [{"id": 1, "gone": 2, "part": "x"}]
            assert read(schema, "merged") == read(schema, "appended") == old
    new = [{"id": 1, "part": None, "new": 5}, {"id": 3, "part": None, "new": 6}]
    for name, more in {"merged": [], "appended": [{"id": 1, "part": "x", "new": None}]}.items():
        found = sorted(read(schema, name), key=lambda row: (row["id"], str(row["part"])))
        assert found == sorted(new + more, key=lambda row: (row["id"], str(row["part"])))


def test_applied_or_given_up_twice(spark, schema):
    """A kill between two steps can make a command repeat them."""
    spark.sql(f"create namespace {schema}")
    for number, end in enumerate((pending.apply, pending.discard)):
        table = f"{schema}.t{number}"
        spark.sql(
            f"create table {table} (id int, old int not null, `v__b` string, v int) using iceberg"
        )
        spark.sql(f"insert into {table} values (1, 2, null, 3)")
        ids = {own.name: own.id for own in schemas.fields(spark, table)}
        main = spark.table(f"{table}.snapshots").first().snapshot_id
        note = pending.Note(
            drop=[ids["old"], ids["v"]], rename={"v__b": "v"}, add=["id"], loosened=[], main=main
        )
        change = schemas.Change(properties={f"{pending.PROPERTY}b": note.write()})
        schemas.change(spark, table, change)
        pending.hold(spark, table, "b")
        pending.hold(spark, table, "b")
        assert spark.table(table).columns == ["old", "v"]
        pending.resume(spark, table, "b")
        assert spark.table(table).columns == ["old", "v", "id", "v__b"]
        for _ in range(2):
            end(spark, table, "b")
            end(spark, table, "another")
        expected = {pending.apply: ["id", "v"], pending.discard: ["old", "v"]}[end]
        assert spark.table(table).columns == expected
    assert spark.table(f"{schema}.t0").schema["v"].dataType.simpleString() == "string"
    assert spark.table(f"{schema}.t1").schema["v"].dataType.simpleString() == "int"


ADDS = (
    "{{{{ config(on_schema_change='append_new_columns', materialized='{}') }}}} "
    "select 1 as id{{{{ var('more', '') }}}}"
)
ADDING = {
    "dbt_project.yml": yaml.safe_dump(PROJECT),
    "models/g.sql": ADDS.format("table"),
    "models/i.sql": ADDS.format("incremental"),
    "snapshots/sn.sql": (
        "{% snapshot sn %}{{ config(strategy='check', unique_key='id', check_cols='all', "
        "file_format='iceberg') }} select 1 as id{{ var('more', '') }}{% endsnapshot %}"
    ),
    "tests/t.sql": "select * from {{ ref('g') }} where {{ var('bad', false) }}",
}


@pytest.fixture
def adding(small_project, schema):
    """Return a function that runs dbt on three tables that get a column through the var `more`.

    `contract` lists the columns of `g` after its id.
    """
    dbt = small_project(ADDING)

    def command(*args, contract="", **variables):
        (dbt.project_dir / "models/g.yml").write_text(
            "models: [{name: g, config: {contract: {enforced: true}}, columns: ["
            f"{{name: id, data_type: int}}{contract}]}}]"
        )
        result = dbt(*args, schema=schema, **variables)
        result.branch = re.search(r"held back on the branch (\w+)", result.text)
        return result

    command.write = lambda path, text: (dbt.project_dir / path).write_text(text)
    assert command("build").success
    return command


W = ", {name: w, data_type: string}"
TESTED = W.replace("}", ", data_tests: [not_null: {name: w_is_there}]}")
V = ", {name: v, data_type: int}"
N = (
    "models: [{{name: n, config: {{contract: {{enforced: true}}}}, columns: "
    "[{{name: id, data_type: int}}, {{name: v, data_type: {}}}]}}]"
)


def columns_of(spark, schema: str, *names: str) -> list[list[str]]:
    for name in names:
        spark.sql(f"refresh table {schema}.{name}")
    return [spark.table(f"{schema}.{name}").columns for name in names]


@pytest.mark.slow
def test_a_column_that_a_failed_build_added_is_out_of_sight(adding, spark, schema):
    before = columns_of(spark, schema, "g", "i", "sn")
    failed = adding("build", contract=TESTED, more=", cast(null as string) as w")
    assert failed.status["w_is_there"] == "fail"
    assert columns_of(spark, schema, "g", "i", "sn") == before
    # The query that dbt prints for a failed test shows the failing rows.
    query = re.search(r"w_is_there failed on 1 rows:\n(.*?)\n[A-Z]", failed.text, re.DOTALL)[1]
    assert len(spark.sql(query).collect()) == 1, query

    # A second failed build adds another column. Then the older build is published.
    assert not adding("build", contract=V, more=", 5 as v", bad=True).success
    published = adding("run-operation", "publish", "--args", f"{{branch: {failed.branch[1]}}}")
    assert published.success, published.text
    assert columns_of(spark, schema, "g", "i") == [["id", "w"], ["id", "w"]]
    assert columns_of(spark, schema, "sn") == [[*before[2], "w"]]


@pytest.mark.slow
def test_withdrawn_column_does_not_block_the_next_build(adding, spark, read, schema):
    before = columns_of(spark, schema, "g", "i", "sn")
    assert not adding("build", contract=W, more=", 'x' as w", bad=True).success
    result = adding("build")
    assert result.success, result.text
    assert columns_of(spark, schema, "g", "i", "sn") == before
    assert not noted(spark, f"{schema}.g")
    # A column with the same name and another type does not block it either.
    assert not adding("build", contract=W, more=", 'x' as w", bad=True).success
    result = adding("build", contract=W.replace("string", "int"), more=", 7 as w")
    assert result.success, result.text
    assert read(schema, "g") == [{"id": 1, "w": 7}]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("contract", "more", "expected"),
    [
        (W, ", 'x' as w", {"id": 1, "w": "x"}),
        (W.replace("string", "int"), ", 7 as w", {"id": 1, "w": 7}),
        (V, ", 5 as v", {"id": 1, "v": 5}),
        ("", "", {"id": 1}),
    ],
    ids=["as it was", "another type", "another name", "taken back"],
)
def test_a_retry_after_a_correction(adding, read, schema, contract, more, expected):
    fails = ", cast(raise_error('no') as string) as w"
    assert adding("build", contract=W, more=fails).status["g"] == "error"
    retried = adding("retry", contract=contract, more=more)
    assert retried.success, retried.text
    assert read(schema, "g") == [expected]


@pytest.mark.slow
def test_column_that_something_else_added_is_reported(adding, spark, schema):
    failed = adding("build", contract=W, more=", 'x' as w", bad=True)
    spark.sql(f"alter table {schema}.g add column W int")
    published = adding("run-operation", "publish", "--args", f"{{branch: {failed.branch[1]}}}")
    assert not published.success
    assert f"{schema}.g has had a column w since" in published.text.replace(" W ", " w ")
    assert columns_of(spark, schema, "g") == [["id", "W"]]


@pytest.mark.slow
def test_a_column_that_the_model_lacks_holds_nulls_from_then_on(adding, read, schema):
    """The column becomes nullable, even if it was not null because a literal filled it."""
    assert adding("build", "-s", "i", more=", 'x' as w").success
    assert adding("build", "-s", "i").success
    rows = sorted(read(schema, "i"), key=str)
    assert rows == [{"id": 1, "w": "x"}, {"id": 1, "w": None}, {"id": 1, "w": None}]


@pytest.mark.slow
def test_what_was_never_published_may_become_another(adding, read, schema):
    """After a failed first build, no reader depends on the columns, so the model may change."""
    adding.write("models/n.sql", "select {{ var('n', \"1 as id, 'x' as v\") }}")
    adding.write("models/n.yml", N.format("string"))
    failed = adding("build", bad=True)
    assert "held back" in failed.text
    adding.write("models/n.yml", N.format("int, constraints: [{type: not_null}]"))
    again = adding("build", n="1 as id, 2 as v", bad=True)
    assert again.status["n"] == "success", again.text
    # The branch of the first build is gone.
    assert not adding(
        "run-operation", "publish", "--args", f"{{branch: {failed.branch[1]}}}"
    ).success
    assert adding("build", n="1 as id, 2 as v").success
    assert read(schema, "n") == [{"id": 1, "v": 2}]
    # After publication, the contract is binding.
    adding.write("models/n.yml", N.format("string"))
    refused = adding("build", n="1 as id, 'x' as v")
    assert "v: int not null in the table, string in the contract" in refused.message["n"]
    assert read(schema, "n") == [{"id": 1, "v": 2}]
