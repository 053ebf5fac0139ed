"""Rejected events are replayed as docs/operations.md says: fix the file, or fix the parsing."""

import pytest

from tests.support.dbt_runner import ROOT
from tests.support.published import BUILD_TABLES

BROKEN = '{"event_id": "e1", "carChassis": "c1", "event_primary_timestamp": "2026-01-02"}\n'
WHOLE = BROKEN.replace("2026-01-02", "2026-01-02T03:04:05Z")
GOOD = (ROOT / "landing/lines/car_events_00001.jsonl").read_text()


@pytest.mark.slow
def test_a_corrected_file_and_a_corrected_reading(dbt, read, tmp_path, schema):
    variables = {"landing_path": str(tmp_path), "as_of_date": "2026-01-15"}

    def build(*args):
        result = dbt(*BUILD_TABLES, *args, schema=schema, **variables)
        assert result.success, result.text

    def events():
        return sorted(row["event_id"] for row in read(f"{schema}_silver", "silver_car_telemetry"))

    def rejected():
        return sorted(
            row["raw_record"] for row in read(f"{schema}_silver", "silver_rejected_events")
        )

    (tmp_path / "good.jsonl").write_text(GOOD)
    (tmp_path / "bad.jsonl").write_text(BROKEN)
    build()
    others, also_rejected = events(), rejected()
    assert "e1" not in others
    assert BROKEN.strip() in also_rejected

    # The file is corrected.
    (tmp_path / "bad.jsonl").write_text(WHOLE)
    build()
    assert events() == sorted([*others, "e1"])
    assert rejected() == also_rejected  # a rejected record stays in the table
    gold = read(f"{schema}_gold", "gold_car_current_state")

    # As after a corrected parser: Silver reads all of Bronze again.
    build("--full-refresh", "--select", "stg_car_events+")
    assert events() == sorted([*others, "e1"])
    assert rejected() == also_rejected

    def state(rows):
        return sorted((row["car_chassis"], row["current_mileage_km"]) for row in rows)

    assert state(read(f"{schema}_gold", "gold_car_current_state")) == state(gold)
