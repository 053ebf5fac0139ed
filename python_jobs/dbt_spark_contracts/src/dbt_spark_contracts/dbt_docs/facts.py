"""Facts about tables that `dbt docs` shows beside the columns. dbt calls them stats."""

from collections.abc import Iterable
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException

from dbt_spark_contracts import tables
from dbt_spark_contracts.publish.sizes import size_of

if TYPE_CHECKING:
    from agate import Table
    from pyspark.sql import SparkSession

# A fact's label, its value, and what it means.
Fact = tuple[str, Any, str]


def columns(facts: dict[str, Fact]) -> dict[str, Any]:
    """Return the facts as columns of dbt's catalog."""
    found = {}
    for id, (label, value, description) in facts.items():
        stat = {"label": label, "value": value, "description": description, "include": True}
        found.update({f"stats:{id}:{part}": stat[part] for part in stat})
    return found


def of_table(session: "SparkSession", table: str) -> dict[str, Fact]:
    """Return the number of rows of an Iceberg table, and when it was written. No Spark job.

    Args:
        session: The session.
        table: The table's name.

    Returns:
        The facts. Empty if it is not an Iceberg table, or was never written.
    """
    try:
        loaded = tables.load(session, table)
        newest = tables.tip(loaded, None)
        if not newest:
            return {}
        rows, millis = size_of(loaded, newest).rows, newest.timestampMillis()
    except (Py4JError, PySparkException):
        return {}
    written = datetime.fromtimestamp(millis / 1e3, timezone.utc)
    return {
        "rows": ("Rows", rows, "How many rows readers see"),
        "written": ("Written, UTC", f"{written:%Y-%m-%d %H:%M}", "When readers' rows were written"),
    }


def with_facts(session: "SparkSession", catalog: "Table", more: Iterable[dict]) -> "Table":
    """Return dbt's catalog with the facts of its tables, and with additional rows."""
    import agate
    from dbt_common.clients.agate_helper import build_type_tester

    rows = [dict(zip(catalog.column_names, row, strict=True)) for row in catalog.rows]
    known: dict[str, dict] = {}
    for row in rows:
        name = tables.spelled(row["table_schema"], row["table_name"])
        if name not in known:
            known[name] = columns(of_table(session, name))
        row.update(known[name])
    rows += more
    if not rows:
        return catalog
    # A schema's name may be a number.
    texts = {name for name in {name for row in rows for name in row} if _is_text(name)}
    return agate.Table.from_object(rows, column_types=build_type_tester(texts))


def _is_text(name: str) -> bool:
    return name.endswith((":label", ":description")) or name in (
        *("table_database", "table_schema", "table_name", "table_type", "table_comment"),
        *("table_owner", "column_name", "column_type", "column_comment"),
    )
