"""The landing generator: reproducible output, a plausible fleet, and realistic defects.

The output is checked with a strict reader that shares no code with the generator.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import subprocess
import sys
from bisect import bisect_right
from collections import defaultdict
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from python_jobs import generate_landing

pytestmark = pytest.mark.quick

PROJECT = Path(__file__).parents[2]

# A real event, with every key in order and a value of each type.
REAL_EVENT = json.loads("""
{
  "event_id": "evt_7115213a-1719-4072-8f7f-6743323c277c",
  "event_primary_timestamp": "2024-04-01T23:00:00Z",
  "processing_timestamp": "2024-04-01T23:00:40Z",
  "carChassis": "HBDov4Vi118KW83eDye7ZD9HkySisuYe6zc68lGgFZG",
  "vehicle_static_info": {
    "extraction_timestamp": "2024-04-01T23:00:37Z",
    "source_system": "fleet_db",
    "data": {"Model": "Versa", "year": 2025, "ModelYear": 2025, "Manufacturer": "Nissan",
             "gasType": "Electric", "fuelCapacityLiters": 0, "color": "Purple"}
  },
  "vehicle_dynamic_state": {
    "insurance_info": {
      "extraction_timestamp": "2024-04-01T23:00:40Z",
      "source_system": "insurance_api",
      "data": {"provider": "Bradesco Seguros", "policy_number": "INS-167964877",
               "validUntil": "2026-01-10"}
    },
    "maintenance_info": {
      "extraction_timestamp": "2024-04-01T23:00:41Z",
      "source_system": "service_db",
      "data": {"last_service_date": "2023-10-19", "last_service_mileage": 0,
               "oil_life_percentage": 51.4}
    }
  },
  "current_rental_agreement": {
    "extraction_timestamp": "2024-04-01T23:00:39Z",
    "source_system": "rental_ops_db",
    "data": {"agreement_id": "RENT-746880", "customer_id": "CUST-8896",
             "rental_start_date": "2024-03-21T00:00:00Z"}
  },
  "trip_data": {
    "trip_summary": {
      "extraction_timestamp": "2024-04-01T22:59:44Z",
      "source_system": "trip_computer",
      "data": {"tripStartTimestamp": "2024-04-01T22:01:00Z",
               "tripEndTimestamp": "2024-04-01T23:00:00Z", "tripMileage": 357.2,
               "tripTimeMinutes": 59, "tripFuelLiters": 0.0, "tripMaxSpeedKm": 179}
    },
    "vehicle_telemetry_snapshot": {
      "extraction_timestamp": "2024-04-01T22:59:43Z",
      "source_system": "can_bus_poller",
      "data": {"currentMileage": 357, "fuelAvailableLiters": 0.0, "engineTempCelsius": 87,
               "oilTempCelsius": 96, "batteryChargePerc": 30,
               "tire_pressures_psi": {"front_left": 32.7, "front_right": 30.2,
                                      "rear_left": 33.8, "rear_right": 30.3}}
    }
  }
}
""")
REQUIRED = ("event_id", "carChassis", "event_primary_timestamp")


def flat(event: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the values of an object by dotted path, in the order of its keys."""
    values: dict[str, Any] = {}
    for key, value in event.items():
        if isinstance(value, dict):
            values |= flat(value, f"{prefix}{key}.")
        else:
            values[prefix + key] = value
    return values


REAL_VALUES = flat(REAL_EVENT)


