"""Computes Gold's expected content for the committed `landing/`, without any code of this project.

    python tests/support/expected_landing.py          prints it as JSON
    python tests/support/expected_landing.py --write  writes tests/gold/landing.expected.json

It needs only Python: no Spark, dbt or SQL. It repeats the rules for events and Gold on purpose. Two
implementations that share no code and agree are likely to be correct.
"""

import csv
import io
import json
import re
import sys
from collections import defaultdict
from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import Path

ROOT = Path(__file__).parents[2]
LANDING = ROOT / "landing"
EXPECTED = ROOT / "tests/gold/landing.expected.json"
AS_OF = date(2026, 1, 15)

STATIC = "vehicle_static_info"
INSURANCE = "vehicle_dynamic_state.insurance_info"
SERVICE = "vehicle_dynamic_state.maintenance_info"
RENTAL = "current_rental_agreement"
TRIP = "trip_data.trip_summary"
TELEMETRY = "trip_data.vehicle_telemetry_snapshot"

DISTANCE, FUEL_BURNT, TOP_SPEED = (
    f"{TRIP}.data.{name}" for name in ("tripMileage", "tripFuelLiters", "tripMaxSpeedKm")
)
MILEAGE, FUEL_LEFT, ENGINE, OIL = (
    f"{TELEMETRY}.data.{name}"
    for name in ("currentMileage", "fuelAvailableLiters", "engineTempCelsius", "oilTempCelsius")
)
TANK = f"{STATIC}.data.fuelCapacityLiters"
TIRES = [
    f"{TELEMETRY}.data.tire_pressures_psi.{tire}"
    for tire in ("front_left", "front_right", "rear_left", "rear_right")
]

REQUIRED = ("event_id", "carChassis", "event_primary_timestamp")
TIMES = [
    *("event_primary_timestamp", "processing_timestamp", f"{RENTAL}.data.rental_start_date"),
    *(f"{TRIP}.data.tripStartTimestamp", f"{TRIP}.data.tripEndTimestamp"),
    *(f"{STATIC}.extraction_timestamp", f"{INSURANCE}.extraction_timestamp"),
    *(f"{SERVICE}.extraction_timestamp", f"{RENTAL}.extraction_timestamp"),
    *(f"{TRIP}.extraction_timestamp", f"{TELEMETRY}.extraction_timestamp"),
]
DATES = [f"{INSURANCE}.data.validUntil", f"{SERVICE}.data.last_service_date"]
WHOLE_NUMBERS = [f"{STATIC}.data.year", f"{STATIC}.data.ModelYear"]
NUMBERS = [
    *(TANK, DISTANCE, FUEL_BURNT, TOP_SPEED, f"{TRIP}.data.tripTimeMinutes"),
    *(f"{SERVICE}.data.last_service_mileage", f"{SERVICE}.data.oil_life_percentage"),
    *(MILEAGE, FUEL_LEFT, ENGINE, OIL, f"{TELEMETRY}.data.batteryChargePerc", *TIRES),
]


def records(file: Path) -> list[dict | str]:
    """Return the events of a landing file as dicts by dotted path, and other records as text."""
    content = file.read_text(encoding="utf-8-sig")
    if file.suffix == ".csv":
        header, *rows = filter(None, csv.reader(io.StringIO(content)))
        return [
            {path: value for path, value in zip(header, row, strict=True) if value}
            if len(row) == len(header)
            else ",".join(row)
            for row in rows
        ]
    texts = [content] if file.suffix == ".json" else filter(str.strip, content.splitlines())
    found = []
    for text in texts:
        try:
            value = json.loads(text)
        except ValueError:  # truncated
            value = text
        found += value if isinstance(value, list) and file.suffix == ".json" else [value]
    return [flat(value) if isinstance(value, dict) else str(value) for value in found]


def flat(value: dict, prefix: str = "") -> dict:
    """Flatten a nested object to one dict by dotted path, without nulls."""
    paths = {}
    for name, inner in value.items():
        if isinstance(inner, dict):
            paths |= flat(inner, f"{prefix}{name}.")
        elif inner is not None:
            paths[prefix + name] = inner
    return paths


