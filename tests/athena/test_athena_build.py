"""Full and incremental builds of this project on the front of Athena give the same rows as Spark.

tests/support/athena_front describes what the front covers and what it does not.
"""

import json
import os
from collections import Counter
from types import SimpleNamespace

import pytest
from pyspark.sql import functions as F

from python_jobs import generate_landing
from python_jobs.athena_gate import trino_sql
from tests.support.athena_front.errors import QueryFailed
from tests.support.athena_front.front import BUCKET
from tests.support.dbt_runner import ROOT, Dbt, environment

pytestmark = pytest.mark.engines

# Each table, and its column with the build time, which differs between the engines.
TABLES = {
    ("bronze", "bronze_car_events"): "ingested_at",
    ("silver", "alert_rules"): None,
    ("silver", "stg_car_events"): "ingested_at",
    ("silver", "silver_car_telemetry"): "ingested_at",
    ("silver", "silver_rejected_events"): "ingested_at",
    ("gold", "gold_car_current_state"): "gold_processing_timestamp",
    ("gold", "gold_fuel_efficiency_monthly"): "processing_timestamp",
    ("gold", "gold_performance_alerts"): "alert_generated_timestamp",
}
BELOW_GOLD = [table for table in TABLES if table[0] != "gold"]
INCREMENTAL = ("bronze_car_events", "stg_car_events", "silver_rejected_events")
AS_OF = {"as_of_date": "2026-01-15"}
UNTESTED = ("--exclude-resource-type", "test", "unit_test")


@pytest.fixture(scope="module")
def builds(athena, dbt, spark, tmp_path_factory, module_schema):
    """Build on Athena twice, and once on Spark, and read the tables.

    The first Athena build is a full build of the layers below Gold. The second is an incremental
    build of all layers with all data tests. One Spark build is enough: test_any_split.py in
    tests/bronze_silver shows that a full and an incremental build end in the same tables.

    Returns:
        A namespace with the tables after each build: `full`, `incremental` and `on_spark`.
    """
    project = Dbt(tmp_path_factory.mktemp("dbt"))
    # The same files as in the bucket, with the same times, which are compared too.
    folder = tmp_path_factory.mktemp("landing")

    def on_athena(*options: str, tables) -> dict[str, SimpleNamespace]:
        url = f"s3://{BUCKET}/landing"
        done = athena.dbt(project, "build", *options, schema="athena", landing_path=url, **AS_OF)
        assert done.success, done.text
        return {name: read_by_trino(athena, layer, name) for layer, name in tables}

    def on_spark(*command: str) -> None:
        done = dbt(*command, schema=module_schema, landing_path=str(folder), **AS_OF)
        assert done.success, done.text

    put_landing(athena, ROOT / "landing", folder)
    full = on_athena("--exclude", "gold", *UNTESTED, tables=BELOW_GOLD)
    # Bronze keeps both versions of a file that changes, so Spark must read the first one too.
    on_spark("run", "--select", "bronze_car_events")
    put_landing(athena, second_batch(tmp_path_factory.mktemp("second")), folder)
    incremental = on_athena(tables=TABLES)
    on_spark("build", *UNTESTED)
    return SimpleNamespace(
        full=full,
        incremental=incremental,
        on_spark={name: read_by_spark(spark, module_schema, layer, name) for layer, name in TABLES},
    )


def read_by_trino(athena, layer: str, name: str) -> SimpleNamespace:
    """Return the rows of a table without its build time, and the column types from Glue."""
    entry = athena.client("glue").get_table(DatabaseName=f"athena_{layer}", Name=name)["Table"]
    types = [(one["Name"], one["Type"]) for one in entry["StorageDescriptor"]["Columns"]]
    names = ", ".join(f'"{column}"' for column, _ in types if column != TABLES[layer, name])
    rows = athena.sql(f"select {names} from {name}", f"athena_{layer}")
    return SimpleNamespace(rows=sorted(rows, key=repr), types=types)


def read_by_spark(spark, schema: str, layer: str, name: str) -> SimpleNamespace:
    """Return the rows and column types of a table of the local build."""
    frame = spark.table(f"{schema}_{layer}.{name}")
    kept = [
        # Athena's timestamps have no time zone.
        F.col(column).cast("timestamp_ntz") if kind == "timestamp" else F.col(column)
        for column, kind in frame.dtypes
        if column != TABLES[layer, name]
    ]
    rows = map(tuple, frame.select(kept).collect())
    return SimpleNamespace(rows=sorted(rows, key=repr), types=frame.dtypes)


def put_landing(athena, files, folder) -> None:
    """Put files into the bucket, and copy them to a folder with their times in the bucket."""
    s3 = athena.client("s3")
    for file in filter(os.path.isfile, files.rglob("*")):
        name = file.relative_to(files).as_posix()
        athena.put(f"landing/{name}", file.read_bytes())
        copy = folder / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(file.read_bytes())
        put = s3.head_object(Bucket=BUCKET, Key=f"landing/{name}")["LastModified"].timestamp()
        os.utime(copy, (put, put))


