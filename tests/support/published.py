"""What a reader that is not Spark sees of this project's tables."""

from pathlib import Path

from pyiceberg.table import StaticTable

TABLES = {
    "bronze": ["bronze_car_events"],
    "silver": ["stg_car_events", "silver_car_telemetry", "silver_rejected_events", "alert_rules"],
    "gold": ["gold_car_current_state", "gold_fuel_efficiency_monthly", "gold_performance_alerts"],
}
# `dbt build` without its tests, which do not change the tables.
BUILD_TABLES = ("build", "--resource-type", "model", "--resource-type", "seed")
# What a run says of itself; Silver's processing_timestamp is the event's.
RUN_TIME = {
    "bronze": {"ingested_at"},
    "silver": {"ingested_at"},
    "gold": {"gold_processing_timestamp", "processing_timestamp", "alert_generated_timestamp"},
}


def rows_of(home: Path, schema: str) -> dict[str, list[tuple]]:
    """The rows of each table, without the times of the run."""
    return {name: rows for name, (_, rows) in versions_of(home, schema).items()}


def versions_of(home: Path, schema: str, layers=tuple(TABLES)) -> dict[str, tuple]:
    """The published snapshot of each table, and its rows, without the times of the run."""
    versions = {}
    for layer in layers:
        for name in TABLES[layer]:
            table = published(home / f"warehouse/{schema}_{layer}/{name}/metadata")
            rows = table.scan().to_arrow()
            rows = rows.drop_columns(list(RUN_TIME[layer] & set(rows.column_names)))
            snapshot = table.current_snapshot()
            versions[name] = (
                snapshot and snapshot.snapshot_id,
                sorted((tuple(row.values()) for row in rows.to_pylist()), key=repr),
            )
    return versions


def published(metadata: Path) -> StaticTable:
    """A table by its newest metadata; the folder catalog's hint at it may be behind."""
    versions = metadata.glob("v*.metadata.json")
    newest = max(versions, key=lambda file: int(file.name[1:].partition(".")[0]))
    return StaticTable.from_metadata(str(newest))
