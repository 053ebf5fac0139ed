"""What a reader that is not Spark sees of tables."""

from collections.abc import Iterable
from pathlib import Path

from pyiceberg.table import StaticTable

from python_jobs.current_metadata import current_metadata

# This project's.
TABLES = {
    "bronze": ["bronze_car_events"],
    "silver": ["stg_car_events", "silver_car_telemetry", "silver_rejected_events", "alert_rules"],
    "gold": ["gold_car_current_state", "gold_fuel_efficiency_monthly", "gold_performance_alerts"],
}
# `dbt build` without its tests, which do not change the tables.
BUILD_TABLES = ("build", "--resource-type", "model", "--resource-type", "seed")
# What a run says of itself; Silver's processing_timestamp is the event's. The number of a line says
# in which order the lines of a file are, and depends on which files a run reads.
RUN_TIME = {
    "bronze": {"ingested_at", "record_id", "record_number"},
    "silver": {"ingested_at", "record_id"},
    "gold": {"gold_processing_timestamp", "processing_timestamp", "alert_generated_timestamp"},
}


def tables_of(schema: str) -> list[str]:
    """The names of this project's tables, in namespaces of that prefix."""
    return [f"{schema}_{layer}.{name}" for layer, names in TABLES.items() for name in names]


def rows_of(home: Path, schema: str) -> dict[str, list[tuple]]:
    """The rows of each of this project's tables, without the times of the run."""
    versions = versions_of(home, tables_of(schema))
    return {name: rows for name, (_, rows) in versions.items()}


def versions_of(home: Path, tables: Iterable[str]) -> dict[str, tuple]:
    """The published snapshot of each table, and its rows, without the times of the run."""
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
    """A table of a lakehouse, by its newest metadata."""
    return StaticTable.from_metadata(current_metadata(table, home / "warehouse"))


def home_of(home: Path, schema: str, folder: Path) -> str:
    """A LAKEHOUSE_HOME in which Gold is the one of that prefix: for code that names no prefix."""
    (folder / "warehouse").mkdir(parents=True)
    gold = home / "warehouse" / f"{schema}_gold"
    (folder / "warehouse/gold").symlink_to(gold, target_is_directory=True)
    return str(folder)
