"""An increment of Gold has a budget: without news nothing is done, and news of a car reads few
files.

Silver has a partition for each month. Here, each month has files of other cars.
"""

import pytest

from tests.support.events import GOLD, TELEMETRY, TRIP
from tests.support.fleet import Fleet
from tests.support.scans import recorded
from tests.support.spark_work import counted, statements

MONTHS = {"2025-08": "ab", "2025-09": "cd", "2025-10": "ef", "2025-11": "gh", "2025-12": "gh"}
VALUES = {f"{TRIP}.tripMileage": 12.5, f"{TELEMETRY}.engineTempCelsius": 105.25}

# The keys that have changed and their bounds, the rows, their checkpoint, and the merge.
JOBS = {
    "gold_car_current_state": 6,
    "gold_fuel_efficiency_monthly": 6,
    "gold_performance_alerts": 8,
}


@pytest.fixture(scope="module")
def fleet(dbt, spark, tmp_path_factory, module_schema):
    fleet = Fleet(dbt, spark, tmp_path_factory.mktemp("fleet"), module_schema)
    # The last lines of a run count the rows of Gold.
    settings = fleet.dbt.project_dir / "dbt_project.yml"
    settings.write_text(settings.read_text().replace('  - "{{ summarize_gold() }}"\n', ""))
    cars = [(car, month) for month, cars in MONTHS.items() for car in cars]
    fleet.land(*(fleet.put(n, *place, VALUES) for n, place in enumerate(cars)))
    fleet.build()
    return fleet


def snapshots(fleet) -> dict[str, dict]:
    """The snapshots of each Gold table: how many files each has written."""
    return {
        name: {
            row.snapshot_id: int(row.summary.get("added-data-files", "0"))
            for row in fleet.spark.table(f"{fleet.schema}_gold.{name}.snapshots").collect()
        }
        for name in GOLD
    }


def run(fleet, name: str) -> tuple[int, int, list[int]]:
    """Run a Gold model alone.

    Returns:
        Its SQL statements, its Spark jobs, and how many files of Silver each of its scans reads.
    """
    with counted(fleet.spark) as work, recorded(fleet.spark) as found:
        result = fleet.run("run", "--select", name)
    scans = found.scans.get(f"{fleet.schema}_silver.silver_car_telemetry", [])
    asked = statements(result.text, f"model.car_lakehouse.{name}")
    return asked, work.jobs, [scan.files for scan in scans if scan.files]


@pytest.mark.parametrize("name", GOLD)
def test_without_news_nothing_is_done(fleet, name):
    before = snapshots(fleet)
    assert run(fleet, name) == (0, 0, [])
    assert snapshots(fleet) == before


@pytest.mark.slow
def test_without_news_no_data_test_is_run_and_no_snapshot_written(fleet):
    rules = f"{fleet.schema}_silver.alert_rules.snapshots"
    fleet.run("build")
    before = snapshots(fleet), fleet.spark.table(rules).count()
    result = fleet.run("build")
    tests = {name for name, status in result.status.items() if status == "pass"}
    assert len(tests) > 30
    assert not [name for name in result.statements if name.startswith("test.")]
    assert result.said[-1].startswith("Nothing to publish")
    assert (snapshots(fleet), fleet.spark.table(rules).count()) == before


@pytest.mark.slow
def test_news_of_a_car(fleet):
    """Each model reads the file that is new, and those that may have rows of its keys."""
    silver = f"{fleet.schema}_silver.silver_car_telemetry"
    fleet.land(fleet.put(100, "g", "2025-12", VALUES, day=6))
    fleet.build("bronze", "silver")
    assert fleet.spark.table(f"{silver}.files").count() == len(MONTHS) + 1
    before = snapshots(fleet)
    found = {name: run(fleet, name) for name in GOLD}
    assert {name: scans for name, (_, _, scans) in found.items()} == {
        "gold_car_current_state": [1, 3],  # of the car in any month
        "gold_fuel_efficiency_monthly": [1, 2],  # of the car in the month
        "gold_performance_alerts": [1, 1],
    }
    for name, (asked, jobs, _) in found.items():
        assert asked == 0 and 0 < jobs <= JOBS[name]
        written = [
            count for each, count in snapshots(fleet)[name].items() if each not in before[name]
        ]
        assert written == [1]
