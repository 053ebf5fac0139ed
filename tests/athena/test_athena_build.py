"""This project on the double of Athena: a full build and an incremental one end as on Spark.

tests/support/athena_double says what that shows, and what it does not.
"""

import json
from types import SimpleNamespace

import pytest

from python_jobs import generate_landing
from tests.support.athena_double.double import athena
from tests.support.dbt_runner import ROOT

BUCKET = "lakehouse"
# Each table, and the columns that tell when a build ran, which is another time on each engine.
TABLES = {
    ("bronze", "bronze_car_events"): {"ingested_at"},
    ("silver", "alert_rules"): set(),
    ("silver", "stg_car_events"): {"ingested_at"},
    ("silver", "silver_car_telemetry"): {"ingested_at"},
    ("silver", "silver_rejected_events"): {"ingested_at"},
    ("gold", "gold_car_current_state"): {"gold_processing_timestamp"},
    ("gold", "gold_fuel_efficiency_monthly"): {"processing_timestamp"},
    ("gold", "gold_performance_alerts"): {"alert_generated_timestamp"},
}
VARIABLES = {"as_of_date": "2026-01-15"}


@pytest.fixture(scope="module")
def double(spark, tmp_path_factory):
    with athena(spark, tmp_path_factory.mktemp("athena") / "bucket", BUCKET) as double:
        yield double


@pytest.fixture(scope="module")
def build(double, dbt, tmp_path_factory):
    """A function that builds on both: Athena's double, with all tests, and Spark, beside it."""
    home = tmp_path_factory.mktemp("dbt")

    def run() -> str:
        on_athena = double.dbt(
            *("build", "--target", "athena", "--project-dir", ROOT, "--profiles-dir", ROOT),
            *("--target-path", home / "target", "--log-path", home / "logs"),
            *("--vars", json.dumps({**VARIABLES, "landing_path": f"s3://{BUCKET}/landing"})),
            LAKEHOUSE_ATHENA_RESULTS=f"s3://{BUCKET}/results/",
            LAKEHOUSE_ATHENA_DATA=f"s3://{BUCKET}/warehouse/",
        )
        assert on_athena.returncode == 0, on_athena.stdout
        # The files of the bucket: their times are part of what is compared.
        landing = str(double.bucket.folder / "landing")
        only_tables = ("--exclude-resource-type", "test", "unit_test")
        on_spark = dbt("build", *only_tables, schema="beside", landing_path=landing, **VARIABLES)
        assert on_spark.success, on_spark.text
        return on_athena.stdout

    return run


@pytest.fixture(scope="module")
def builds(double, build, spark, tmp_path_factory):
    """Both builds, the full one and the incremental one: after each, the rows of each table on
    Athena and on Spark, as texts (on Spark a timestamp has a time zone), and what dbt said."""

    def rows(frame, but_for: set[str]) -> list[dict]:
        kept = [column for column in frame.columns if column not in but_for]
        texts = frame.selectExpr(*[f"cast(`{column}` as string) `{column}`" for column in kept])
        found = [row.asDict() for row in texts.collect()]
        return sorted(found, key=lambda row: tuple(map(str, row.values())))

    def after(said: str) -> SimpleNamespace:
        on_athena, on_spark = {}, {}
        for (layer, table), but_for in TABLES.items():
            frame = double.tables.spark.table(f"athena_{layer}.{table}")
            on_athena[table] = rows(frame, but_for)
            on_spark[table] = rows(spark.table(f"beside_{layer}.{table}"), but_for)
        return SimpleNamespace(said=said, on_athena=on_athena, on_spark=on_spark)

    put_landing(double, ROOT / "landing")
    full = after(build())
    put_landing(double, second_batch(tmp_path_factory.mktemp("second")))
    return SimpleNamespace(full=full, incremental=after(build()))


def put_landing(double, folder) -> None:
    for file in folder.rglob("*.*"):
        key = f"landing/{file.relative_to(folder).as_posix()}"
        double.bucket.s3.put_object(Bucket=BUCKET, Key=key, Body=file.read_bytes())


