r"""Generates landing files: the events of a plausible fleet of cars, reproducibly.

Each event reports one trip of one car. Odometers grow, fuel is used and refilled, insurances
expire and are renewed, rentals change, and one event in a hundred arrives late. Optionally, some
records repeat earlier ones and some are corrupt, as in real feeds. `--events` is the total number
of records, including duplicates and corrupt records. The same arguments give the same bytes.

The history ends near 2025-12-31 and begins at 2024-01-01 at the earliest. A car has between one
event per week and one per hour. With more than 17 000 events per car, the events go on into the
future.

The committed sample in `landing/` is the result of these commands, run in the project's folder:

    python -m python_jobs.generate_landing --events 10 --cars 2 --seed 168 --out landing/objects \
        --format json --events-per-file 1 --duplicates 0.1 --corrupt 0.1
    python -m python_jobs.generate_landing --events 60 --cars 3 --seed 282 --out landing/arrays \
        --format json --events-per-file 30 --duplicates 0.05 --corrupt 0.05
    python -m python_jobs.generate_landing --events 80 --cars 4 --seed 675 --out landing/lines \
        --format jsonl --events-per-file 40 --duplicates 0.05 --corrupt 0.1
    python -m python_jobs.generate_landing --events 50 --cars 3 --seed 479 --out landing/tables \
        --format csv --duplicates 0.04 --corrupt 0.08
"""

from __future__ import annotations

import argparse
import csv
import heapq
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, TextIO, TypeVar

T = TypeVar("T")

# ---- the shape of an event --------------------------------------------------------------------

TEXT, NUMBER = "%s", "#"


def fields(names: str) -> dict[str, Any]:
    """Return the shape of the blank-separated `names`. A name that ends with # is a number."""
    return {name.rstrip("#"): NUMBER if name.endswith("#") else TEXT for name in names.split()}


def extract(names: str, **more: Any) -> dict[str, Any]:
    """Return fields as each source system delivers them: with the time and the source."""
    return {**fields("extraction_timestamp source_system"), "data": {**fields(names), **more}}


SHAPE: dict[str, Any] = {
    **fields("event_id event_primary_timestamp processing_timestamp carChassis"),
    "vehicle_static_info": extract(
        "Model year# ModelYear# Manufacturer gasType fuelCapacityLiters# color"
    ),
    "vehicle_dynamic_state": {
        "insurance_info": extract("provider policy_number validUntil"),
        "maintenance_info": extract("last_service_date last_service_mileage# oil_life_percentage#"),
    },
    "current_rental_agreement": extract("agreement_id customer_id rental_start_date"),
    "trip_data": {
        "trip_summary": extract(
            "tripStartTimestamp tripEndTimestamp"
            " tripMileage# tripTimeMinutes# tripFuelLiters# tripMaxSpeedKm#"
        ),
        "vehicle_telemetry_snapshot": extract(
            "currentMileage# fuelAvailableLiters# engineTempCelsius# oilTempCelsius#"
            " batteryChargePerc#",
            tire_pressures_psi=fields("front_left# front_right# rear_left# rear_right#"),
        ),
    },
}


def leaf_paths(shape: dict[str, Any], prefix: str = "") -> list[str]:
    """Return the dotted paths of all values of `shape`, in order."""
    paths: list[str] = []
    for key, inner in shape.items():
        path = prefix + key
        paths += leaf_paths(inner, path + ".") if isinstance(inner, dict) else [path]
    return paths


LEAVES = leaf_paths(SHAPE)
# An event is a flat list of values in the order of LEAVES, until a writer formats it.
Values = list[Any]


def leaf(name: str) -> int:
    """Return the position of the value whose last key is `name`."""
    return next(i for i, path in enumerate(LEAVES) if path.split(".")[-1] == name)