def typed(event: dict) -> dict:
    """Convert the event's strings to times, dates and numbers.

    Raises:
        ValueError: If a required value is missing or a value cannot be parsed.
    """
    values = dict(event)
    for path in REQUIRED:
        if not str(event.get(path, "")).strip():
            raise ValueError(f"{path} is missing")
    for paths, reader in (
        (TIMES, to_time),
        (DATES, to_date),
        (WHOLE_NUMBERS, to_whole_number),
        (NUMBERS, to_number),
    ):
        for path in paths:
            if path in event:
                values[path] = reader(event[path])
    return values


def to_time(value) -> datetime:
    """Parse a timestamp and convert it to UTC."""
    time = datetime.fromisoformat(re.sub(r"Z$", "+00:00", str(value)))
    if time.tzinfo is None:
        raise ValueError(f"{value} has no zone")
    return time.astimezone(timezone.utc)


def to_date(value) -> date:
    """Parse a date."""
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", str(value)):
        raise ValueError(f"{value} is no date")
    return date.fromisoformat(value)


def to_number(value) -> float:
    """Parse a number."""
    if isinstance(value, bool):
        raise ValueError(f"{value} is no number")
    return float(value)


def to_whole_number(value) -> int:
    """Parse an integer."""
    number = to_number(value)
    if number != int(number):
        raise ValueError(f"{value} is no whole number")
    return int(number)


def newest_versions(events: list[dict]) -> list[dict]:
    """Return the newest version of each event_id, by event time and then processing time."""
    never = datetime.min.replace(tzinfo=timezone.utc)
    newest: dict[str, dict] = {}
    for event in events:
        held = newest.setdefault(event["event_id"], event)
        times = [
            (version["event_primary_timestamp"], version.get("processing_timestamp", never))
            for version in (held, event)
        ]
        if times[1] > times[0]:
            newest[event["event_id"]] = event
        elif times[1] == times[0] and held != event:
            raise SystemExit(f"{event['event_id']} has two versions of one time: choose other data")
    return list(newest.values())


def text(value):
    """Convert a value to a JSON type."""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value


def current_state(events: list[dict]) -> dict[str, dict]:
    """Return the state of each car by its latest event."""
    latest: dict[str, dict] = {}

    def rank(event: dict) -> tuple:
        mileage = event.get(MILEAGE, float("-inf"))
        return event["event_primary_timestamp"], mileage, event["event_id"]

    for event in events:
        car = event["carChassis"]
        latest[car] = max(latest.get(car, event), event, key=rank)
    return {car: state(event) for car, event in latest.items()}


def state(event: dict) -> dict:
    """Return the row of gold_car_current_state without its key and the time of the run."""
    valid_until = event.get(f"{INSURANCE}.data.validUntil")
    left = (valid_until - AS_OF).days if valid_until else None
    if left is None:
        status = None
    elif left < 0:
        status = "EXPIRED"
    else:
        status = "EXPIRING_IN_90_DAYS" if left <= 90 else "ACTIVE"
    row = {
        "manufacturer": event.get(f"{STATIC}.data.Manufacturer"),
        "model": event.get(f"{STATIC}.data.Model"),
        "year": event.get(f"{STATIC}.data.year"),
        "gas_type": event.get(f"{STATIC}.data.gasType"),
        "insurance_provider": event.get(f"{INSURANCE}.data.provider"),
        "insurance_valid_until": valid_until,
        "current_mileage_km": event.get(MILEAGE),
        "fuel_available_liters": event.get(FUEL_LEFT),
        "telemetry_timestamp": event.get(f"{TELEMETRY}.extraction_timestamp"),
        "insurance_status": status,
        "insurance_days_expired": -left if status == "EXPIRED" else None,
        "event_timestamp": event["event_primary_timestamp"],
    }
    return {name: text(value) for name, value in row.items()}


