"""New records are found by build and file version, because clocks can be wrong."""

import os
from datetime import datetime, timezone
from types import SimpleNamespace

import pytest
from pyspark.sql import functions as F

from tests.support.events import AS_OF, event
from tests.support.models import python_model
from tests.support.zones import time_zone

MODELS = ("bronze_car_events", "stg_car_events", "silver_car_telemetry", "silver_rejected_events")
# 02:15 in Berlin, for the first of two times that day.
TWICE = datetime(2026, 10, 25, 0, 15, tzinfo=timezone.utc)


@pytest.fixture
def in_berlin():
    """Set the time zone to Berlin, where the hour from 2 to 3 occurs twice on that day."""
    with time_zone("Europe/Berlin"):
        yield


@pytest.mark.slow
def test_a_late_commit_and_an_hour_that_comes_twice(dbt, read, spark, tmp_path, schema, in_berlin):
    def build():
        options = {"landing_path": str(tmp_path), **AS_OF}
        result = dbt("run", "--select", *MODELS, schema=schema, **options)
        assert result.success, result.text

    def ids(layer, table):
        return sorted(str(row["event_id"]) for row in read(f"{schema}_{layer}", table))

    (tmp_path / "a.json").write_text(event("a"))
    (tmp_path / "b.jsonl").write_text(event("b") + "\n{")
    for name in ("a.json", "b.jsonl"):
        os.utime(tmp_path / name, (TWICE.timestamp(),) * 2)
    build()
    bronze = read(f"{schema}_bronze", "bronze_car_events")
    assert {row["file_modified_at"] for row in bronze} == {TWICE}
    build()
    assert read(f"{schema}_bronze", "bronze_car_events") == bronze

    # A build that started before the others but commits after them.
    late = """
        select concat('late ', record_id) as record_id, source_file, file_modified_at,
            file_size_bytes, record_number, replace(raw_record, '"b"', '"late"') as raw_record,
            csv_as_json, read_error, ingested_at - interval 400 days as ingested_at
        from {0} where source_file = 'b.jsonl'"""
    table = f"{schema}_bronze.bronze_car_events"
    spark.sql(f"insert into {table} {late.format(table)}")
    build()
    assert ids("silver", "stg_car_events") == ["None", "None", "a", "b", "late"]
    assert ids("silver", "silver_car_telemetry") == ["a", "b", "late"]
    build()
    assert len(read(f"{schema}_silver", "stg_car_events")) == 5


def test_a_record_of_no_file_stops_the_build(spark, tmp_path):
    """Spark may report the path of a file in a form that the model does not expect."""
    bronze = python_model("bronze/bronze_car_events")
    (tmp_path / "a.jsonl").write_text(event("a"))
    files = (
        spark.read.format("binaryFile").load(str(tmp_path)).withColumn("relative_path", F.lit("a"))
    )
    dbt = SimpleNamespace(
        source=lambda *_: files,
        config=SimpleNamespace(get=lambda _: "2026-01-15T00:00:00+00:00"),
        is_incremental=False,
    )
    assert [row.source_file for row in bronze.model(dbt, spark).collect()] == ["a"]
    bronze.PATH = "'file:/nowhere' as path"
    with pytest.raises(Exception, match="a record of no file: file:/nowhere"):
        bronze.model(dbt, spark).collect()
