"""Types, names, partitions and properties of a table follow the config."""

import re

import pytest
import yaml


def project_yml(**settings) -> str:
    project = {
        "name": "small",
        "profile": "lakehouse",
        "flags": {"send_anonymous_usage_stats": False},
        "models": {
            "+file_format": "iceberg",
            "+materialized": "table",
            "+persist_docs": {"relation": True, "columns": True},
        },
        "seeds": {
            "+file_format": "iceberg",
            "+persist_docs": {"relation": True, "columns": True},
        },
    }
    return yaml.safe_dump(project | settings)


def described(spark, table: str) -> dict[str, str]:
    """Return the rows of `describe extended` as a dict. The last row of a name wins."""
    spark.sql(f"refresh table {table}")
    return {row[0]: row[1] for row in spark.sql(f"describe extended {table}").collect()}


def yml(description: str, materialized: str = "table", **config) -> dict[str, str]:
    column = {"name": "id", "description": f"{description} of a column"}
    model = {
        "name": "m",
        "description": description,
        "config": {"materialized": materialized, **config},
        "columns": [column],
    }
    seed = {"name": "s", "description": description, "columns": [column], "config": config}
    return {"models/m.yml": yaml.safe_dump({"models": [model], "seeds": [seed]})}


def test_changes_of_the_config_reach_the_table(small_project, spark, schema):
    """The values contain backslashes and quotes, for a model and for a seed."""
    files = {
        "dbt_project.yml": project_yml(),
        "models/m.sql": "select 1 as id, timestamp '2026-01-01 08:00:00' as ts",
        "seeds/s.csv": "id,ts\n1,2026-01-01 08:00:00\n",
    }
    first = {"a.b": "C:\\temp 'x'", "format-version": "2"}
    second = {"c": "it's", "a.b": "\\", "format-version": "2"}
    project = small_project(
        {**files, **yml("C:\\temp\\", partition_by=["months(ts)"], tblproperties=first)}
    )
    assert project("build", schema=schema).success
    for text, partition_by, told, properties in (
        ("It's \\'now\\", ["days(ts)", "bucket(2, id)"], {"days(ts)", "bucket(2, id)"}, second),
        ("", [], {""}, {}),
    ):
        config = {"partition_by": partition_by, "tblproperties": properties}
        for path, content in yml(text, **config).items():
            (project.project_dir / path).write_text(content)
        for _ in range(2):  # the second build has nothing to change
            result = project("build", schema=schema)
            assert result.success, result.text
        for name in ("m", "s"):
            found = described(spark, f"{schema}.{name}")
            assert found.get("Comment", "") == text
            column = spark.table(f"{schema}.{name}").schema["id"].metadata.get("comment", "")
            assert column == (f"{text} of a column").strip()
            assert {found.get("Part 0", ""), found.get("Part 1", found.get("Part 0", ""))} == told
            # A property that is removed from the config stays in the table.
            assert "a.b=\\" in found["Table Properties"]
            assert "c=it's" in found["Table Properties"]
            history = spark.sql(f"select * from {schema}.{name}.metadata_log_entries").count()
    assert history < 14


def test_partitions_that_cannot_be_are_one_line(small_project, schema):
    wrong = ["nope", "days(id)", "bucket(id", "weeks(id)"]
    files = {
        f"models/m{n}.sql": f"{{{{ config(partition_by='{by}') }}}} select 1 as id"
        for n, by in enumerate(wrong)
    }
    result = small_project(files)("run", schema=schema)
    for number, by in enumerate(wrong):
        assert f"m{number}: partition_by is {by}: " in result.message[f"m{number}"]
        assert "\tat " not in result.message[f"m{number}"]


