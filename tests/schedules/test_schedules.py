"""Each example schedule is loaded and run by its scheduler, on a copy of this project.

The schedulers come from PyPI, each in a separate environment. dbt is the one of the tests.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from crontab import CronTab

from tests.support.dbt_runner import environment
from tests.support.packages import virtual_environment
from tests.support.published import TABLES, published
from tests.support.repository import Repository

pytestmark = pytest.mark.full

SECONDS = 900

# A model that makes a build fail.
BROKEN = "{{ config(contract={'enforced': false}) }} select raise_error('broken') as id"


class Copy(Repository):
    """A copy of this project, after `uv run dbt parse`."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.home = root / ".lakehouse"
        (root / ".venv").symlink_to(sys.prefix)
        done = self.python("dbt.cli.main", "parse")
        assert done.returncode == 0, done.stdout

    def variables(self, **more: str) -> dict[str, str]:
        """Return a scheduler's environment variables. `uv run` uses the tests' environment."""
        ours = ("LAKEHOUSE_", "DBT_", "AIRFLOW", "DAGSTER", "VIRTUAL_ENV")
        clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        uv = Path(os.environ.get("UV") or shutil.which("uv") or "uv")
        return clean | {
            "CAR_LAKEHOUSE": str(self.root),
            "PATH": f"{uv.parent}{os.pathsep}{clean['PATH']}",
            "UV_NO_SYNC": "1",
            "UV_PROJECT_ENVIRONMENT": sys.prefix,
            "DBT_SPARK_POOL": "off",
            **more,
        }

    def published(self) -> set[str]:
        """Return the names of the published tables."""
        names = {f"{layer}.{name}" for layer, tables in TABLES.items() for name in tables}
        return {name for name in names if published(name, self.home).current_snapshot()}

    def runs(self) -> int:
        """Return the number of recorded runs."""
        return published("ops.dbt_runs", self.home).scan().to_arrow().num_rows


ALL = {f"{layer}.{name}" for layer, tables in TABLES.items() for name in tables}


@pytest.fixture
def copy(tmp_path) -> Copy:
    return Copy(tmp_path / "project")


def install(folder: Path, example: str) -> Path:
    """Install the packages in an example's docstring. Return the folder of their commands."""
    text = Path(example).read_text(encoding="utf-8")
    wanted = re.findall(r'"([^"]+)"', re.search(r"^ +pip install (.*?)#", text, re.M)[1])
    return virtual_environment(folder, *wanted).parent


def test_cron(copy):
    text = (copy.root / "examples/schedules/cron/crontab").read_text()
    tab = CronTab(tab=text.replace("/srv/car-lakehouse", str(copy.root)))
    (job,) = tab
    assert job.is_valid() and str(job.slices) == "15 2 * * *"
    archive = copy.root.parent / "archive"
    for file in (copy.root / "landing").rglob("*.jsonl"):
        os.utime(file, (0, 0))
    with environment(**copy.variables(LANDING_ARCHIVE=str(archive))):
        done = job.run()
    log = copy.root / "logs/nightly.log"
    assert done.returncode == 0, done.stderr + log.read_text()
    assert done.stdout + done.stderr == ""
    assert copy.published() == ALL
    assert {file.suffix for file in archive.rglob("*") if file.is_file()} == {".jsonl"}
    assert "2 moved" in log.read_text()
    # A failed build is reported in one line.
    copy.write("models/silver/broken.sql", BROKEN)
    with environment(**copy.variables()):
        done = job.run()
    assert done.returncode != 0
    assert done.stderr == f"the nightly build failed: {log}\n"