EVENT_ID, PROCESSED, BATTERY = map(leaf, ("event_id", "processing_timestamp", "batteryChargePerc"))
# Values that a sensor or a source system sometimes does not report.
FORGETFUL = list(map(leaf, ("color", "provider", "oil_life_percentage", "tripMaxSpeedKm")))
FORGETFUL += list(map(leaf, ("engineTempCelsius", "batteryChargePerc", "front_left", "rear_right")))
# Values that make a record unreadable. None leaves the key out.
BAD_VALUES = [
    (leaf("event_id"), None),
    (leaf("carChassis"), None),
    (leaf("event_primary_timestamp"), None),
    (leaf("event_primary_timestamp"), "2025-02-30T25:61:00Z"),
    (leaf("event_primary_timestamp"), "yesterday"),
    (leaf("tripMileage"), "n/a"),
    (leaf("currentMileage"), "n/a"),
]

# ---- the fleet --------------------------------------------------------------------------------

# No text below contains a quote or a backslash: the templates of the writers rely on it.
MODELS = [  # model, manufacturer, gas type, litres of the tank
    ("Onix", "Chevrolet", "Flex", 44),
    ("HB20 Sedan", "Hyundai", "Flex", 50),
    ("Strada", "Fiat", "Flex", 55),
    ("T-Cross", "Volkswagen", "Flex", 52),
    ("Polo", "Volkswagen", "Gas", 52),
    ("Civic", "Honda", "Gas", 56),
    ("C3", "Citroën", "Gas", 47),
    ("Duster", "Renault", "Ethanol", 50),
    ("Compass", "Jeep", "Ethanol", 60),
    ("Corolla", "Toyota", "Hybrid", 43),
    ("Haval H6", "GWM", "Hybrid", 61),
    ("Leaf", "Nissan", "Electric", 0),
    ("Dolphin", "BYD", "Electric", 0),
]
# An electric car's tank is its battery: 100 percent of charge, 4 km each.
KM_PER_UNIT = {"Flex": 10.0, "Gas": 12.0, "Ethanol": 8.0, "Hybrid": 18.0, "Electric": 4.0}
COLORS = ["White", "Black", "Silver", "Gray", "Red", "Blue", "Purple", "Orange", "Yellow"]
INSURERS = [
    "SulAmérica",
    "Bradesco Seguros",
    "Azul Seguros",
    "Allianz",
    "Itaú Seguros",
    "Liberty Seguros, S.A.",  # with a comma, so that a CSV file needs quotes
]
BASE62 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
NOT_RENTED = (None,) * 5

DAY = 86_400
HISTORY_START = (date(2024, 1, 1) - date(1970, 1, 1)).days * DAY
HISTORY_END = (date(2025, 12, 31) - date(1970, 1, 1)).days * DAY
CLOCK = [f"T{h:02}:{m:02}:{s:02}Z" for h in range(24) for m in range(60) for s in range(60)]


@lru_cache(maxsize=10_000)
def date_text(day: int) -> str:
    """Return the ISO date of the `day`-th day since 1970-01-01."""
    return date.fromordinal(719_163 + day).isoformat()


def iso(time: int) -> str:
    """Return `time` in seconds since 1970 as ISO 8601 in UTC. (strftime would be too slow.)"""
    day, second = divmod(time, DAY)
    return date_text(day) + CLOCK[second]


def pick(rng: Random, options: Sequence[T]) -> T:
    """Return one of `options`. (choice() may differ between Python versions.)"""
    return options[int(rng.random() * len(options))]


def new_event_id(rng: Random) -> str:
    """Return `evt_` and a version 4 UUID."""
    bits = f"{rng.getrandbits(128):032x}"
    return f"evt_{bits[:8]}-{bits[8:12]}-4{bits[13:16]}-a{bits[17:20]}-{bits[20:]}"


class Event(NamedTuple):
    """An event: its values, when it happened and when it was processed (seconds since 1970)."""

    time: int
    processed: int
    values: Values