def test_an_incremental_tables_partitions_wait_for_a_full_refresh(small_project, spark, schema):
    files = {
        "dbt_project.yml": project_yml(),
        "models/m.sql": "select 1 as id, timestamp '2026-01-01 08:00:00' as ts",
        "seeds/s.csv": "id\n1\n",
    }
    project = small_project({**files, **yml("", "incremental", partition_by="months(ts)")})
    assert project("run", schema=schema).success
    for path, content in yml("", "incremental", partition_by="days(ts)").items():
        (project.project_dir / path).write_text(content)
    result = project("run", schema=schema)
    assert result.success
    line = "partition_by is day(ts) in the config and month(ts) in the table: `--full-refresh`"
    assert line in "\n".join(result.said)
    assert described(spark, f"{schema}.m")["Part 0"] == "months(ts)"
    assert project("run", "--full-refresh", schema=schema).success
    assert described(spark, f"{schema}.m")["Part 0"] == "days(ts)"
    assert spark.table(f"{schema}.m").count() == 1


TYPES = {
    "smallint": "int",
    "tinyint": "int",
    "varchar(3)": "string",
    "char(3)": "string",
    "timestamp_ntz": "timestamp_ntz",
    "decimal(5,2)": "decimal(5,2)",
    "array<smallint>": "array<int>",
    "struct<a:tinyint,b:map<string,smallint>>": "struct<a:int,b:map<string,int>>",
}
IMPOSSIBLE = {
    "void": "Iceberg cannot hold the type void",
    "interval day to second": "Iceberg cannot hold the type interval day to second",
    "array<char(3)>": "Iceberg cannot hold the type array<char(3)>",
    "struct<a:void>": "Iceberg cannot hold the type struct<a:void>",
    "nonsense": "Spark knows no type 'nonsense'",
}


def test_types_are_as_iceberg_keeps_them(small_project, spark, schema):
    """Iceberg stores some types as wider ones. This is not drift from the contract."""

    def model(name, types):
        columns = [{"name": f"c{n}", "data_type": t} for n, t in enumerate(types)]
        return {"name": name, "config": {"contract": {"enforced": True}}, "columns": columns}

    casts = ", ".join(f"cast(null as {t}) as c{n}" for n, t in enumerate(TYPES))
    models = [model("kept", TYPES), *(model(f"no{n}", [t]) for n, t in enumerate(IMPOSSIBLE))]
    merged = model("merged", TYPES)
    merged["config"] |= {"materialized": "incremental", "unique_key": "c0"}
    merged["config"]["on_schema_change"] = "fail"
    models.append(merged)
    files = {f"models/no{n}.sql": "select null as c0" for n in range(len(IMPOSSIBLE))}
    files |= {"models/kept.sql": f"select {casts}", "models/merged.sql": f"select {casts}"}
    files |= {"models/free.sql": "select null as c0"}
    project = small_project({**files, "models/m.yml": yaml.safe_dump({"models": models})})
    for arguments in ([], [], ["--full-refresh"]):
        result = project("run", *arguments, schema=schema)
        for name in ("kept", "merged"):
            assert result.status[name] == "success", result.text
            kept = [c.dataType.simpleString() for c in spark.table(f"{schema}.{name}").schema]
            assert kept == [*TYPES.values()]
        for number, told in enumerate(IMPOSSIBLE.values()):
            assert f"c0: {told}" in result.message[f"no{number}"]
        assert "c0: Iceberg cannot hold the type void" in result.message["free"]


GIVES_NAMES = """
from pyspark.sql.types import IntegerType, StructField, StructType


def model(dbt, spark):
    names = {names!r}
    columns = StructType([StructField(name, IntegerType()) for name in names])
    return spark.createDataFrame([tuple(range(len(names)))], columns)
"""
NAMES = ["Weird.Name", "back`tick", "it's", 'double"quote', "with space", "ünïcødé", "back\\slash"]