def months(events: list[dict]) -> dict[str, dict]:
    """Return the distance and fuel of the trips for each car and month (UTC)."""
    trips = defaultdict(list)
    for event in events:
        trips[f"{event['carChassis']}|{event['event_primary_timestamp']:%Y-%m}"].append(event)
    return {month: efficiency(of_month) for month, of_month in trips.items()}


def efficiency(events: list[dict]) -> dict:
    """Return the row of gold_fuel_efficiency_monthly without its key and the time of the run."""
    distance, fuel = total(events, DISTANCE), total(events, FUEL_BURNT)
    ratio = distance / fuel if distance is not None and fuel else None
    latest = max(events, key=lambda event: (event["event_primary_timestamp"], event["event_id"]))
    return {
        "manufacturer": latest.get(f"{STATIC}.data.Manufacturer"),
        "model": latest.get(f"{STATIC}.data.Model"),
        "total_km_driven": rounded(distance),
        "total_fuel_liters": rounded(fuel),
        "avg_fuel_efficiency_kmpl": rounded(ratio),
        "trip_count": sum(DISTANCE in event for event in events),
    }


def total(events: list[dict], path: str) -> Decimal | None:
    """Return the exact sum of the values at a path, or None if no event has a value."""
    values = [Decimal(str(event[path])) for event in events if path in event]
    return sum(values, Decimal()) if values else None


def rounded(number: Decimal | None) -> float | None:
    """Round to six decimal places."""
    return None if number is None else round(float(number), 6)


def alerts(events: list[dict]) -> list[list]:
    """Return each alert: car, day of the event, time of the telemetry, type, severity, value."""
    found = []
    for event in events:
        for kind, severity, value in broken_rules(event):
            told_at = event.get(f"{TELEMETRY}.extraction_timestamp")
            day = event["event_primary_timestamp"].date()
            found.append([event["carChassis"], text(day), text(told_at), kind, severity, value])
    return sorted(found, key=repr)


def broken_rules(event: dict):
    """Yield the type, severity and value of each alert of an event."""
    for kind, severity, path, threshold in (
        ("OVERHEAT_ENGINE", "CRITICAL", ENGINE, 100),
        ("OVERHEAT_OIL", "WARNING", OIL, 110),
        ("SPEEDING", "WARNING", TOP_SPEED, 110),
        ("HIGH_MILEAGE", "WARNING", MILEAGE, 100_000),
    ):
        if path in event and event[path] > threshold:
            yield kind, severity, event[path]
    tires = [event[path] for path in TIRES if path in event]
    if tires and min(tires) < 30:
        yield "LOW_TIRE_PRESSURE", "WARNING", min(tires)
    if event.get(TANK, 0) > 0 and FUEL_LEFT in event and event[FUEL_LEFT] < 10:
        yield "LOW_FUEL", "CRITICAL" if event[FUEL_LEFT] < 5 else "WARNING", event[FUEL_LEFT]


def expected(landing: Path) -> dict:
    """Return the expected tables of a build of this folder."""
    landed = [
        (file.relative_to(landing).as_posix(), record)
        for file in sorted(landing.rglob("*.*"))
        for record in records(file)
    ]
    events, rejected = [], set()
    for file, record in landed:
        try:
            events.append(typed(record if isinstance(record, dict) else {}))
        except ValueError:
            rejected.add((file, repr(record)))
    silver = newest_versions(events)
    return {
        "as_of_date": AS_OF.isoformat(),
        "bronze_rows": len(landed),
        "silver_rows": len(silver),
        "rejected_rows": len(rejected),
        "current": dict(sorted(current_state(silver).items())),
        "months": dict(sorted(months(silver).items())),
        "alerts": alerts(silver),
    }


if __name__ == "__main__":
    told = json.dumps(expected(LANDING), ensure_ascii=False, indent=1) + "\n"
    if "--write" in sys.argv:
        EXPECTED.write_text(told, encoding="utf-8")
    else:
        print(told, end="")