def check(values: dict[str, Any]) -> dict[str, Any]:
    """Return `values` without nulls.

    Raises:
        ValueError: If a required value is missing or a value has the wrong type.
    """
    values = {path: value for path, value in values.items() if value is not None}
    if missing := [key for key in REQUIRED if key not in values]:
        raise ValueError(f"lacks {missing}")
    for path, value in values.items():
        real = REAL_VALUES[path]
        if isinstance(real, str) != isinstance(value, str):
            raise ValueError(f"{path} is {value!r}")
        if isinstance(real, str) and re.fullmatch(r"\d{4}-.*Z", real):
            datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ")
        elif isinstance(real, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", real):
            date.fromisoformat(value)
    return values


def parse_json(text: str) -> dict[str, Any]:
    event = json.loads(text)
    if not isinstance(event, dict):
        raise ValueError("not an object")
    return check(flat(event))


def parse_cells(cells: dict[str, str]) -> dict[str, Any]:
    def value(path: str, cell: str) -> Any:
        if cell == "":
            return None
        return cell if isinstance(REAL_VALUES[path], str) else json.loads(cell)

    assert list(cells) == list(REAL_VALUES)
    return check({path: value(path, cell) for path, cell in cells.items()})


def read(folder: Path) -> list[dict[str, Any] | None]:
    """Return the records of the landing files in order, with None for an unreadable record."""
    records: list[dict[str, Any] | None] = []
    for path in sorted(folder.rglob("*.*")):
        if path.suffix == ".csv":
            with path.open(encoding="utf-8", newline="") as file:
                raw = [(parse_cells, cells) for cells in csv.DictReader(file, strict=True)]
        elif path.suffix == ".json" and (text := path.read_text("utf-8")).startswith("["):
            raw = [(parse_json, json.dumps(event)) for event in json.loads(text)]
        elif path.suffix == ".json":
            raw = [(parse_json, text)]
        else:
            # splitlines() would split at more characters than JSON Lines does.
            raw = [(parse_json, line) for line in path.read_text("utf-8").split("\n")[:-1]]
        for parse, record in raw:
            try:
                records.append(parse(record))
            except ValueError:
                records.append(None)
    return records


def tree(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture
def make(tmp_path, capsys):
    """Return a function that runs the generator and returns its folder and its counts."""

    def run(name: str, arguments: str) -> tuple[Path, dict[str, int]]:
        out = tmp_path / name
        assert generate_landing.main([*arguments.split(), "--out", str(out)]) == 0
        line = capsys.readouterr().out.replace(str(out), "DIR")
        numbers = re.fullmatch(
            r"(\d+) records in (\d+) files in DIR: (\d+) duplicate, (\d+) corrupt, (\d+) late\n",
            line,
        )
        assert numbers, line
        keys = ("records", "files", "duplicate", "corrupt", "late")
        return out, dict(zip(keys, map(int, numbers.groups()), strict=True))

    return run


ALL_FORMS = pytest.mark.parametrize(
    "form",
    [
        "json --events-per-file 1",
        "json --events-per-file 70",
        "jsonl --events-per-file 70",
        "csv --events-per-file 70",
    ],
)


@ALL_FORMS
def test_same_arguments_give_same_bytes_and_another_seed_does_not(make, form):
    arguments = f"--events 300 --cars 7 --duplicates 0.1 --corrupt 0.1 --format {form}"
    one, _ = make("one", f"{arguments} --seed 1")
    again, _ = make("again", f"{arguments} --seed 1")
    other, _ = make("other", f"{arguments} --seed 2")
    assert tree(one) == tree(again)
    assert tree(one).keys() == tree(other).keys()
    ids = [{record["event_id"] for record in read(out) if record} for out in (one, other)]
    assert ids[0].isdisjoint(ids[1])


def test_bytes_are_the_same_in_each_process(tmp_path):
    for hash_seed, zone in (("1", "UTC"), ("2", "America/Sao_Paulo")):
        subprocess.run(
            [sys.executable, "-m", "python_jobs.generate_landing", "--events", "200", "--cars", "5",
             "--duplicates", "0.1", "--corrupt", "0.1", "--out", str(tmp_path / hash_seed)],
            cwd=PROJECT, check=True, env={**os.environ, "PYTHONHASHSEED": hash_seed, "TZ": zone},
        )  # fmt: skip
    assert tree(tmp_path / "1") == tree(tmp_path / "2")


@ALL_FORMS
@pytest.mark.parametrize("shares", [(0, 0), (0.1, 0.1), (0.35, 0), (0, 1), (0.6, 0.3)])
def test_records_and_shares_are_exact_and_corrupt_ones_unreadable(make, form, shares):
    duplicates, corrupt = shares
    out, counts = make(
        "out",
        f"--events 200 --cars 7 --duplicates {duplicates} --corrupt {corrupt} --format {form}",
    )
    records = read(out)
    good = [record for record in records if record]
    assert len(records) == counts["records"] == 200
    assert len(list(out.iterdir())) == counts["files"] == (200 if form.endswith(" 1") else 3)
    assert 200 - len(good) == counts["corrupt"] == round(200 * corrupt)
    distinct = {record["event_id"] for record in good}
    assert len(good) - len(distinct) == counts["duplicate"] == round(200 * duplicates)


def test_every_way_of_being_corrupt_occurs(make):
    out, _ = make("out", "--events 300 --corrupt 1 --format jsonl")
    seen = defaultdict(int)
    for line in (out / "car_events_00001.jsonl").read_text("utf-8").split("\n")[:-1]:
        try:
            event = json.loads(line)
        except ValueError:
            seen["truncated" if line.startswith("{") else "garbage"] += 1
            continue
        if not isinstance(event, dict):
            seen["scalar"] += 1
            continue
        for key in REQUIRED:
            seen[f"no {key}"] += key not in event
        seen["time"] += event.get("event_primary_timestamp") in (
            "yesterday",
            "2025-02-30T25:61:00Z",
        )
        seen["type"] += "n/a" in flat(event).values()
    assert len(seen) == 8 and min(seen.values()) >= 10, dict(seen)
    assert sum(seen.values()) == 300


def test_duplicates_are_identical_or_later_corrections(make):
    out, counts = make("out", "--events 4000 --cars 20 --duplicates 0.3")
    versions = defaultdict(list)
    for record in read(out):
        versions[record["event_id"]].append(record)
    identical = corrected = 0
    for records in versions.values():
        for before, after in pairwise(records):
            changed = {path for path in before | after if before.get(path) != after.get(path)}
            if changed:
                assert {path.split(".")[-1] for path in changed} == {
                    "processing_timestamp",
                    "batteryChargePerc",
                }
                assert after["processing_timestamp"] > before["processing_timestamp"]
            identical += not changed
            corrected += bool(changed)
    assert identical + corrected == counts["duplicate"] == 1200
    assert 450 < identical < 750


def test_events_arrive_in_order_except_the_late_ones(make):
    out, counts = make("out", "--events 10000 --cars 40 --events-per-file 500")
    newest: list[str] = [""]  # the newest time after each record
    late = far = 0
    for place, record in enumerate(read(out)):
        time = record["event_primary_timestamp"]
        if time < newest[-1]:
            late += 1
            overtaken_at = bisect_right(newest, time) - 1
            far += place - overtaken_at >= 500
            assert record["processing_timestamp"] >= newest[-1]
        newest.append(max(newest[-1], time))
    assert late == counts["late"]
    assert 50 <= late <= 150
    # Late records come at least one file later, except those flushed at the end of the run.
    assert far >= 0.8 * late


def test_an_event_has_the_shape_of_a_real_one(make):
    out, _ = make("out", "--events 3000 --cars 40")
    text = (out / "car_events_00001.jsonl").read_text("utf-8")
    absent = null = 0
    without_rental = [path for path in REAL_VALUES if "rental_agreement" not in path]
    for line in text.splitlines():
        event = json.loads(line)
        # The generator fills a template. Its output must match that of json.dumps.
        assert json.dumps(event, ensure_ascii=False, separators=(",", ":")) == line
        values = flat(event)
        absent += "current_rental_agreement" not in event
        null += None in values.values()
        paths = list(REAL_VALUES) if "current_rental_agreement" in event else without_rental
        assert list(values) == paths
        assert re.fullmatch(r"evt_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", values["event_id"])
        assert re.fullmatch(r"[0-9A-Za-z]{43}", values["carChassis"])
        for path, value in values.items():
            if path.endswith("source_system"):
                assert value == REAL_VALUES[path]
    assert 0.01 < absent / 3000 < 0.15
    assert 0.002 < null / 3000 < 0.03
    assert '"SulAmérica"' in text


def test_a_file_of_one_object_is_pretty_printed(make):
    out, _ = make("out", "--events 30 --cars 3 --format json --events-per-file 1")
    for content in tree(out).values():
        text = content.decode()
        assert text == json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n"


def test_formats_carry_the_same_values(make):
    arguments = "--events 400 --cars 9 --duplicates 0.1 --corrupt 0.1 --events-per-file 50 --format"
    lines = read(make("lines", f"{arguments} jsonl")[0])
    assert read(make("rows", f"{arguments} csv")[0]) == lines
    assert read(make("arrays", f"{arguments} json")[0]) == lines


def test_the_seed_determines_the_fleet_independently_of_its_records(make):
    plain, _ = make("plain", "--events 450 --cars 9 --seed 5")
    broken, _ = make("broken", "--events 500 --cars 9 --seed 5 --duplicates 0.1 --corrupt 0.1")
    known = {record["event_id"] for record in read(plain)}
    assert {record["event_id"] for record in read(broken) if record} <= known


@pytest.mark.parametrize("size", ["--events 12000 --cars 60", "--events 12000 --cars 2"])
def test_fleet_is_plausible(make, size):
    out, _ = make("out", f"{size} --format csv")
    cars = defaultdict(list)
    for record in read(out):
        values = {path.split(".")[-1]: value for path, value in record.items()}
        values["extraction_timestamp"] = record["vehicle_static_info.extraction_timestamp"]
        cars[record["carChassis"]].append(values)
    assert len(cars) == int(size.split()[-1])

    for trips in cars.values():
        trips.sort(key=lambda trip: trip["event_primary_timestamp"])
        for trip in trips:
            km, hours = trip["tripMileage"], trip["tripTimeMinutes"] / 60
            assert trip.get("tripMaxSpeedKm", 999) >= km / hours > 10
            assert trip["tripEndTimestamp"] == trip["event_primary_timestamp"]
            assert trip["tripStartTimestamp"] < trip["tripEndTimestamp"]
            assert trip["processing_timestamp"] > trip["event_primary_timestamp"]
            assert trip.get("rental_start_date", "") <= trip["tripStartTimestamp"]
            assert trip["last_service_mileage"] <= trip["currentMileage"]
            assert 80 <= trip.get("engineTempCelsius", 80) <= 116
            assert 0 <= trip.get("batteryChargePerc", 0) <= 100
            assert 28 <= trip["front_right"] <= 35 and 28 <= trip["rear_left"] <= 35
            if trip["gasType"] == "Electric":
                assert trip["fuelCapacityLiters"] == 0
                assert trip["fuelAvailableLiters"] == 0 and trip["tripFuelLiters"] == 0
            else:
                assert 0 <= trip["fuelAvailableLiters"] <= trip["fuelCapacityLiters"]
                assert 6 < km / trip["tripFuelLiters"] < 30
        refills = 0
        for before, after in pairwise(trips):
            # The odometer grows by the trip distance, up to rounding down.
            grown = after["currentMileage"] - before["currentMileage"]
            assert abs(grown - after["tripMileage"]) < 1
            assert before["tripEndTimestamp"] < after["tripStartTimestamp"]
            assert before["last_service_date"] <= after["last_service_date"]
            assert before["validUntil"] <= after["validUntil"]
            left = before["fuelAvailableLiters"] - after["tripFuelLiters"]
            if after["fuelAvailableLiters"] != pytest.approx(left):
                refills += 1
                filled_to = after["fuelAvailableLiters"] + after["tripFuelLiters"]
                assert left < 10 and filled_to > 0.89 * after["fuelCapacityLiters"]
        assert refills or trips[0]["gasType"] == "Electric"


def test_the_fleet_has_rows_for_each_kpi(make):
    out, _ = make("out", "--events 6000 --cars 300")
    as_of, latest, share = "2026-01-15", {}, defaultdict(float)
    for record in read(out):
        values = {path.split(".")[-1]: value for path, value in record.items()}
        latest[values["carChassis"]] = values
        tyres = [value for path, value in record.items() if "tire_pressures" in path]
        share["engine"] += values.get("engineTempCelsius", 0) > 100
        share["oil"] += values.get("oilTempCelsius", 0) > 110
        share["speed"] += values.get("tripMaxSpeedKm", 0) > 110
        share["mileage"] += values["currentMileage"] > 100_000
        share["tyres"] += min(tyres) < 30
        fuelled = values["fuelCapacityLiters"] > 0
        share["low fuel"] += fuelled and values["fuelAvailableLiters"] < 10
        share["very low fuel"] += fuelled and values["fuelAvailableLiters"] < 5
    for alert, number in share.items():
        assert 0.005 < number / 6000 < 0.3, alert
    ends = [values["validUntil"] for values in latest.values()]
    assert len(ends) == 300
    assert sum(end < as_of for end in ends) > 15
    assert sum(as_of <= end <= "2026-04-15" for end in ends) > 15
    assert sum(end > "2026-04-15" for end in ends) > 15
    assert len({values["Model"] for values in latest.values()}) >= 12


def test_runs_without_events_and_over_older_files(make):
    out, counts = make("out", "--events 0")
    assert list(out.iterdir()) == [] and counts["files"] == 0
    make("out", "--events 50 --seed 1")
    make("out", "--events 20 --seed 2")
    assert len(read(out)) == 20


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--events -1", ["--events", "'-1'", "0 or more"]),
        ("--events many", ["--events", "'many'", "whole number"]),
        ("--events 1 --cars 0", ["--cars", "'0'", "1 or more"]),
        ("--events 1 --events-per-file 0", ["--events-per-file", "1 or more"]),
        ("--events 1 --seed -4", ["--seed", "0 or more"]),
        ("--events 1 --duplicates 1.5", ["--duplicates", "'1.5'", "from 0 to 1"]),
        ("--events 1 --corrupt -0.1", ["--corrupt", "'-0.1'", "from 0 to 1"]),
        ("--events 1 --corrupt nan", ["--corrupt", "'nan'", "from 0 to 1"]),
        ("--events 9 --duplicates 0.5 --corrupt 0.5", ["--duplicates", "--corrupt", "below 1"]),
        ("--events 1 --format xml", ["--format", "xml", "jsonl"]),
    ],
)
def test_wrong_arguments_are_reported(tmp_path, capsys, arguments, words):
    with pytest.raises(SystemExit) as stop:
        generate_landing.main([*arguments.split(), "--out", str(tmp_path / "out")])
    assert stop.value.code == 2
    usage, line = capsys.readouterr().err.splitlines()
    assert usage.startswith("usage:")
    assert all(word in line for word in words), line
    assert not (tmp_path / "out").exists()


