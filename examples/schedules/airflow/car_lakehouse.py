"""An Airflow DAG for this project: one dbt command, and a task for each of its nodes.

Cosmos's watcher mode runs `dbt build` once, in the task `dbt_producer_watcher`. The other tasks
wait for their node of that command and do not start dbt, so the build is published as a whole.
Tasks that read the tables must depend on the producer. A node's task ends when its rows are on the
branch of the build, and the producer ends when the tables are published.

    pip install "apache-airflow>=3,<4" "astronomer-cosmos>=1.15,<2"    # in a separate environment
    CAR_LAKEHOUSE=/srv/car-lakehouse                                   # where this project is
"""

import os
from datetime import datetime, timezone
from pathlib import Path

from cosmos import DbtDag, ExecutionConfig, ProfileConfig, ProjectConfig, RenderConfig
from cosmos.constants import ExecutionMode, InvocationMode, LoadMode, TestBehavior

PROJECT = Path(os.environ["CAR_LAKEHOUSE"])

car_lakehouse = DbtDag(
    dag_id="car_lakehouse",
    schedule="15 2 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    # A retry of a node's task would run dbt for that node alone, and publish it alone.
    default_args={"retries": 0},
    project_config=ProjectConfig(
        PROJECT,
        manifest_path=PROJECT / "target" / "manifest.json",  # `uv run dbt parse` writes it
        project_name="car_lakehouse",
        install_dbt_deps=False,
        # Cosmos runs dbt in a copy of the project, so paths must be absolute.
        dbt_vars={"landing_path": str(PROJECT / "landing"), "lock_wait_seconds": 600},
        env_vars={"LAKEHOUSE_HOME": os.environ.get("LAKEHOUSE_HOME", str(PROJECT / ".lakehouse"))},
    ),
    profile_config=ProfileConfig(
        profile_name="lakehouse",
        target_name="local",
        profiles_yml_filepath=PROJECT / "profiles.yml",
    ),
    execution_config=ExecutionConfig(
        execution_mode=ExecutionMode.WATCHER,
        # dbt is in the project's environment and Airflow in another one.
        invocation_mode=InvocationMode.SUBPROCESS,
        dbt_executable_path=PROJECT / ".venv" / "bin" / "dbt",
    ),
    render_config=RenderConfig(
        load_method=LoadMode.DBT_MANIFEST, test_behavior=TestBehavior.AFTER_EACH
    ),
)
