"""What Spark offers for tables by its own interfaces, but not in SQL."""

import time
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def remove_orphan_files(session: "SparkSession", table: str) -> int:
    """Delete the files of an Iceberg table that none of its snapshots knows. Out: how many.

    Iceberg's procedure of this name spares those of the last 24 hours, for a writer may be about to
    commit them. The caller holds the build's lock, so that there is none.
    """
    catalog = session.sql("select current_catalog()").first()[0]
    iceberg = session._jvm.org.apache.iceberg.spark
    action = iceberg.actions.SparkActions.get(session._jsparkSession).deleteOrphanFiles(
        iceberg.Spark3Util.loadIcebergTable(session._jsparkSession, f"{catalog}.{table}")
    )
    result = action.olderThan(int(time.time() * 1000)).execute()
    return sum(1 for _ in result.orphanFileLocations())


def stage_seed(
    session: "SparkSession", view: str, rows: Iterable[Iterable], types: dict[str, str]
) -> None:
    """Let the temporary view `view` stand for the rows that dbt has read from a seed's file.

    In: each row's values, in the order of `types`: column name to Spark type.
    """
    frame = session.createDataFrame(
        [tuple(map(_as_text, row)) for row in rows],
        ", ".join(f"`{name}` string" for name in types),
    )
    frame.selectExpr(
        *(f"cast(`{name}` as {type}) as `{name}`" for name, type in types.items())
    ).createOrReplaceTempView(view)


def _as_text(value) -> str | None:
    """A value as a SQL cast takes it."""
    if value is None:
        return None
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, date):  # a datetime too
        return value.isoformat()
    return str(value)