def second_batch(folder):
    """New events, broken and repeated ones among them; of two events that are there already, one
    newer version and one older; an empty file; and one that is there, changed."""
    arguments = "--events 40 --cars 3 --seed 7 --format jsonl --duplicates 0.1 --corrupt 0.1"
    generate_landing.main([*arguments.split(), "--out", str(folder / "later")])
    lines = (ROOT / "landing/lines/car_events_00001.jsonl").read_text().splitlines()
    newer, older, *_ = (event for line in lines if (event := read(line)))
    newer["processing_timestamp"] = "2026-01-14T00:00:00.5+01:00"
    older["processing_timestamp"] = "2020-01-01T00:00:00Z"
    for event in (newer, older):
        event["vehicle_static_info"]["data"]["color"] = "Corrected"
    (folder / "versions.json").write_text(json.dumps([newer, older]))
    (folder / "empty.json").write_text("")
    (folder / "lines").mkdir()
    (folder / "lines/car_events_00002.jsonl").write_text("\n".join(lines[:3]))
    return folder


def read(line: str) -> dict | None:
    """The event of a line that is one."""
    try:
        event = json.loads(line)
        return event if {"event_id", "carChassis", "vehicle_static_info"} <= event.keys() else None
    except ValueError:
        return None


@pytest.mark.parametrize("table", [table for _, table in TABLES])
@pytest.mark.parametrize("which", ["full", "incremental"])
def test_the_same_rows_as_on_spark(builds, which, table):
    found = getattr(builds, which)
    assert found.on_athena[table]
    assert found.on_athena[table] == found.on_spark[table]


def test_the_second_build_was_incremental(builds):
    colors = [
        sum(row["color"] == "Corrected" for row in found.on_athena["silver_car_telemetry"])
        for found in (builds.full, builds.incremental)
    ]
    assert colors == [0, 1]
    for table in ("bronze_car_events", "stg_car_events", "silver_rejected_events"):
        before, after = builds.full.on_athena[table], builds.incremental.on_athena[table]
        assert all(row in after for row in before) and len(after) > len(before)


def test_nothing_is_left_over(builds, double):
    """dbt-athena drops by way of Glue and S3: what it has made on the way is gone from both."""
    entries = [
        entry
        for layer in ("bronze", "silver", "gold")
        for entry in double.client("glue").get_tables(DatabaseName=f"athena_{layer}")["TableList"]
    ]
    assert sorted(entry["Name"] for entry in entries) == sorted(table for _, table in TABLES)
    folders = [
        entry["StorageDescriptor"]["Location"].removeprefix(f"s3://{BUCKET}/") for entry in entries
    ]
    pages = double.client("s3").get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    keys = [item["Key"] for page in pages for item in page["Contents"]]
    known = ("landing/", "calculations/", *(f"{folder}/" for folder in folders))
    assert [key for key in keys if not key.startswith(known)] == []
    assert all(any(key.startswith(f"{folder}/") for key in keys) for folder in folders)


def test_glue_has_the_types_and_the_comments(builds, double):
    glue = double.client("glue")
    for table, column, kind, comment in [
        ("silver_car_telemetry", "event_timestamp", "timestamp", "When the event happened, UTC."),
        ("gold_car_current_state", "insurance_days_expired", "int", "Whole days since the"),
    ]:
        layer = table.partition("_")[0]
        entry = glue.get_table(DatabaseName=f"athena_{layer}", Name=table)["Table"]
        columns = {one["Name"]: one for one in entry["StorageDescriptor"]["Columns"]}
        assert columns[column]["Type"] == kind
        assert columns[column]["Comment"].startswith(comment)


@pytest.mark.parametrize(("layer", "table"), TABLES)
def test_no_timestamp_has_a_time_zone(builds, double, layer, table):
    """As Athena's SQL has them: also in what Python models write, which is Spark's own default."""
    kinds = double.tables.columns(f"athena_{layer}", table).values()
    assert "timestamptz" not in kinds