class Car:
    """A car, whose state changes with its trips.

    Kilometres, litres and psi are counted in tenths, so that sums are exact and the reported
    numbers have one decimal place.

    Args:
        rng: The random number generator.
        start: Seconds since 1970.
        step: The mean number of minutes between events.
    """

    def __init__(self, rng: Random, start: int, step: float) -> None:
        self.rng, self.step = rng, step
        self.time = start + 60 * int(step * rng.random())  # the time of its next event
        self.gap = int(step)  # minutes since the previous event
        today = self.time // DAY
        model, manufacturer, gas, litres = pick(rng, MODELS)
        year = 2018 + int(6 * rng.random())
        model_year = year + (rng.random() < 0.3)
        color = pick(rng, COLORS)
        self.chassis = "".join(pick(rng, BASE62) for _ in range(43))
        self.static = (model, year, model_year, manufacturer, gas, litres, color)
        self.electric = gas == "Electric"
        self.km_per_unit = KM_PER_UNIT[gas]
        self.capacity = 10 * (litres or 100)
        self.tank = int(self.capacity * (0.3 + 0.7 * rng.random()))
        self.odometer = int((2024 - year) * 200_000 * rng.random())
        self.serviced = (today - int(150 * rng.random()), int(self.odometer * 0.9))
        self.tyres = [300 + int(50 * rng.random()) for _ in range(4)]
        self.insure(today + int(365 * rng.random()))
        self.rental: tuple[str, str, str] | None = None
        self.rental_ends = today

    def insure(self, until: int) -> None:
        """Take out a policy until the day `until`. Half of the fleet renews too late."""
        rng = self.rng
        policy = f"INS-{100_000_000 + int(900_000_000 * rng.random())}"
        self.insurance = (pick(rng, INSURERS), policy, date_text(until))
        self.renewal = until + int(180 * max(0.0, 2 * rng.random() - 1))

    def rent(self, today: int) -> None:
        """Rent the car to the next customer for up to a month, or to nobody."""
        rng = self.rng
        self.rental_ends = today + 1 + int(30 * rng.random())
        self.rental = None
        if rng.random() > 0.06:
            agreement = f"RENT-{100_000 + int(900_000 * rng.random())}"
            customer = f"CUST-{1000 + int(9000 * rng.random())}"
            self.rental = (agreement, customer, date_text(today) + "T00:00:00Z")

    def burn(self, km: int) -> int:
        """Use the fuel for `km` tenths of a kilometre, and return the amount.

        The tank is first refilled if too little would be left.
        """
        random = self.rng.random
        used = int(km / (self.km_per_unit * (0.85 + 0.3 * random())))
        if self.tank - used < 10 + 90 * random():
            self.tank = int(self.capacity * (0.9 + 0.1 * random()))
        self.tank -= used
        return used

    def roll(self) -> None:
        """Let the tyres lose some air. Soft tyres are inflated after a while."""
        random = self.rng.random
        softest = min(self.tyres)
        if softest < 285 or (softest < 300 and random() < 0.3):
            self.tyres = [330 + int(20 * random()) for _ in range(4)]
        self.tyres = [psi - int(4 * random()) for psi in self.tyres]

    def drive(self) -> Event:
        """Drive the trip that ends at `self.time`, and return its event."""
        random, time = self.rng.random, self.time
        minutes = int(min(15 + 225 * random(), 0.8 * self.gap))
        started = time - 60 * minutes
        today = started // DAY
        if today > self.renewal:
            self.insure(today + 365)
        if today >= self.rental_ends:
            self.rent(today)
        if self.odometer - self.serviced[1] > 100_000 or today - self.serviced[0] > 270:
            self.serviced = (today, self.odometer)

        speed = 20 + 55 * random()
        top_speed = int(speed * (1.2 + 0.8 * random())) + 1
        km = int(speed * minutes / 6)
        self.odometer += km
        used = self.burn(km)
        self.roll()
        heat = random() ** 3
        oil_life = max(0, 1000 - (self.odometer - self.serviced[1]) // 120)
        battery = self.tank // 10 if self.electric else 60 + int(41 * random())

        static_at = time + 25 + int(26 * random())
        processed = time + 30 + int(91 * random())
        event_time = iso(time)
        rental: tuple = NOT_RENTED
        if self.rental:
            rental = (iso(static_at + 2), "rental_ops_db", *self.rental)
        values = [
            new_event_id(self.rng), event_time, iso(processed), self.chassis,
            iso(static_at), "fleet_db", *self.static,
            iso(static_at + 3), "insurance_api", *self.insurance,
            iso(static_at + 4), "service_db",
            date_text(self.serviced[0]), self.serviced[1] // 10, oil_life / 10,
            *rental,
            iso(static_at - 53), "trip_computer", iso(started), event_time,
            km / 10, minutes, 0.0 if self.electric else used / 10, top_speed,
            iso(static_at - 54), "can_bus_poller",
            self.odometer // 10, 0 if self.electric else self.tank / 10,
            80 + int(36 * heat), 86 + int(30 * heat + 12 * random()), battery,
            *(psi / 10 for psi in self.tyres),
        ]  # fmt: skip
        if random() < 0.01:
            values[pick(self.rng, FORGETFUL)] = None

        self.gap = int(self.step * (0.5 + random()))
        self.time += 60 * self.gap
        return Event(time, processed, values)


def fleet_events(rng: Random, cars: int, events: int) -> Iterator[Event]:
    """Yield an endless sequence of events of `cars` new cars, in order of time.

    About `events` of them fill the history. All cars are in memory, but no events.
    """
    span = (HISTORY_END - HISTORY_START) // 60
    step = min(7 * 24 * 60, max(60, span * cars / max(events, 1)))
    start = max(HISTORY_START, HISTORY_END - int(step * events / cars) * 60)
    fleet = [Car(rng, start, step) for _ in range(cars)]
    queue = [(car.time, number) for number, car in enumerate(fleet)]
    heapq.heapify(queue)
    while True:
        _, number = queue[0]
        yield fleet[number].drive()
        heapq.heapreplace(queue, (fleet[number].time, number))


# ---- the order of arrival ---------------------------------------------------------------------

LATE_SHARE = 0.01
REPEATABLE = 1000  # a record repeats one of this many previous events


def reprocessed(event: Event, when: int) -> Event:
    """Return a copy of `event` that was processed at `when` (seconds since 1970)."""
    values = event.values.copy()
    values[PROCESSED] = iso(when)
    return Event(event.time, when, values)


def arrivals(
    rng: Random, events: Iterator[Event], number: int, wait: int, tally: Counter[str]
) -> Iterator[Event]:
    """Yield the first `number` of `events` in order of arrival, and count them in `tally`.

    A few arrive `wait` to three times `wait` positions late, but at the end at the latest.
    """
    held: list[tuple[int, int, Event]] = []
    now = 0
    for place in range(number):
        left = number - place
        if held and (held[0][0] <= place or len(held) >= left):
            tally["late"] += 1
            yield reprocessed(heapq.heappop(held)[2], now + 30 + int(90 * rng.random()))
            continue
        event = next(events)
        if rng.random() < LATE_SHARE and len(held) + 1 < left:
            heapq.heappush(held, (place + wait * (1 + int(3 * rng.random())), place, event))
            event = next(events)
        now = event.processed
        yield event


# A record of a file: the values of an event and, if it should be corrupt, a number from 0 to 1
# that determines how.
Record = tuple[Values, "float | None"]
Writer = Callable[[TextIO, Iterable[Record]], None]


def feed(args: argparse.Namespace, tally: Counter[str]) -> Iterator[Record]:
    """Yield the `args.events` records of a run in order, and count them by kind in `tally`.

    The shares are exact (rounded down): each record is drawn from the kinds that are left.
    """
    fleet_rng = Random(args.seed)
    # A separate generator, so that the same seed gives the same fleet whatever its records are.
    rng = Random(fleet_rng.getrandbits(64))
    duplicates = int(args.events * args.duplicates + 1e-6)
    corrupt = int(args.events * args.corrupt + 1e-6)
    fresh = args.events - duplicates
    wait = max(1, min(args.events // 4, max(args.events_per_file, args.cars)))
    fleet = fleet_events(fleet_rng, args.cars, fresh)
    stream = arrivals(rng, fleet, fresh, wait, tally)
    recent: list[Event] = []
    now = 0
    for left in range(args.events, 0, -1):
        draw = rng.random() * left
        if draw < duplicates and recent:
            duplicates -= 1
            tally["duplicate"] += 1
            slot = int(rng.random() * len(recent))
            event = recent[slot]
            if rng.random() < 0.5:
                event = corrected(rng, event, now)
                recent[slot] = event  # so that each correction is later than the previous one
            yield event.values, None
        elif duplicates <= draw < duplicates + corrupt:
            corrupt -= 1
            tally["corrupt"] += 1
            yield next(stream).values, rng.random()
        else:
            event = next(stream)
            now = max(now, event.processed)
            if len(recent) < REPEATABLE:
                recent.append(event)
            else:
                recent[left % REPEATABLE] = event
            yield event.values, None


def corrected(rng: Random, event: Event, now: int) -> Event:
    """Return `event` again, with another battery charge.

    It is processed after `now`, and up to an hour later than before (seconds since 1970).
    """
    event = reprocessed(event, max(now, event.processed) + 60 + int(3600 * rng.random()))
    event.values[BATTERY] = ((event.values[BATTERY] or 0) + 1 + int(40 * rng.random())) % 101
    return event


# ---- the formats of a record ------------------------------------------------------------------


def as_object(values: Iterable[Any]) -> dict[str, Any]:
    """Return the event as an object for JSON, without missing keys.

    Keys may be missing in a corrupt event, and the rental is missing for a car that nobody rents.
    """

    def fill(shape: dict[str, Any]) -> dict[str, Any]:
        return {k: fill(v) if isinstance(v, dict) else next(left) for k, v in shape.items()}

    left = iter(values)
    event = fill(SHAPE)
    if event["current_rental_agreement"]["data"]["agreement_id"] is None:
        del event["current_rental_agreement"]
    return {key: value for key, value in event.items() if value is not None}


def spoilt(values: Values, choice: int) -> Values:
    """Return a copy of `values` with one of the BAD_VALUES."""
    where, bad = BAD_VALUES[choice]
    return [*values[:where], bad, *values[where + 1 :]]


def json_writer(encode: Callable[[Any], str], array: bool = False) -> Writer:
    """Return a writer of objects in the style of `encode`, one after the other or as one array.

    Broken text would make a whole array unreadable. In an array, only values are corrupt.
    """
    # Filling a template takes a fifth of the time that encoding an object takes.
    template = encode(SHAPE).replace(f'"{NUMBER}"', "%s")
    opening, between, closing = ("[\n", ",\n", "\n]\n") if array else ("", "\n", "\n")
    ways = len(BAD_VALUES) + (0 if array else 3)

    def sound(values: Values) -> str:
        return encode(as_object(values)) if None in values else template % tuple(values)

    def corrupt(values: Values, defect: float) -> str:
        way, rest = divmod(defect * ways, 1)
        if way < len(BAD_VALUES):
            return encode(as_object(spoilt(values, int(way))))
        text = sound(values)
        cut_off = text[: 1 + int(rest * (len(text) - 1))]
        broken = (cut_off, f'"{values[EVENT_ID]}"', "<html>502 Bad Gateway</html>")
        return broken[int(way) - len(BAD_VALUES)]

    def write(file: TextIO, records: Iterable[Record]) -> None:
        before = opening
        for values, defect in records:
            file.write(before + (sound(values) if defect is None else corrupt(values, defect)))
            before = between
        file.write(closing)

    return write


def write_csv(file: TextIO, records: Iterable[Record]) -> None:
    """Write a header of dotted paths, and one row per event. A missing value is an empty cell."""
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow(LEAVES)
    for values, defect in records:
        if defect is not None:
            values = spoilt(values, int(defect * len(BAD_VALUES)))
        rows.writerow(values)


compact = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
pretty = json.JSONEncoder(indent=2, ensure_ascii=False).encode
WRITERS: dict[str, Writer] = {
    "json": json_writer(compact, array=True),
    "jsonl": json_writer(compact),
    "csv": write_csv,
}
write_object = json_writer(pretty)


def write_files(records: Iterator[Record], out: Path, form: str, events_per_file: int) -> int:
    """Write `records` to numbered files in the folder `out`, and return the number of files.

    Files of the same name are replaced.

    Args:
        records: The records.
        out: The folder. It is created if it does not exist.
        form: json, jsonl or csv.
        events_per_file: The number of records per file.

    Raises:
        OSError: If the folder or a file cannot be written.
    """
    write = write_object if (form, events_per_file) == ("json", 1) else WRITERS[form]
    out.mkdir(parents=True, exist_ok=True)
    files = 0
    for first in records:
        files += 1
        path = out / f"car_events_{files:05}.{form}"
        with path.open("w", encoding="utf-8", newline="") as file:
            write(file, chain([first], islice(records, events_per_file - 1)))
    return files


# ---- the command line -------------------------------------------------------------------------


def bounded(
    kind: Callable[[str], Any], low: float, high: float, wanted: str
) -> Callable[[str], Any]:
    """Return a parser of numbers from `low` to `high` for argparse. `wanted` is its description."""

    def read(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not valid: give {wanted}")
        return value

    return read


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the checked arguments. If they are wrong, exit with code 2 and one line."""
    parser = argparse.ArgumentParser(
        prog="python -m python_jobs.generate_landing",
        usage="%(prog)s --events N --out DIR [options]",
        description="Generate landing files of car telemetry, reproducibly.",
    )
    natural = bounded(int, 0, math.inf, "a whole number, 0 or more")
    positive = bounded(int, 1, math.inf, "a whole number, 1 or more")
    share = bounded(float, 0, 1, "a share from 0 to 1, such as 0.05")
    # fmt: off
    add = parser.add_argument
    add("--events", type=natural, required=True, metavar="N",
        help="number of records, including duplicates and corrupt ones")
    add("--cars", type=positive, default=100, metavar="M", help="default: %(default)s")
    add("--seed", type=natural, default=0, metavar="S", help="default: %(default)s")
    add("--out", type=Path, required=True, metavar="DIR",
        help="folder to write to; files with the same name are replaced")
    add("--format", choices=("json", "jsonl", "csv"), default="jsonl", help="default: jsonl")
    add("--duplicates", type=share, default=0.0, metavar="P",
        help="share of the records that repeat an earlier event, half of them corrected")
    add("--corrupt", type=share, default=0.0, metavar="P",
        help="share of the records that cannot be read")
    add("--events-per-file", type=positive, default=10_000, metavar="N",
        help="default: %(default)s; with 1, json files hold one pretty-printed object each")
    # fmt: on
    args = parser.parse_args(argv)
    if args.duplicates and args.duplicates + args.corrupt >= 1:
        parser.error("--duplicates and --corrupt leave no event to repeat: give a sum below 1")
    if args.out.exists() and not args.out.is_dir():
        parser.error(f"--out {args.out} exists and is not a folder: choose another, or remove it")
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Write the requested files, and print one line about them."""
    args = parse_args(argv)
    tally: Counter[str] = Counter()
    try:
        files = write_files(feed(args, tally), args.out, args.format, args.events_per_file)
    except OSError as error:
        raise SystemExit(f"error: --out {args.out} cannot be written: {error}") from error
    print(
        f"{args.events} records in {files} files in {args.out}: "
        f"{tally['duplicate']} duplicate, {tally['corrupt']} corrupt, {tally['late']} late"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