def test_out_that_cannot_be_a_folder_is_reported(tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(SystemExit):
        generate_landing.main(["--events", "1", "--out", str(tmp_path / "file")])
    assert "is not a folder" in capsys.readouterr().err
    with pytest.raises(SystemExit, match=r"--out .* cannot be written"):
        generate_landing.main(["--events", "1", "--out", str(tmp_path / "file" / "below")])
    assert (tmp_path / "file").read_text() == "mine"


def test_the_committed_sample_is_what_the_commands_make(tmp_path, monkeypatch):
    commands = re.findall(
        r"python -m python_jobs\.generate_landing (.*)",
        generate_landing.__doc__.replace("\\\n", ""),
    )
    assert len(commands) == 4
    monkeypatch.chdir(tmp_path)
    for command in commands:
        generate_landing.main(shlex.split(command))
    made, committed = tree(tmp_path / "landing"), tree(PROJECT / "landing")
    assert made.keys() == committed.keys()
    assert [name for name in made if made[name] != committed[name]] == []


def test_the_committed_sample_has_some_of_everything():
    records = read(PROJECT / "landing")
    good = [record for record in records if record]
    assert (len(records), len(good), len({record["event_id"] for record in good})) == (
        200,
        184,
        174,
    )
    assert len({record["carChassis"] for record in good}) == 12
    assert {path.suffix for path in (PROJECT / "landing").rglob("*.*")} == {
        ".json",
        ".jsonl",
        ".csv",
    }
    assert sum(map(len, tree(PROJECT / "landing").values())) < 600_000
