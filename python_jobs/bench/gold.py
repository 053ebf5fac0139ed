"""Reads the Gold tables of a contestant, reduced to what all contestants must agree on."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa
from pyiceberg.table import StaticTable

from python_jobs.current_metadata import current_metadata

TABLES = ("gold_car_current_state", "gold_fuel_efficiency_monthly", "gold_performance_alerts")

# The time of a run is not part of the result.
RUN_TIMES = {"gold_processing_timestamp", "processing_timestamp", "alert_generated_timestamp"}

# The last digits of a sum of doubles depend on the order of the rows. The offset moves the borders
# of rounding away from numbers of few digits, such as 7.7953125, which quotients often are.
DECIMALS, OFFSET = 6, 1.234567e-7


class DifferentGoldError(Exception):
    """Two contestants have built different tables, so their times cannot be compared."""


@dataclass(frozen=True)
class Content:
    """The number of rows of a table, and a checksum that does not depend on their order."""

    rows: int
    checksum: str


Gold = dict[str, Content]


def read_iceberg(warehouse: Path) -> Gold:
    """Return the Gold tables of a folder catalog, read without Spark."""

    def read(table: str) -> pa.Table:
        metadata = current_metadata(f"gold.{table}", warehouse)
        return StaticTable.from_metadata(metadata).scan().to_arrow()

    return {table: content(read(table)) for table in TABLES}


def content(table: pa.Table) -> Content:
    """Return the number of rows, and a checksum of their business columns.

    Columns are matched by name, and rows may have any order. Doubles are rounded, and
    timestamps are compared as instants.
    """
    names = sorted(set(table.column_names) - RUN_TIMES)
    columns = [_comparable(table[name]) for name in names]
    total = 0
    for row in zip(*columns, strict=True):
        digest = hashlib.blake2b(repr((names, row)).encode(), digest_size=16).digest()
        total = (total + int.from_bytes(digest, "big")) % (1 << 128)
    return Content(table.num_rows, f"{total:032x}")


def _comparable(column: pa.ChunkedArray) -> list:
    kind = column.type
    if pa.types.is_timestamp(kind):
        # Instants. A timestamp without a zone is in UTC.
        return column.cast(pa.timestamp("us")).cast(pa.int64()).to_pylist()
    values = column.to_pylist()
    if pa.types.is_floating(kind):
        return [None if value is None else round(value + OFFSET, DECIMALS) for value in values]
    if pa.types.is_date(kind):
        return [value and date.isoformat(value) for value in values]
    return values


def check_same(golds: Mapping[str, Gold]) -> None:
    """Compare the Gold tables of several runs.

    Args:
        golds: The tables, by the name of their contestant.

    Raises:
        DifferentGoldError: If they differ. The message names the tables and their contents.
    """
    lines = []
    for table in TABLES:
        found = {name: gold[table] for name, gold in golds.items()}
        if len(set(found.values())) > 1:
            lines.append(f"{table} differs between contestants:")
            for name, part in found.items():
                lines.append(f"  {name}: {part.rows} rows, checksum {part.checksum[:8]}")
    if lines:
        raise DifferentGoldError("\n".join(lines))
