"""Dagster definitions for this project: one asset per table, and one dbt command for all of them.

A table is reported as materialized when the build is published, not when its model has run. A build
that fails is held back and reports no event. Each event has the build's name, for a roll-back.

    pip install "dagster>=1.13,<2"          # in a separate environment
    CAR_LAKEHOUSE=/srv/car-lakehouse        # where this project is; `uv run dbt parse` there first
"""

import json
import os
import subprocess
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import dagster as dg

PROJECT = Path(os.environ["CAR_LAKEHOUSE"])
MANIFEST = json.loads((PROJECT / "target" / "manifest.json").read_text(encoding="utf-8"))
TABLES = {
    name: node
    for name, node in MANIFEST["nodes"].items()
    if node["resource_type"] in ("model", "seed", "snapshot")
}


PARENTS = {
    name: [each for each in MANIFEST["parent_map"][name] if each in TABLES] for name in TABLES
}


def asset(name: str) -> dg.AssetSpec:
    """Return the asset of a table."""
    return dg.AssetSpec(
        key_of(name),
        deps=[key_of(parent) for parent in PARENTS[name]],
        description=TABLES[name]["description"],
        group_name=TABLES[name]["schema"],
    )


def key_of(name: str) -> dg.AssetKey:
    """Return the asset key of a table: its schema and its name."""
    return dg.AssetKey([TABLES[name]["schema"], TABLES[name]["alias"]])


@dg.multi_asset(specs=[asset(name) for name in TABLES])
def lakehouse() -> Iterator[dg.MaterializeResult]:
    """Build all tables with one dbt command, and report each of them as materialized."""
    build = ["uv", "run", "dbt", "build", "--vars", "{lock_wait_seconds: 600}"]
    subprocess.run(build, cwd=PROJECT, check=True)
    history = ["uv", "run", "dbt-spark-contracts", "history", "--limit", "1", "--json"]
    (published,) = json.loads(subprocess.check_output(history, cwd=PROJECT))
    for name in TopologicalSorter(PARENTS).static_order():  # Dagster requires this order
        yield dg.MaterializeResult(asset_key=key_of(name), metadata=published)


nightly = dg.define_asset_job("nightly", selection="*")

defs = dg.Definitions(
    assets=[lakehouse],
    jobs=[nightly],
    schedules=[dg.ScheduleDefinition(job=nightly, cron_schedule="15 2 * * *")],
)
