"""A build of real events, against values that a program without code of this project worked out."""

import json
from collections import Counter

import pytest

from tests.support.dbt_runner import EXAMPLES

pytestmark = pytest.mark.skipif(
    not EXAMPLES.is_dir(), reason="the real landing examples are not here"
)


@pytest.fixture(scope="module")
def expected():
    return json.loads(EXAMPLES.with_suffix(".expected.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def built(dbt):
    result = dbt("build", schema="examples", landing_path=str(EXAMPLES), as_of_date="2026-01-15")
    assert result.success, result.text
    return result


def as_text(value):
    return value.isoformat().replace("+00:00", "Z") if hasattr(value, "isoformat") else value


def test_current_state(built, read, expected):
    rows = {row["car_chassis"]: row for row in read("examples_gold", "gold_car_current_state")}
    assert len(rows) == expected["cars"]
    found = {
        car: {name: as_text(rows[car][name]) for name in values}
        for car, values in expected["current"].items()
    }
    assert found == expected["current"]


def test_fuel_efficiency(built, read, expected):
    rows = read("examples_gold", "gold_fuel_efficiency_monthly")
    found = {
        f"{row['car_chassis']}|{row['year_month']}": {
            name: round(row[name], 6) if isinstance(row[name], float) else row[name]
            for name in next(iter(expected["months"].values()))
        }
        for row in rows
    }
    assert found == expected["months"]


def test_alerts(built, read, expected):
    rows = read("examples_gold", "gold_performance_alerts")
    counts = Counter(
        name
        for row in rows
        for name in (row["alert_type"], f"{row['alert_type']}/{row['alert_severity']}")
    )
    assert {name: counts[name] for name in expected["alerts"]} == expected["alerts"]
    assert {row["alert_type"] for row in rows} == {
        name.split("/")[0] for name in expected["alerts"]
    }


def test_silver_holds_every_event(built, read, expected):
    assert len(read("examples_silver", "silver_car_telemetry")) == expected["silver_rows"]
    assert read("examples_silver", "silver_rejected_events") == []


def test_end_of_build_tells_what_is_in_gold(built, expected):
    summary = [line.split() for line in built.text.splitlines() if "examples_gold.gold_" in line]
    assert [
        "examples_gold.gold_car_current_state",
        str(expected["cars"]),
        "2025-09-16",
        "00:00:00",
    ] in summary
