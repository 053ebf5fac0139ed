"""Calls of Iceberg's Java API through the session."""

import time
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from dbt_spark_contracts import tables
from dbt_spark_contracts.compat.pyspark import java_classes, java_session
from dbt_spark_contracts.publish import tell
from dbt_spark_contracts.publish.sizes import size_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def process_number(session: "SparkSession") -> int:
    """Return the process id of the session's Java."""
    name = java_classes(session).java.lang.management.ManagementFactory.getRuntimeMXBean().getName()
    return int(name.partition("@")[0])


def as_list(session: "SparkSession", items: Iterable) -> Any:
    """Return a java.util.List of Java objects."""
    made = java_classes(session).java.util.ArrayList()
    for item in items:
        made.add(item)
    return made


def maintain(session: "SparkSession", table: str, keep: timedelta, orphans_after: timedelta) -> int:
    """Compact data files, expire snapshots and remove orphan files, with Iceberg's own actions.

    Args:
        session: The session.
        table: The table.
        keep: The age at which snapshots expire.
        orphans_after: The age at which orphan files are deleted.

    Returns:
        The number of orphan files that were deleted.
    """
    actions = java_classes(session).org.apache.iceberg.spark.actions.SparkActions
    of_session = actions.get(java_session(session))
    tell.change(f"{table}: rewrite its small data files")
    of_session.rewriteDataFiles(tables.load_anew(session, table)).execute()
    tell.change(f"{table}: expire snapshots older than {keep}")
    expire = of_session.expireSnapshots(tables.load_anew(session, table))
    expire.expireOlderThan(_before(keep)).execute()
    tell.change(f"{table}: delete orphan files older than {orphans_after}")
    delete = of_session.deleteOrphanFiles(tables.load_anew(session, table))
    orphans = delete.olderThan(_before(orphans_after)).execute().orphanFileLocations()
    tables.forget(session, table)
    return sum(1 for _ in orphans)


def counts(session: "SparkSession", table: str) -> dict[str, int]:
    """Return the number of `files` (data and deletes) of main, and of `snapshots` of the table."""
    loaded = tables.load_anew(session, table)
    files = size_of(loaded, loaded.currentSnapshot()).files
    return {"files": files, "snapshots": sum(1 for _ in loaded.snapshots())}


def would_expire(session: "SparkSession", table: str, keep: timedelta) -> int:
    """Return how many snapshots `maintain` would expire. Nothing is changed."""
    loaded = tables.load_anew(session, table)
    return sum(1 for _ in loaded.expireSnapshots().expireOlderThan(_before(keep)).apply())


def would_delete(session: "SparkSession", table: str, orphans_after: timedelta) -> int:
    """Return how many orphan files `maintain` would delete. Nothing is changed."""
    catalog, older = tables.current_catalog(session), datetime.now(timezone.utc) - orphans_after
    return session.sql(
        f"call {tables.spelled(catalog)}.system.remove_orphan_files(table => '{table}', "
        f"older_than => timestamp '{older:%Y-%m-%d %H:%M:%S} UTC', dry_run => true)"
    ).count()


def _before(age: timedelta) -> int:
    """Return the time this long ago, in milliseconds as Java counts."""
    return int((time.time() - age.total_seconds()) * 1000)
