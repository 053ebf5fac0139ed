"""A table that was changed alone stops the build, before its children hold records twice.

The message names the table, the reason and the command that heals, and that command heals.
"""

from pathlib import Path

import pytest

from tests.support.events import AS_OF, event, without_columns

# Without what says nothing about the balance of the layers.
LEFT_OUT = ("gold_performance_alerts", "test_type:generic")
BUILD = ("build", "--exclude-resource-type", "unit_test", "--exclude", *LEFT_OUT)
HEALED = "run `dbt build --full-refresh`"
TABLES = {
    "silver": ("stg_car_events", "silver_car_telemetry", "silver_rejected_events"),
    "gold": ("gold_car_current_state",),
}
# They are others when a file is read again.
OF_A_RUN = ("record_id", "ingested_at", "gold_processing_timestamp")


class Lake:
    """A lakehouse of its own, whose Bronze has the files of several builds."""

    def __init__(self, dbt, spark, read, folder: Path, schema: str) -> None:
        self._dbt, self.spark, self.read = dbt, spark, read
        self.folder, self.schema = folder, schema
        self.bronze = f"{schema}_bronze.bronze_car_events"
        self.files = 0

    def dbt(self, *command: str, **variables):
        variables = {"landing_path": str(self.folder), **AS_OF, **variables}
        return self._dbt(*command, schema=self.schema, **variables)

    def build(self, *arguments: str) -> None:
        """Build. All data tests pass."""
        result = self.dbt(*BUILD, *arguments)
        assert result.success, result.text

    def land(self) -> Path:
        """Add a file with two events and a rejected record. Return it."""
        self.files += 1
        file = self.folder / f"{self.files}.jsonl"
        events = [event(f"{self.files} {car}", carChassis=car) for car in ("first", file.stem)]
        file.write_text("\n".join([*events, f"{{broken {file.stem}"]))
        return file

    def snapshots(self) -> list[int]:
        """Return the snapshots of Bronze's main, in order."""
        history = self.spark.table(f"{self.bronze}.history").where("is_current_ancestor")
        return [row.snapshot_id for row in history.orderBy("made_current_at").collect()]

    def call(self, procedure: str, snapshot: int) -> None:
        """Let Bronze's main be another of its snapshots."""
        self.spark.sql(f"call system.{procedure}('{self.bronze}', {snapshot})")

    def last_run(self) -> str:
        """Return the name of the run that was published last."""
        log = self.spark.table(f"{self.schema}_ops.publish_log").where("status = 'published'")
        return log.orderBy("logged_at", ascending=False).first().run

    def tool(self, *command: str) -> int:
        return self._dbt.tool(*command, schema=self.schema)

    def rows(self) -> dict[str, list[dict]]:
        """Return the rows of Silver and Gold that readers see, without what differs by run."""
        return {
            name: without_columns(self.read(f"{self.schema}_{layer}", name), *OF_A_RUN)
            for layer, names in TABLES.items()
            for name in names
        }

    def stops(self, child: str, parent: str, file: Path) -> None:
        """Build. Check that the model of a child stops, with one line, and nothing is published."""
        before = self.rows()
        result = self.dbt(*BUILD)
        assert not result.success
        assert [name for name, status in result.status.items() if status == "error"] == [child]
        (line,) = [line for line in result.message[child].splitlines() if HEALED in line]
        assert f"{self.schema}_silver.{child} has rows of {file.name}, read at 20" in line
        assert f"{self.schema}_{parent} has them no more" in line
        assert self.rows() == before


@pytest.fixture(scope="module")
def lake(dbt, spark, read, tmp_path_factory, module_schema):
    """Return a lakehouse after a build. Each test leaves it as it should be."""
    made = Lake(dbt, spark, read, tmp_path_factory.mktemp("landing"), module_schema)
    made.land()
    made.build()
    return made


def roll_back(lake, file):
    """Roll Bronze back to the build before the last one."""
    lake.call("rollback_to_snapshot", lake.snapshots()[-2])


