"""Gold after any sequence of builds holds, value by value, what a full refresh gives.

Records land late and are corrected: an event moves to another car or month. The rules of the alerts
change, and the day that Gold is as of moves forward and back. Some builds make Silver only, or one
Gold table.
"""

import csv
import random

import pytest

from tests.support.events import GOLD, STATIC, TELEMETRY, TRIP, VALID_UNTIL
from tests.support.fleet import RULES, Fleet

DAYS = ("2025-10-01", "2025-12-24", "2026-01-15", "2026-05-01")
CARS = ("a", "b", "c", "d", "e")
MONTHS = ("2025-09", "2025-10", "2025-11", "2025-12")

# Values on both sides of the rules' thresholds, and sums that depend on the order in doubles.
VALUES = {
    f"{STATIC}.Manufacturer": ("M", "N"),
    f"{STATIC}.Model": ("old", "new"),
    f"{STATIC}.fuelCapacityLiters": (0, 50),
    VALID_UNTIL: ("2025-10-02", "2025-12-31", "2026-02-28", "2027-01-01"),
    f"{TRIP}.tripMileage": (0.1, 0.2, 0.3, 1e30, -1e30, -0.0),
    f"{TRIP}.tripFuelLiters": (0, 0.7, 1.1),
    f"{TRIP}.tripMaxSpeedKm": (100, 111.5),
    f"{TELEMETRY}.engineTempCelsius": (90, 100, 105.25),
    f"{TELEMETRY}.currentMileage": (10, 20, 100001),
    f"{TELEMETRY}.fuelAvailableLiters": (4, 8, 30),
    f"{TELEMETRY}.tire_pressures_psi.front_left": (28.5, 33),
}


@pytest.fixture
def fleet(dbt, spark, tmp_path, schema):
    return Fleet(dbt, spark, tmp_path, schema)


def check(fleet: Fleet, tables=GOLD) -> None:
    for table in tables:
        assert fleet.rows(table) == fleet.of_all_events(table), table


def check_full_refresh(fleet: Fleet) -> None:
    found = {table: fleet.rows(table) for table in GOLD}
    fleet.run("run", "--select", "gold", "--full-refresh")
    for table in GOLD:
        assert found[table] == fleet.rows(table), table


@pytest.mark.slow
def test_some_builds_end_in_a_full_refresh(fleet):
    hot = {f"{TELEMETRY}.engineTempCelsius": 105.25, VALID_UNTIL: "2026-01-20"}
    fleet.land(
        *(
            fleet.put(n, car, "2025-10", {**hot, f"{TRIP}.tripMileage": n})
            for n, car in [
                (1, "a"),
                (2, "a"),
                (3, "b"),
                (4, "c"),
            ]
        )
    )
    assert not fleet.build()
    check(fleet)
    # Car b has no event any more, car a none in October; what c had there moves to d.
    fleet.land(
        fleet.put(3, "a", "2025-11", hot),
        fleet.put(1, "a", "2025-11", {f"{TRIP}.tripMileage": 0.25}),
        fleet.put(2, "a", "2025-12", {f"{TRIP}.tripMileage": 0.5}),
        fleet.put(4, "d", "2025-10", {**hot, f"{TRIP}.tripMileage": 4}),
    )
    fleet.day = DAYS[3]
    assert not fleet.build()
    check(fleet)
    fleet.judge([line for line in fleet.rules if not line.startswith("OVERHEAT_ENGINE")])
    fleet.day = DAYS[0]
    fleet.land(fleet.put(5, "e", "2025-09", {f"{TRIP}.tripMaxSpeedKm": 111.5}))
    [why] = fleet.build()
    assert "alert_rules has changed" in why
    check(fleet)
    check_full_refresh(fleet)


def random_record(fleet: Fleet, chance: random.Random) -> str:
    values = {path: chance.choice(given) for path, given in VALUES.items() if chance.random() < 0.7}
    place = chance.choice(CARS), chance.choice(MONTHS)
    return fleet.put(chance.randrange(20), *place, values, chance.randrange(1, 29))


def random_rules(chance: random.Random) -> list[str]:
    """Some of the rules, in any order, with other thresholds."""
    rows = list(csv.reader(RULES[1:]))
    chosen = chance.sample(rows, chance.randrange(1, len(rows) + 1))
    for row in chosen:
        row[3] = str(float(row[3]) + chance.choice((-2, 0, 0, 2)))
    return [",".join(row) for row in chosen]


def random_builds(fleet: Fleet, chance: random.Random, builds: int) -> None:
    """Build after random changes; each table that is built is checked."""
    judged: list[str] | None = None
    for _ in range(builds):
        if chance.random() < 0.75:
            records = [random_record(fleet, chance) for _ in range(chance.randrange(1, 6))]
            fleet.land(*records, file=chance.choice(("", "", "again.jsonl")))
        if chance.random() < 0.2:
            fleet.judge(random_rules(chance))
        elif chance.random() < 0.2:
            fleet.judge(chance.sample(fleet.rules, len(fleet.rules)))  # in another order
        if chance.random() < 0.4:
            fleet.day = chance.choice(DAYS)
        if chance.random() < 0.2:
            fleet.build("bronze", "silver")  # Gold's next increment has news of two builds
            continue
        tables = GOLD if chance.random() < 0.7 else (chance.choice(GOLD),)
        told = fleet.build("bronze", "silver", "alert_rules", *tables)
        check(fleet, tables)
        if GOLD[2] in tables:
            is_judged_otherwise = judged is not None and sorted(fleet.rules) != judged
            assert ["alert_rules has changed" in why for why in told] == [
                True
            ] * is_judged_otherwise
            judged = sorted(fleet.rules)
        else:
            assert not told
    fleet.build()
    check(fleet)
    check_full_refresh(fleet)


@pytest.mark.full
def test_any_builds_end_in_a_full_refresh(fleet, seed):
    random_builds(fleet, random.Random(seed), builds=30)