def test_dagster(copy, tmp_path):
    file = copy.root / "examples/schedules/dagster/definitions.py"
    dagster = install(tmp_path / "venv", file)
    (tmp_path / "home").mkdir()
    variables = copy.variables(DAGSTER_HOME=str(tmp_path / "home"), DAGSTER_DISABLE_TELEMETRY="yes")

    def run(*command: str) -> tuple[int, str]:
        done = subprocess.run(
            [dagster / "dagster", *command, "-f", str(file)],
            **{"env": variables, "cwd": tmp_path, "text": True},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        return done.returncode, done.stdout

    code, said = run("schedule", "list")
    assert code == 0 and "nightly_schedule" in said and "15 2 * * *" in said, said
    code, said = run("job", "execute", "-j", "nightly")
    assert code == 0, said
    told = set(re.findall(r"ASSET_MATERIALIZATION - Materialized value (\w+) (\w+)\.", said))
    assert {".".join(key) for key in told} == ALL
    assert copy.published() == ALL and copy.runs() == 1
    # Tables that are held back are not reported as materialized.
    copy.write("models/silver/broken.sql", BROKEN)
    code, said = run("job", "execute", "-j", "nightly")
    assert code != 0 and "ASSET_MATERIALIZATION" not in said
    assert "Nothing was published" in said


@pytest.fixture
def airflow(copy, tmp_path) -> Iterator:
    """Yield a function that runs `airflow *arguments` beside a running scheduler on SQLite."""
    folder = copy.root / "examples/schedules/airflow"
    commands = install(tmp_path / "venv", folder / "car_lakehouse.py")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    variables = copy.variables(
        AIRFLOW_HOME=str(tmp_path / "home"),
        AIRFLOW__CORE__DAGS_FOLDER=str(folder),
        AIRFLOW__CORE__LOAD_EXAMPLES="False",
        AIRFLOW__CORE__EXECUTION_API_SERVER_URL=f"http://127.0.0.1:{port}/execution/",
        AIRFLOW__API__HOST="127.0.0.1",
        AIRFLOW__API__PORT=str(port),
    )
    variables["PATH"] = f"{commands}{os.pathsep}{variables['PATH']}"

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [commands / "airflow", *arguments],
            **{"env": variables, "capture_output": True, "text": True},
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("db", "migrate")
    with (tmp_path / "standalone.log").open("w") as log:
        standalone = subprocess.Popen(
            [commands / "airflow", "standalone"],
            **{"env": variables, "stdout": log, "stderr": log, "start_new_session": True},
        )
    yield run
    os.killpg(standalone.pid, signal.SIGTERM)
    try:
        standalone.wait(30)
    except subprocess.TimeoutExpired:
        os.killpg(standalone.pid, signal.SIGKILL)


def wait_until(condition) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(5)


def test_airflow(copy, airflow, tmp_path):
    """The run is scheduled: once the DAG is unpaused, Airflow starts the run of last night."""

    def listed(*arguments: str) -> list[dict]:
        told = airflow(*arguments, "--output", "json")
        return json.loads(told[told.index("[{") :]) if "[{" in told else []

    def runs() -> list[str]:
        return [run["run_id"] for run in listed("dags", "list-runs", "car_lakehouse")]

    def tasks() -> dict[str, str]:
        states = listed("tasks", "states-for-dag-run", "car_lakehouse", runs()[0])
        return {task["task_id"]: task["state"] for task in states}

    wait_until(lambda: "car_lakehouse" in airflow("dags", "list"))
    airflow("dags", "unpause", "car_lakehouse")
    wait_until(runs)
    wait_until(lambda: {*tasks().values()} <= {"success", "failed", "upstream_failed", "skipped"})
    ended = tasks()
    failed = {task: state for task, state in ended.items() if state != "success"}
    logs = [log for task in failed for log in (tmp_path / "home/logs").rglob(f"task_id={task}/*")]
    assert failed == {}, [log.read_text()[-3000:] for log in logs]
    # There is a task for each table and its tests, but only one dbt command.
    models = {name.partition(".")[2] for name in ALL} - {"alert_rules"}
    assert ended.keys() >= {f"{name}.run" for name in models} | {"dbt_producer_watcher"}
    assert copy.published() == ALL
    assert copy.runs() == len(runs()) == 1
