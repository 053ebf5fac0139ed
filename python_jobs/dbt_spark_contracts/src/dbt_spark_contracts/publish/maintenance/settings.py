"""What a node's meta declares about the maintenance of its table. Knows no Spark.

    models:
      shop:
        +meta: {maintenance: {keep_days: 7}}
        bronze:
          +meta: {maintenance: {keep_days: 30}}

dbt merges `meta` by its keys. `dbt_core.merge_meta` merges the settings below `maintenance`, too.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal

from dbt_common.exceptions import DbtRuntimeError

from dbt_spark_contracts.publish.command import is_number

# The key in a node's meta.
KEY = "maintenance"

# The longest retention: a hundred years.
MOST_DAYS = 36_500


@dataclass(frozen=True)
class Settings:
    """The settings of a table.

    `False` means that the action is not done. `None` means that the table's own properties decide,
    or else the defaults in `limits.py`.

    Attributes:
        keep_days: The age in days at which snapshots expire, and held-back branches are dropped.
        keep_snapshots: The number of main's newest snapshots that never expire.
        target_file_size_mb: The size of a compacted file.
        small_file_ratio: The share of files to merge, from which on they are merged.
        small_files: The number of small files of a partition, from which on they are merged.
        deletes_per_file: The number of delete files of a data file, from which on it is rewritten.
        deleted_row_ratio: The share of deleted rows of a data file, from which on it is rewritten.
        small_delete_files: The number of small delete files of a partition, from which on they are
            merged.
        small_manifests: The number of small manifests, from which on they are merged.
        metadata_files: The number of old metadata files that are kept.
        orphan_days: The age in days at which orphan files are deleted.
    """

    keep_days: float | Literal[False] | None = None
    keep_snapshots: int | None = None
    target_file_size_mb: float | None = None
    small_file_ratio: float | Literal[False] = 0.2
    small_files: int = 5
    deletes_per_file: int | Literal[False] = 10
    deleted_row_ratio: float | Literal[False] = 0.3
    small_delete_files: int | Literal[False] = 5
    small_manifests: int | Literal[False] = 20
    metadata_files: int | Literal[False] | None = None
    orphan_days: float | Literal[False] = 3


@dataclass(frozen=True)
class Range:
    """The numbers that a setting may be."""

    least: float
    most: float
    is_whole: bool = False
    may_be_off: bool = True

    def __contains__(self, value: object) -> bool:
        if value is False:
            return self.may_be_off
        if not is_number(value) or (self.is_whole and not isinstance(value, int)):
            return False
        return self.least <= value <= self.most  # type: ignore[operator]  # NaN is in no range

    def __str__(self) -> str:
        kind = "whole number" if self.is_whole else "number"
        off = ", or false" if self.may_be_off else ""
        return f"a {kind} from {self.least:g} to {self.most:.0f}{off}"


MILLION = 1_000_000
RANGES = {
    "keep_days": Range(0, MOST_DAYS),
    "keep_snapshots": Range(1, MILLION, is_whole=True, may_be_off=False),
    "target_file_size_mb": Range(0.001, MILLION, may_be_off=False),
    "small_file_ratio": Range(0, 1),
    "small_files": Range(2, MILLION, is_whole=True, may_be_off=False),
    "deletes_per_file": Range(1, MILLION, is_whole=True),
    "deleted_row_ratio": Range(0.001, 1),
    "small_delete_files": Range(2, MILLION, is_whole=True),
    "small_manifests": Range(2, MILLION, is_whole=True),
    "metadata_files": Range(1, MILLION, is_whole=True),
    # Iceberg's procedure refuses an interval of less than a day.
    "orphan_days": Range(1, MOST_DAYS),
}


def of_node(node: Mapping[str, Any]) -> Settings:
    """Return the settings of a node of dbt's graph.

    Raises:
        DbtRuntimeError: If its meta is wrong. The message is one line.
    """
    meta = (node.get("config") or {}).get("meta") or {}
    columns = {name: column.get("meta") or {} for name, column in node.get("columns", {}).items()}
    return read(str(node["name"]), meta, columns)


def read(
    name: str, meta: Mapping[str, Any], columns: Mapping[str, Mapping[str, Any]] | None = None
) -> Settings:
    """Return the settings in a meta.

    Args:
        name: The node, for the message.
        meta: Its meta.
        columns: The meta of its columns, by name.

    Returns:
        The settings.

    Raises:
        DbtRuntimeError: If a key is unknown or a value is wrong. The message is one line.
    """
    for line in _wrong(meta, columns or {}):
        raise DbtRuntimeError(f"{name}: {line}")
    declared = meta.get(KEY) or {}
    return Settings(**{key: value for key, value in declared.items() if value is not None})


def _wrong(meta: Mapping, columns: Mapping[str, Mapping]) -> Iterator[str]:
    """Yield what is wrong, one line each."""
    for column, of_column in columns.items():
        if KEY in of_column:
            yield f"meta {KEY} has no meaning at the column {column}: say it in the model's meta."
    for key in meta:
        if key != KEY and get_close_matches(str(key).lower(), [KEY], 1, 0.85):
            yield f"meta {key} has no meaning: it is spelt {KEY}."
    declared = meta.get(KEY)
    if declared is None:
        return
    if not isinstance(declared, Mapping):
        yield f"meta {KEY} is {declared!r}, and must be settings, as `{KEY}: {{keep_days: 7}}`."
        return
    for key, value in declared.items():
        if key not in RANGES:
            meant = get_close_matches(str(key).lower(), RANGES, 1)
            way_out = f"it is spelt {meant[0]}" if meant else f"there are {', '.join(RANGES)}"
            yield f"meta {KEY}: {key} is no setting: {way_out}."
        elif value is not None and value not in RANGES[key]:
            yield f"meta {KEY}: {key} is {value!r}, and must be {RANGES[key]}."
