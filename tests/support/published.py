"""Reads published tables with a client other than Spark: pyiceberg."""

from collections.abc import Iterable
from pathlib import Path

from pyiceberg.table import StaticTable

from python_jobs.current_metadata import current_metadata

# The tables of this project.
TABLES = {
    "bronze": ["bronze_car_events"],
    "silver": ["stg_car_events", "silver_car_telemetry", "silver_rejected_events", "alert_rules"],
    "gold": ["gold_car_current_state", "gold_fuel_efficiency_monthly", "gold_performance_alerts"],
}
# `dbt build` without the tests, which do not change tables.
BUILD_TABLES = ("build", "--resource-type", "model", "--resource-type", "seed")
# Columns that differ between runs. Silver's processing_timestamp is the event's own and does not.
# `record_number` orders the lines of a file, and depends on which files a run reads.
RUN_TIME = {
    "bronze": {"ingested_at", "record_id", "record_number"},
    "silver": {"ingested_at", "record_id"},
    "gold": {"gold_processing_timestamp", "processing_timestamp", "alert_generated_timestamp"},
}


def tables_of(schema: str) -> list[str]:
    """Return the names of this project's tables in the namespaces with that prefix."""
    return [f"{schema}_{layer}.{name}" for layer, names in TABLES.items() for name in names]


def rows_of(home: Path, schema: str) -> dict[str, list[tuple]]:
    """Return the rows of each of this project's tables, without the times of the run."""
    versions = versions_of(home, tables_of(schema))
    return {name: rows for name, (_, rows) in versions.items()}


def versions_of(home: Path, tables: Iterable[str]) -> dict[str, tuple]:
    """Return the published snapshot id of each table and its rows without the run's times."""
    versions = {}
    for table in tables:
        namespace, _, name = table.partition(".")
        static = published(table, home)
        rows = static.scan().to_arrow()
        run_time = RUN_TIME.get(namespace.rpartition("_")[2], set())
        rows = rows.drop_columns(list(run_time & set(rows.column_names)))
        snapshot = static.current_snapshot()
        versions[name] = (
            snapshot and snapshot.snapshot_id,
            sorted((tuple(row.values()) for row in rows.to_pylist()), key=repr),
        )
    return versions


def published(table: str, home: Path) -> StaticTable:
    """Return a table of a lakehouse by its newest metadata."""
    return StaticTable.from_metadata(current_metadata(table, home / "warehouse"))


def home_of(home: Path, schema: str, folder: Path) -> str:
    """Create a LAKEHOUSE_HOME whose Gold is that of a prefix, for code without prefixes."""
    (folder / "warehouse").mkdir(parents=True)
    gold = home / "warehouse" / f"{schema}_gold"
    (folder / "warehouse/gold").symlink_to(gold, target_is_directory=True)
    return str(folder)