def second_batch(folder):
    """Write the files that land between the two builds.

    They are: new events with corrupt and duplicate ones among them, a newer and an older version of
    two known events, an empty file, and a changed version of a known file.
    """
    arguments = "--events 40 --cars 3 --seed 7 --format jsonl --duplicates 0.1 --corrupt 0.1"
    generate_landing.main([*arguments.split(), "--out", str(folder / "later")])
    lines = (ROOT / "landing/lines/car_events_00001.jsonl").read_text().splitlines()
    newer, older, *_ = (event for line in lines if (event := parsed(line)))
    newer["processing_timestamp"] = "2026-01-14T00:00:00.5+01:00"
    older["processing_timestamp"] = "2020-01-01T00:00:00Z"
    for event in (newer, older):
        event["vehicle_static_info"]["data"]["color"] = "Corrected"
    (folder / "versions.json").write_text(json.dumps([newer, older]))
    (folder / "empty.json").write_text("")
    (folder / "lines").mkdir()
    (folder / "lines/car_events_00002.jsonl").write_text("\n".join(lines[:3]))
    return folder


def parsed(line: str) -> dict | None:
    """Return the event of a line, or None if the line is not a complete event."""
    try:
        event = json.loads(line)
        return event if {"event_id", "carChassis", "vehicle_static_info"} <= event.keys() else None
    except ValueError:
        return None


@pytest.mark.parametrize("table", [table for _, table in TABLES])
def test_the_same_rows_as_on_spark(builds, table):
    on_athena, on_spark = builds.incremental[table], builds.on_spark[table]
    assert on_athena.types == on_spark.types
    assert on_athena.rows
    assert on_athena.rows == on_spark.rows


def test_the_second_build_was_incremental(builds):
    before, after = builds.full, builds.incremental
    corrected = [
        sum("Corrected" in row for row in found["silver_car_telemetry"].rows)
        for found in (before, after)
    ]
    assert corrected == [0, 1]
    for table in INCREMENTAL:
        assert {*before[table].rows} < {*after[table].rows}


def test_trino_takes_each_compiled_statement(builds, athena, tmp_path):
    """Models and data tests, for a first run and a later one, and the types of the contracts: what
    the gate reads without a server."""
    with environment(**athena.environment, LAKEHOUSE_SCHEMA="athena"):
        compiled = trino_sql.Dbt(ROOT, str(tmp_path))
        statements = compiled.compile_all(compiled.parse())
    of_models = Counter(name.rpartition(": ")[2] for name, _ in statements)
    assert of_models["stg_car_events"] == of_models["silver_rejected_events"] == 2
    assert of_models["contracts"] == 1
    refused = {}
    for name, sql in statements:
        try:
            athena.validate(sql.strip().removesuffix(";"), "default")
        except QueryFailed as error:
            refused[name] = str(error)
    assert refused == {}
    # It would say so.
    with pytest.raises(QueryFailed):
        athena.validate("select no_such_column from athena_gold.gold_car_current_state", "default")


def location(entry: dict) -> str:
    """Return the location of a Glue table within the bucket."""
    return entry["StorageDescriptor"]["Location"].removeprefix(f"s3://{BUCKET}/")


def test_nothing_is_left_over(builds, athena):
    """dbt-athena drops tables through Glue and S3: no temporary table is left in either."""
    entries = [
        entry
        for layer in ("bronze", "silver", "gold")
        for entry in athena.client("glue").get_tables(DatabaseName=f"athena_{layer}")["TableList"]
    ]
    assert sorted(entry["Name"] for entry in entries) == sorted(table for _, table in TABLES)
    folders = [location(entry) for entry in entries]
    # Other tests have tables in the same bucket.
    glue = athena.client("glue")
    others = [
        location(entry)
        for database in glue.get_databases()["DatabaseList"]
        for entry in glue.get_tables(DatabaseName=database["Name"])["TableList"]
    ]
    pages = athena.client("s3").get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    keys = [item["Key"] for page in pages for item in page["Contents"]]
    # Hadoop writes an empty object for each folder. Spark keeps the one for all checkpoints.
    keys = [key for key in keys if key != "results/checkpoints/"]
    # test_athena_front.py leaves a file, and those of tables that only Glue has dropped.
    of_front = ("lines/", "warehouse/fleet/")
    known = ("landing/", "calculations/", *of_front, *(f"{folder}/" for folder in others))
    assert [key for key in keys if not key.startswith(known)] == []
    assert all(any(key.startswith(f"{folder}/") for key in keys) for folder in folders)


def test_glue_has_the_types_and_the_comments(builds, athena):
    glue = athena.client("glue")
    for table, column, kind, comment in [
        ("silver_car_telemetry", "event_timestamp", "timestamp", "Time of the event, UTC."),
        ("gold_car_current_state", "insurance_days_expired", "int", "Whole days since the"),
    ]:
        layer = table.partition("_")[0]
        entry = glue.get_table(DatabaseName=f"athena_{layer}", Name=table)["Table"]
        columns = {one["Name"]: one for one in entry["StorageDescriptor"]["Columns"]}
        assert columns[column]["Type"] == kind
        assert columns[column]["Comment"].startswith(comment)


@pytest.mark.parametrize(("layer", "table"), TABLES)
def test_no_timestamp_has_a_time_zone(builds, athena, layer, table):
    """Athena SQL uses timestamps without a time zone. Spark's default in Python models has one."""
    columns = athena.trino(f"describe {table}", f"athena_{layer}").fetchall()
    assert columns
    assert not [name for name, kind, *_ in columns if "time zone" in kind]
