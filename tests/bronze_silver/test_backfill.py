"""The procedures of docs/operations.md: archive files, read a day again, Gold as of a day."""

import json
import os
import re
import subprocess
from datetime import datetime, timezone
from pathlib import Path

import pytest
from click.testing import CliRunner

from python_jobs.archive_landing.__main__ import main
from tests.support.dbt_runner import ROOT, copy_project, environment
from tests.support.events import VALID_UNTIL, event

DAY = "2026-01-14"
AT = datetime(2026, 1, 14, 8, tzinfo=timezone.utc).timestamp()
BUILD = ("build", "--exclude-resource-type", "unit_test", "--select", "+gold_car_current_state")
BUILD = (*BUILD, "silver_rejected_events")
COMMANDS = (ROOT / "docs/operations.md").read_text(encoding="utf-8")


class Fleet:
    """A copy of this project with its own landing folder, archive and lakehouse."""

    def __init__(self, dbt, folder: Path, schema: str, read) -> None:
        self.dbt = copy_project(dbt, folder / "project")
        self.schema, self.read = schema, read
        self.landing, self.archived = folder / "landing", folder / "archive"
        self.landing.mkdir()

    def land(self, name: str, text: str, at: float = AT) -> None:
        (self.landing / name).write_text(text)
        os.utime(self.landing / name, (at, at))

    def build(self, *arguments: str, schema: str = "", as_of: str = "2026-01-15"):
        variables = {"landing_path": str(self.landing), "as_of_date": as_of}
        command = arguments or BUILD
        return self.dbt(*command, schema=schema or self.schema, **variables)

    def archive(self, *arguments: str) -> dict[str, str]:
        """Run the documented command and return the result for each file."""
        variables = json.dumps({"landing_path": str(self.landing)})
        options = ["--to", str(self.archived), "--json", "--vars", variables, *arguments]
        options += ["--project-dir", str(self.dbt.project_dir), "--profiles-dir", str(ROOT)]
        with environment(**self.dbt._environment(self.schema)):
            done = CliRunner().invoke(main, options, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return {line["file"]: line["what"] for line in json.loads(done.stdout)}

    def shell(self, command: str) -> None:
        """Run a documented command on the folders of this test."""
        assert command in COMMANDS
        folders = {"/data/landing_archive": self.archived, "/data/landing": self.landing}
        for named, own in folders.items():
            command = command.replace(named, str(own))
        subprocess.run(["bash", "-c", command], check=True)

    def files(self, folder: Path) -> list[str]:
        return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())

    def bronze(self) -> list[str]:
        rows = self.read(f"{self.schema}_bronze", "bronze_car_events")
        return sorted(row["source_file"] for row in rows)

    def answers(self) -> dict[str, list]:
        """Return the rows of Silver and Gold, without the columns that depend on the run time."""
        told = {}
        for layer, table in (
            ("silver", "silver_car_telemetry"),
            ("silver", "silver_rejected_events"),
            ("gold", "gold_car_current_state"),
        ):
            rows = self.read(f"{self.schema}_{layer}", table)
            kept = [
                {name: value for name, value in row.items() if not re.search("ingest|gold_p", name)}
                for row in rows
            ]
            told[table] = sorted(kept, key=repr)
        return told


@pytest.fixture(scope="module")
def fleet(dbt, read, tmp_path_factory, module_schema):
    """Return a fleet with a published build of two files. One record in them cannot be parsed."""
    made = Fleet(dbt, tmp_path_factory.mktemp("fleet"), module_schema, read)
    made.land("a b.jsonl", event("e1", {VALID_UNTIL: "2026-01-10"}) + "\n{broken\n")
    made.land("c.json", event("e2", carChassis="other"))
    result = made.build()
    assert result.success, result.text
    return made