def delete(lake, file):
    lake.spark.sql(f"delete from {lake.bronze} where source_file = '{file.name}'")


def overwrite(lake, file):
    """Overwrite Bronze alone, from the landing folder."""
    alone = ("run", "--full-refresh", "--select", "bronze_car_events")
    assert lake.dbt(*alone, overwrite="bronze_car_events").success


def drop(lake, file):
    lake.spark.sql(f"drop table {lake.bronze}")


@pytest.mark.parametrize(
    "change",
    [roll_back, *(pytest.param(way, marks=pytest.mark.slow) for way in (delete, overwrite, drop))],
)
def test_bronze_is_changed_alone(lake, change):
    file = lake.land()
    lake.build()
    expected = lake.rows()
    change(lake, file)
    lost = file if change in (roll_back, delete) else lake.folder / "1.jsonl"
    lake.stops("stg_car_events", "bronze.bronze_car_events", lost)
    lake.build("--full-refresh")
    assert lake.rows() == expected


@pytest.mark.slow
@pytest.mark.parametrize("by", ["Iceberg", "the guard"])
def test_a_change_of_bronze_is_undone(lake, by):
    """The file is archived: Silver has the only copy of its records, until Bronze is restored."""
    file = lake.land()
    lake.build()
    expected, last = lake.rows(), lake.snapshots()[-1]
    archived = file.rename(lake.folder.parent / file.name)
    roll_back(lake, file)
    lake.stops("stg_car_events", "bronze.bronze_car_events", file)
    if by == "Iceberg":
        lake.call("set_current_snapshot", last)
    else:
        assert lake.tool("roll-back", lake.last_run()) == 0
    # With --empty, Bronze has no rows to be compared with, and that is no reason to stop.
    result = lake.dbt("run", "--empty", "--select", *TABLES["silver"])
    assert result.success, result.text
    lake.build()
    assert lake.rows() == expected
    archived.rename(file)


@pytest.mark.slow
@pytest.mark.parametrize("name", TABLES["silver"][1:])
def test_staging_is_made_anew_alone(lake, name):
    """Silver has events that staging no longer has. A merge removes none."""
    other = next(other for other in TABLES["silver"][1:] if other != name)
    file = lake.land()
    lake.build()
    delete(lake, file)
    archived = file.rename(lake.folder.parent / file.name)
    assert lake.dbt("run", "--full-refresh", "--select", "stg_car_events", other).success
    lake.stops(name, "silver.stg_car_events", file)
    archived.rename(file)
    lake.build("--full-refresh")
    assert len(lake.rows()["silver_car_telemetry"]) == 2 * lake.files


@pytest.mark.slow
def test_a_row_that_is_deleted_by_hand_comes_back(lake):
    """A line names the way out, and it is one."""
    lake.build()
    expected = lake.rows()
    table = f"{lake.schema}_silver.silver_car_telemetry"
    lake.spark.sql(f"delete from {table} where event_id = '1 first'")
    result = lake.dbt(*BUILD)
    assert not result.success
    assert result.status["no_record_is_lost"] == "fail"
    told = [line for line in result.said if "compared with all of" in line]
    assert [line.split()[-3:] for line in told] == [
        ["`--full-refresh", "-s", "silver_car_telemetry`."]
    ]
    result = lake.dbt("build", "--full-refresh", "--select", "silver_car_telemetry")
    assert result.success, result.text
    lake.build()
    assert lake.rows() == expected


@pytest.mark.slow
def test_bronze_is_built_alone(lake):
    """The test of the layers' balance is selected with Bronze, unless dbt is to be cautious."""
    lake.land()
    alone = ("build", "--select", "bronze_car_events")
    result = lake.dbt(*alone)
    assert not result.success
    assert result.status["no_record_is_lost"] == "fail"
    result = lake.dbt(*alone, "--indirect-selection", "cautious")
    assert result.success, result.text
    lake.build()
    assert len(lake.rows()["stg_car_events"]) == 3 * lake.files