@pytest.mark.parametrize(
    "materialized", [pytest.param("table", marks=pytest.mark.slow), "incremental"]
)
def test_names_of_any_kind(small_project, read, spark, schema, materialized):
    """Covers create, write, merge, comments, schema evolution and drop, with escaped names."""
    columns = [
        {"name": name, "data_type": "int", "quote": True, "description": f"{name} \\ it's"}
        for name in ["id", *NAMES]
    ]
    model = {
        "name": "m",
        "config": {
            "contract": {"enforced": True},
            "materialized": materialized,
            "unique_key": "id",
            "on_schema_change": "append_new_columns",
        },
        "columns": columns[:-1],
    }
    project = small_project({"dbt_project.yml": project_yml()})
    (project.project_dir / "models").mkdir()
    for count in (len(NAMES), len(NAMES) + 1, len(NAMES) + 1):
        names = ["id", *NAMES][:count]
        code = GIVES_NAMES.format(names=names)
        (project.project_dir / "models/m.py").write_text(code)
        model["columns"] = columns[:count]
        (project.project_dir / "models/m.yml").write_text(yaml.safe_dump({"models": [model]}))
        result = project("run", schema=schema)
        assert result.success, result.text
        assert read(schema, "m") == [dict(zip(names, range(count), strict=True))]
    comments = {c.name: c.metadata["comment"] for c in spark.table(f"{schema}.m").schema}
    assert comments == {column["name"]: column["description"] for column in columns}

    # The contract names one column only, so the others are stray columns and are dropped.
    model["columns"] = columns[:1]
    (project.project_dir / "models/m.yml").write_text(yaml.safe_dump({"models": [model]}))
    dropped = project("run-operation", "drop_stray_columns", "--args", "{model: m}", schema=schema)
    assert dropped.success, dropped.text
    assert read(schema, "m") == [{"id": 0}]


def test_capitals_of_a_name_may_change(small_project, spark, schema):
    """Column names are case-insensitive in Spark, so this is the same column."""
    project = small_project({"models/m.sql": "select 1 as Id, 2 as n"})
    assert project("run", schema=schema).success
    (project.project_dir / "models/m.sql").write_text("select 1 as iD, 2 as n")
    result = project("run", schema=schema)
    assert result.success, result.text
    spark.sql(f"refresh table {schema}.m")
    assert spark.table(f"{schema}.m").columns == ["iD", "n"]


@pytest.mark.slow
def test_a_table_of_any_name_is_published(small_project, spark, schema):
    """The project config turns on the quoting of identifiers."""
    hooks = {"on-run-start": "{{ begin_run() }}", "on-run-end": "{{ end_run() }}"}
    settings = project_yml(quoting={"identifier": True}, **hooks)
    odd = "{{ config(alias='Weird.Table 1') }} select 1 as id"
    files = {"models/m.sql": odd, "models/n.sql": "select id, 2 as going from {{ ref('m') }}"}
    project = small_project({"dbt_project.yml": settings, **files})
    for code in (files["models/n.sql"], "select id from {{ ref('m') }}"):
        (project.project_dir / "models/n.sql").write_text(code)
        result = project("run", schema=schema)
        assert result.success, result.text
        assert "Published 2 tables one by one." in result.text
        assert spark.table(f"{schema}.`Weird.Table 1`").count() == 1
    spark.sql(f"refresh table {schema}.n")
    assert spark.table(f"{schema}.n").columns == ["id"]


ALIASES = ["Weird.Table 1", "it's", "x-y", "2b", "back`tick", "back\\slash", "a.snapshots"]