@pytest.mark.slow
def test_files_are_archived_and_read_again(fleet):
    before = fleet.answers()
    assert len(before["silver_rejected_events"]) == 1
    # A file that landed after the published build, and was read only by a build that failed.
    fleet.land("held_back.json", event("e3", carChassis="third"))
    broken = fleet.dbt.project_dir / "models/silver/broken.sql"
    broken.write_text("{{ config(contract={'enforced': false}) }} select raise_error('x') as id")
    result = fleet.build("run", "--select", "bronze_car_events", "broken")
    assert "Nothing was published" in result.text
    broken.unlink()

    wanted = {"a b.jsonl": "would be moved", "c.json": "would be moved"}
    stays = {"held_back.json": "left: not in the published Bronze"}
    assert fleet.archive("--dry-run") == wanted | stays
    fleet.land("young.json", event("e4"), at=datetime.now().timestamp())
    young = fleet.archive("--dry-run", "--older-than", "30")
    assert young.pop("young.json") == "left: not in the published Bronze"
    assert young == wanted | stays
    (fleet.landing / "young.json").unlink()
    assert fleet.files(fleet.landing) == ["a b.jsonl", "c.json", "held_back.json"]
    assert fleet.archive() == dict.fromkeys(wanted, "moved") | stays
    assert fleet.files(fleet.archived) == [f"{DAY}/a b.jsonl", f"{DAY}/c.json"]
    assert fleet.files(fleet.landing) == ["held_back.json"]

    # The next build finds no file missing and reads the file that was left.
    result = fleet.build()
    assert result.success, result.text
    assert result.status["no_record_is_lost"] == "pass"
    assert fleet.bronze() == ["a b.jsonl", "a b.jsonl", "c.json", "held_back.json"]
    assert len(fleet.answers()["silver_car_telemetry"]) == 3
    assert fleet.archive("--older-than", "100000") == {
        "held_back.json": "left: younger than --older-than"
    }

    # Restored files keep their name, time and size, so Bronze does not read them again.
    fleet.shell(f"cp -a /data/landing_archive/{DAY}/. /data/landing/")
    before = fleet.answers()
    result = fleet.build("run", "--select", "bronze_car_events")
    assert result.success, result.text
    assert len(fleet.bronze()) == 4
    # Touched files count as new: Bronze gets their records again, Silver keeps one row per event.
    fleet.land("other_day.json", event("e2", carChassis="other"), at=AT + 86_400)
    fleet.shell(
        f'find /data/landing -type f -newermt "{DAY} UTC" ! -newermt "2026-01-15 UTC" '
        "-exec touch {} +"
    )
    result = fleet.build()
    assert result.success, result.text
    assert result.status["no_record_is_lost"] == "pass"
    twice = 2 * ["a b.jsonl", "a b.jsonl", "c.json", "held_back.json"]
    assert fleet.bronze() == sorted([*twice, "other_day.json"])
    after = fleet.answers()
    assert after == before


@pytest.mark.slow
def test_gold_as_of_a_past_day(fleet):
    unit = ("--exclude-resource-type", "unit_test", "--select", "gold_car_current_state")

    def insurance(schema=fleet.schema):
        rows = fleet.read(f"{schema}_gold", "gold_car_current_state")
        return next(row["insurance_status"] for row in rows if row["car_chassis"] == "car")

    def build(*arguments, **options):
        result = fleet.build("build", *unit, *arguments, **options)
        assert result.success, result.text

    assert insurance() == "EXPIRED"
    # In another schema: Silver is read from the published tables with --defer.
    beside, target = f"{fleet.schema}_past", fleet.dbt.project_dir / "target"
    assert fleet.build("parse").success
    (target / "published").mkdir()
    (target / "manifest.json").rename(target / "published/manifest.json")
    defer = ("--defer", "--favor-state", "--state", str(target / "published"))
    build(*defer, schema=beside, as_of="2026-01-02")
    assert insurance(beside) == "EXPIRING_IN_90_DAYS"
    assert insurance() == "EXPIRED"
    # In the published tables: readers see the past day until the next build.
    build(as_of="2026-01-02")
    assert insurance() == "EXPIRING_IN_90_DAYS"
    build()
    assert insurance() == "EXPIRED"


def test_what_cannot_be_archived_is_said_in_one_line(fleet, tmp_path):
    def refused(**variables):
        options = ["--to", str(tmp_path / "archive"), "--vars", json.dumps(variables)]
        options += ["--project-dir", str(fleet.dbt.project_dir), "--profiles-dir", str(ROOT)]
        with environment(**fleet.dbt._environment(f"{fleet.schema}_none")):
            done = CliRunner().invoke(main, options, catch_exceptions=False)
        assert done.exit_code == 2
        (line,) = done.stderr.splitlines()
        return line

    assert refused(landing_path="s3://b/x") == (
        "Cannot archive: s3://b/x is no folder of this machine: use a lifecycle rule of the object "
        "store"
    )
    assert "correct landing_path" in refused(landing_path=str(tmp_path / "nowhere"))
    (tmp_path / "a.json").write_text("{}")
    told = refused(landing_path=str(tmp_path))
    assert told.endswith("and the landing folder overlap: name another --to")
    told = refused(landing_path=str(fleet.landing))
    assert "_bronze.bronze_car_events: build it first" in told
