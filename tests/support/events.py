"""Events as JSON, and the names of the tables that a build creates from them."""

import json

STATIC = "vehicle_static_info.data"
TRIP = "trip_data.trip_summary.data"
TELEMETRY = "trip_data.vehicle_telemetry_snapshot.data"
COLOR, YEAR, MILEAGE = f"{STATIC}.color", f"{STATIC}.year", f"{TELEMETRY}.currentMileage"
VALID_UNTIL = "vehicle_dynamic_state.insurance_info.data.validUntil"

# Unit tests do not depend on the landing files.
BUILD = ("build", "--exclude-resource-type", "unit_test")
AS_OF = {"as_of_date": "2026-01-15"}
GOLD = ("gold_car_current_state", "gold_fuel_efficiency_monthly", "gold_performance_alerts")
SILVER = ("silver_car_telemetry", "silver_rejected_events")
RUN_TIMES = ("gold_processing_timestamp", "processing_timestamp", "alert_generated_timestamp")


def event(event_id, changes=None, **top_level):
    """Return an event as JSON.

    Args:
        event_id: The event's id.
        changes: Values by dotted path.
        top_level: Values by top-level key.
    """
    made = {
        "event_id": event_id,
        "carChassis": "car",
        "event_primary_timestamp": "2025-11-04T14:30:00Z",
        **top_level,
    }
    for path, value in (changes or {}).items():
        *parents, name = path.split(".")
        place = made
        for parent in parents:
            place = place.setdefault(parent, {})
        place[name] = value
    return json.dumps(made, ensure_ascii=False)


def without_columns(rows, *names):
    """Return the rows without some columns, sorted by the others."""
    kept = [{name: value for name, value in row.items() if name not in names} for row in rows]
    return sorted(kept, key=str)