@pytest.mark.slow
def test_names_that_need_quotes_have_them(small_project, spark, schema):
    """Names of models, seeds and snapshots are quoted where needed, without a `quoting` config."""
    hooks = {"on-run-start": "{{ begin_run() }}", "on-run-end": "{{ end_run() }}"}
    models = [{"name": f"m{n}", "config": {"alias": alias}} for n, alias in enumerate(ALIASES)]
    compared = {"strategy": "check", "check_cols": ["id"], "unique_key": "id"}
    snapshot = {"name": "sn", "relation": "ref('m0')", "config": {"alias": "a sna.p", **compared}}
    described = {
        "models": models,
        "seeds": [{"name": "s", "config": {"alias": "a seed. of"}}],
        "snapshots": [snapshot],
    }
    files = {f"models/{model['name']}.sql": "select 1 as id" for model in models}
    files |= {
        "models/reads.sql": "select count(*) as n from {{ ref('m0') }} join {{ ref('s') }} on true",
        "models/m.yml": yaml.safe_dump(described),
        "seeds/s.csv": "id\n1\n",
    }
    others = {"snapshots": {"+file_format": "iceberg"}, "seeds": {"+file_format": "iceberg"}}
    project = small_project({"dbt_project.yml": project_yml(**hooks, **others), **files})
    for seeds in (1, 0):  # a seed is not written again
        result = project("build", schema=schema)
        assert result.success, result.text
        assert f"Published {len(ALIASES) + 2 + seeds} tables one by one." in result.text
    for alias in (*ALIASES, "a seed. of", "a sna.p"):
        name = alias.replace("`", "``")
        assert spark.table(f"{schema}.`{name}`").count() == 1


@pytest.mark.slow
def test_a_schema_may_have_any_name(small_project, spark, schema):
    """Tables, lock and log share the schema. Covers a build, a held-back build and operations."""
    hooks = {"on-run-start": "{{ begin_run() }}", "on-run-end": "{{ end_run() }}"}
    files = {
        "models/a.sql": "{{ config(materialized='incremental', unique_key='id') }} select 1 as id",
        "models/b.py": "def model(dbt, spark):\n    return dbt.ref('a').select('id')\n",
        "seeds/s.csv": "id\n1\n",
    }
    project = small_project({"dbt_project.yml": project_yml(**hooks), **files})
    odd = f"{schema}-12 x"
    for seeds in (1, 0):  # a seed is not written again
        result = project("build", schema=odd)
        assert result.success, result.text
        assert f"Published {2 + seeds} tables one by one." in result.text

    (project.project_dir / "models/a.sql").write_text("select 2 as id")
    (project.project_dir / "models/c.sql").write_text("select no_such_column as id")
    failed = project("build", schema=odd)
    branch = re.search(r"held back on the branch (\w+)", failed.text)[1]
    args = yaml.safe_dump({"branch": branch})
    result = project("run-operation", "publish", "--args", args, schema=odd)
    assert result.success, result.text
    assert [row.id for row in spark.table(f"`{odd}`.b").collect()] == [2]
    result = project("run-operation", "maintain", schema=odd)
    assert result.success, result.text


def test_comments_of_views(small_project):
    """The folder catalog has no views, so only the statement's text is checked."""
    project = small_project({"models/m.sql": "select 1 as id"})
    asked = """get_column_comment_sql("back`tick", {"back`tick": {"description": "It's \\\\"}})"""
    assert project.render("ci", asked)[asked] == r"`back``tick` comment 'It\'s \\'"


def test_what_has_no_meaning_is_refused(small_project, schema):
    listed = "{{ config(tblproperties=['a']) }} select 1 as id"
    configs = {
        "sql_header": "'select 1;'",
        "clustered_by": "['id']",
        "options": "{'compression': 'gzip'}",
    }
    models = {
        f"models/{name}.sql": f"{{{{ config({name}={value}) }}}} select 1 as id"
        for name, value in configs.items()
    }
    granted = "{{ config(grants={'select': ['someone']}) }} select 1 as id"
    models |= {"models/listed.sql": listed, "models/granted.sql": granted}
    result = small_project(models)("run", schema=schema)
    assert not result.success
    assert "grants cannot be kept: this Spark has no statement `grant`" in result.message["granted"]
    assert "tblproperties must be a mapping" in result.message["listed"]
    for name in configs:
        assert f"{name} has no effect on an Iceberg table" in result.message[name]
