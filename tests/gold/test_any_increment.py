"""Gold after any sequence of builds holds, value by value, what a full refresh gives.

Records land late and are corrected: an event moves to another car or month. The rules of the alerts
change, and the day that Gold is as of moves forward and back. Some builds make Silver only, or one
Gold table.
"""

import csv
import random
from datetime import datetime, timedelta, timezone

import pytest

from tests.support.dbt_runner import ROOT, copy_project
from tests.support.events import GOLD, RUN_TIMES, STATIC, TELEMETRY, TRIP, VALID_UNTIL, event
from tests.support.models import python_model

RUN = "2026-01-15T12:00:00+00:00"
DAYS = ("2025-10-01", "2025-12-24", "2026-01-15", "2026-05-01")
CARS = ("a", "b", "c", "d", "e")
MONTHS = ("2025-09", "2025-10", "2025-11", "2025-12")
STARTED = datetime(2026, 1, 1, tzinfo=timezone.utc)
RULES = (ROOT / "seeds/alert_rules.csv").read_text().splitlines()

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
TRANSFORMS = {
    "gold_car_current_state": lambda model, events, rules, day: model.current_state(
        events, day, RUN
    ),
    "gold_fuel_efficiency_monthly": lambda model, events, rules, day: model.monthly_efficiency(
        events, RUN
    ),
    "gold_performance_alerts": lambda model, events, rules, day: model.alerts(events, rules, RUN),
}


class Fleet:
    """This project in a folder and a lakehouse of its own.

    Attributes:
        day: The day that Gold is as of.
        rules: The lines of the rules, without their header.
        told: What of each build says that all rows are made anew.
    """

    def __init__(self, dbt, spark, folder, schema) -> None:
        self.dbt, self.spark, self.schema = copy_project(dbt, folder / "project"), spark, schema
        self.landing = folder / "landing"
        self.landing.mkdir()
        self.day, self.rules, self.told = DAYS[2], RULES[1:], []
        self._versions = 0

    def put(self, number: int, car: str, month: str, values: dict, day: int = 5) -> str:
        """A record of an event, put together later than all others."""
        self._versions += 1
        at = STARTED + timedelta(minutes=self._versions)
        return event(
            f"event {number}",
            {**values, f"{TELEMETRY.rpartition('.')[0]}.extraction_timestamp": f"{month}-05"},
            carChassis=car,
            event_primary_timestamp=f"{month}-{day:02}T10:00:00Z",
            processing_timestamp=at.isoformat(),
        )

    def land(self, *records: str, file: str = "") -> None:
        """Let records land in a new file, or in place of what a file has."""
        name = file or f"{self._versions}.jsonl"
        (self.landing / name).write_text("\n".join(records))

    def judge(self, rules: list[str]) -> None:
        """Change the rules of the alerts."""
        self.rules = rules
        seed = self.dbt.project_dir / "seeds/alert_rules.csv"
        seed.write_text("\n".join([RULES[0], *rules]) + "\n")

    def run(self, *arguments: str) -> list[str]:
        """Run a command of dbt. Return the tables of which it makes all rows anew."""
        variables = {"landing_path": str(self.landing), "as_of_date": self.day}
        result = self.dbt(*arguments, schema=self.schema, **variables)
        assert result.success, result.text
        anew = "all rows are made anew, because "
        return [line.partition(anew)[2] for line in result.said if anew in line]

    def build(self, *models: str) -> list[str]:
        kinds = ("--resource-type", "model", "--resource-type", "seed")
        return self.run("build", *kinds, *(("--select", *models) if models else ()))

    def rows(self, table: str) -> list[str]:
        """The rows of a Gold table, as text: so -0.0 is not 0.0."""
        return self._texts(self.spark.table(f"{self.schema}_gold.{table}"))

    def of_all_events(self, table: str) -> list[str]:
        """What the model makes of all events of Silver."""
        events = self.spark.table(f"{self.schema}_silver.silver_car_telemetry")
        rules = self.spark.table(f"{self.schema}_silver.alert_rules")
        model = python_model(f"gold/{table}")
        return self._texts(TRANSFORMS[table](model, events, rules, self.day))

    @staticmethod
    def _texts(frame) -> list[str]:
        return sorted(map(str, frame.drop(*RUN_TIMES).collect()))


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
