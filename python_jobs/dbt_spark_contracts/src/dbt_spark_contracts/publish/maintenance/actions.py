"""The actions of maintenance, in their order. Each says why it is due, and calls Iceberg's own."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from dbt_spark_contracts import tables
from dbt_spark_contracts.compat.pyspark import java_classes, java_session
from dbt_spark_contracts.publish.maintenance import limits as properties
from dbt_spark_contracts.publish.maintenance import measure
from dbt_spark_contracts.publish.maintenance.limits import MEGABYTE, Limits, before
from dbt_spark_contracts.publish.maintenance.measure import Measured

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@dataclass(frozen=True)
class Action:
    """One of Iceberg's actions.

    Attributes:
        name: Its name in the result.
        why: Returns why it is due, or an empty string if it is not.
        act: Does it. Returns the number of deleted orphan files, or None.
    """

    name: str
    why: Callable[[Measured, Limits], str]
    act: Callable[["SparkSession", str, Limits], int | None]


def _why_compact(found: Measured, limits: Limits) -> str:
    ratio = limits.settings.small_file_ratio
    if ratio is False or not found.small.files or found.small_share < ratio:
        return ""
    return (
        f"{found.small.files} of {found.files} files are far from {_mb(limits.file_size)} MB "
        f"({found.small_share:.0%}, from {ratio:.0%} on)"
    )


def _compact(session: "SparkSession", table: str, limits: Limits) -> None:
    _rewrite_data(session, table, measure.small_files(limits))


def _why_apply_deletes(found: Measured, limits: Limits) -> str:
    settings = limits.settings
    if not found.deleted_from.files:
        return ""
    told = []
    if settings.deletes_per_file:
        told.append(f"{settings.deletes_per_file} delete files")
    if settings.deleted_row_ratio:
        told.append(f"{settings.deleted_row_ratio:.0%} of their rows deleted")
    if not told:
        return ""
    return f"{found.deleted_from.files} of {found.files} files have {' or '.join(told)}"


def _apply_deletes(session: "SparkSession", table: str, limits: Limits) -> None:
    _rewrite_data(session, table, measure.deletes(limits))


def _why_merge_deletes(found: Measured, limits: Limits) -> str:
    if not found.small_deletes.files:
        return ""
    return f"{found.small_deletes.files} of {found.delete_files} delete files are small"


def _merge_deletes(session: "SparkSession", table: str, limits: Limits) -> None:
    rewrite = _actions(session).rewritePositionDeletes(tables.load_anew(session, table))
    _with_options(rewrite, measure.small_delete_files(limits.settings)).execute()


def _why_merge_manifests(found: Measured, limits: Limits) -> str:
    least = limits.settings.small_manifests
    if least is False or found.small_manifests.files < least:
        return ""
    return (
        f"{found.small_manifests.files} of {found.manifests} manifests are small (from {least} on)"
    )


def _merge_manifests(session: "SparkSession", table: str, limits: Limits) -> None:
    _actions(session).rewriteManifests(tables.load_anew(session, table)).execute()


def _why_expire(found: Measured, limits: Limits) -> str:
    if not found.expirable or limits.keep is False:
        return ""
    return (
        f"{found.expirable} of {found.snapshots} snapshots are older than {_days(limits.keep)} and "
        "needed by no branch or tag"
    )


def _expire(session: "SparkSession", table: str, limits: Limits) -> None:
    expire = _actions(session).expireSnapshots(tables.load_anew(session, table))
    expire = expire.expireOlderThan(limits.expires_before())
    if limits.settings.keep_snapshots is not None:
        expire = expire.retainLast(limits.settings.keep_snapshots)
    expire.execute()


def _why_trim_metadata(found: Measured, limits: Limits) -> str:
    # Iceberg lists so many old files at most. What leaves a full list stays in the folder.
    if limits.metadata_files is False or found.metadata_files < limits.metadata_files:
        return ""
    if found.metadata_files == limits.metadata_files and limits.deletes_metadata:
        return ""
    return (
        f"{found.metadata_files} old metadata files are listed (to keep: {limits.metadata_files})"
    )


def _trim_metadata(session: "SparkSession", table: str, limits: Limits) -> None:
    # With these, each commit deletes the files that it takes off the list. This one does, too.
    update = tables.load_anew(session, table).updateProperties()
    update.set(properties.DELETES_METADATA, "true")
    update.set(properties.METADATA_FILES[0], str(limits.metadata_files)).commit()


def _why_delete_orphans(found: Measured, limits: Limits) -> str:
    days = limits.settings.orphan_days
    return "" if days is False else f"files older than {_days(timedelta(days=days))}"


def _delete_orphans(session: "SparkSession", table: str, limits: Limits) -> int:
    delete = _actions(session).deleteOrphanFiles(tables.load_anew(session, table))
    age = timedelta(days=limits.settings.orphan_days)
    return sum(1 for _ in delete.olderThan(before(age)).execute().orphanFileLocations())


COMPACT = Action("compact", _why_compact, _compact)
APPLY_DELETES = Action("apply deletes", _why_apply_deletes, _apply_deletes)
MERGE_DELETES = Action("merge delete files", _why_merge_deletes, _merge_deletes)
MERGE_MANIFESTS = Action("merge manifests", _why_merge_manifests, _merge_manifests)
EXPIRE = Action("expire snapshots", _why_expire, _expire)
TRIM_METADATA = Action("trim metadata", _why_trim_metadata, _trim_metadata)
DELETE_ORPHANS = Action("delete orphans", _why_delete_orphans, _delete_orphans)

# Files are merged before the snapshots expire that hold the old ones.
ACTIONS = (
    *(COMPACT, APPLY_DELETES, MERGE_DELETES, MERGE_MANIFESTS),
    *(EXPIRE, TRIM_METADATA, DELETE_ORPHANS),
)


def orphans(session: "SparkSession", table: str, limits: Limits) -> int:
    """Return how many orphan files would be deleted. Nothing is changed."""
    older = datetime.now(timezone.utc) - timedelta(days=limits.settings.orphan_days)
    return session.sql(
        f"call {tables.spelled(tables.current_catalog(session))}.system.remove_orphan_files("
        f"table => '{table}', older_than => timestamp '{older:%Y-%m-%d %H:%M:%S} UTC', "
        "dry_run => true)"
    ).count()


def _actions(session: "SparkSession") -> Any:
    actions = java_classes(session).org.apache.iceberg.spark.actions.SparkActions
    return actions.get(java_session(session))


def _rewrite_data(session: "SparkSession", table: str, options: dict[str, str]) -> None:
    rewrite = _actions(session).rewriteDataFiles(tables.load_anew(session, table))
    _with_options(rewrite, options).execute()


def _with_options(action: Any, options: dict[str, str]) -> Any:
    for name, value in options.items():
        action = action.option(name, value)
    return action


def _mb(size: int) -> str:
    return f"{size / MEGABYTE:g}"


def _days(age: timedelta) -> str:
    days = age / timedelta(days=1)
    return f"{days:g} day{'' if days == 1 else 's'}"
