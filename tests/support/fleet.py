"""This project in a lakehouse of its own, with events that land in it one after the other."""

from datetime import datetime, timedelta, timezone
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from tests.support.dbt_runner import ROOT, Dbt, DbtResult, copy_project
from tests.support.events import RUN_TIMES, TELEMETRY, event
from tests.support.models import python_model
from tests.support.published import BUILD_TABLES

RUN = "2026-01-15T12:00:00+00:00"
STARTED = datetime(2026, 1, 1, tzinfo=timezone.utc)
RULES = (ROOT / "seeds/alert_rules.csv").read_text().splitlines()
# What each Gold model makes of events, rules and a day.
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
    """

    def __init__(self, dbt: Dbt, spark: SparkSession, folder: Path, schema: str) -> None:
        self.dbt, self.spark, self.schema = copy_project(dbt, folder / "project"), spark, schema
        self.landing = folder / "landing"
        self.landing.mkdir()
        self.day, self.rules = "2026-01-15", RULES[1:]
        self._versions = 0

    def put(self, number: int, car: str, month: str, values: dict, day: int = 5) -> str:
        """A record of an event, put together later than all others."""
        self._versions += 1
        at = STARTED + timedelta(minutes=self._versions)
        return event(
            f"event {number}",
            {
                **values,
                f"{TELEMETRY.rpartition('.')[0]}.extraction_timestamp": f"{month}-05T10:00:00Z",
            },
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

    def run(self, *arguments: str) -> DbtResult:
        """Run a command of dbt."""
        variables = {"landing_path": str(self.landing), "as_of_date": self.day}
        result = self.dbt(*arguments, schema=self.schema, **variables)
        assert result.success, result.text
        return result

    def build(self, *models: str) -> list[str]:
        """Build, without tests. Return why all rows of a table are made anew, if they are."""
        result = self.run(*BUILD_TABLES, *(("--select", *models) if models else ()))
        anew = "all rows are made anew, because "
        return [line.partition(anew)[2] for line in result.said if anew in line]

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
    def _texts(frame: DataFrame) -> list[str]:
        return sorted(map(str, frame.drop(*RUN_TIMES).collect()))
