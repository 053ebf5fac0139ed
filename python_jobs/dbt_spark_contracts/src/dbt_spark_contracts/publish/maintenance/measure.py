"""The state of a table, from Iceberg's metadata. No Spark job, and no change."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dbt_spark_contracts import tables
from dbt_spark_contracts.compat import iceberg
from dbt_spark_contracts.publish import branches
from dbt_spark_contracts.publish.maintenance.limits import SMALL, Limits
from dbt_spark_contracts.publish.maintenance.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_DATA, _DELETES = "BinPackRewriteFilePlanner", "BinPackRewritePositionDeletePlanner"


@dataclass(frozen=True)
class Rewrite:
    """What Iceberg would rewrite: this number of files, into that number."""

    files: int = 0
    into: int = 0


@dataclass(frozen=True)
class Measured:
    """What was counted in main of a table, and in its metadata.

    Attributes:
        files: The data files.
        delete_files: The delete files.
        small: The files that Iceberg would merge, or split, because of their size.
        deleted_from: The data files that have too many deletes.
        small_deletes: The delete files that Iceberg would merge.
        manifests: The manifests.
        small_manifests: The small ones that would be merged.
        snapshots: The snapshots, of all branches.
        expirable: The snapshots that are old enough and needed by no branch or tag.
        metadata_files: The old metadata files that Iceberg knows of.
        metadata_bytes: What a reader loads before it reads rows: the current metadata file and the
            manifests.
    """

    files: int = 0
    delete_files: int = 0
    small: Rewrite = Rewrite()
    deleted_from: Rewrite = Rewrite()
    small_deletes: Rewrite = Rewrite()
    manifests: int = 0
    small_manifests: Rewrite = Rewrite()
    snapshots: int = 0
    expirable: int = 0
    metadata_files: int = 0
    metadata_bytes: int = 0

    @property
    def small_share(self) -> float:
        """The share of data files that Iceberg would merge."""
        return self.small.files / self.files if self.files else 0.0

    @property
    def untidy(self) -> int:
        """How many files and snapshots maintenance would remove. The worst table has the most."""
        rewrites = (self.small, self.deleted_from, self.small_deletes, self.small_manifests)
        return sum(each.files for each in rewrites) + self.expirable


def measure(
    session: "SparkSession", table: str, limits: Limits, dead: Iterable[str] = ()
) -> Measured:
    """Measure a table in its current state.

    Args:
        session: The session.
        table: Its name.
        limits: Its limits.
        dead: Its branches and tags that are about to be dropped. They keep no snapshot.

    Returns:
        What was counted.
    """
    loaded = tables.load_anew(session, table)
    settings = limits.settings
    snapshot = loaded.currentSnapshot()
    found = (
        [] if snapshot is None else [_Manifest.of(m) for m in snapshot.allManifests(loaded.io())]
    )
    files = sum(each.files for each in found if each.is_data)
    delete_files = sum(each.files for each in found if not each.is_data)
    # Iceberg's planner reads the manifests. What they count decides whether it has to.
    has_enough = files >= settings.small_files
    has_deletes = delete_files > 0
    has_small_deletes = bool(settings.small_delete_files) and delete_files > 1
    current = loaded.operations().current()
    length = loaded.io().newInputFile(current.metadataFileLocation()).getLength()
    return Measured(
        files,
        delete_files,
        _planned(session, _DATA, loaded, small_files(limits)) if has_enough else Rewrite(),
        _planned(session, _DATA, loaded, deletes(limits)) if has_deletes else Rewrite(),
        _planned(session, _DELETES, loaded, small_delete_files(settings))
        if has_small_deletes
        else Rewrite(),
        len(found),
        _small_manifests(found, loaded.spec().specId(), limits.manifest_size),
        sum(1 for _ in loaded.snapshots()),
        _expirable(loaded, limits, dead),
        current.previousFiles().size(),
        length + sum(each.length for each in found),
    )


# The options of Iceberg's actions: measuring and acting use the same.


def small_files(limits: Limits) -> dict[str, str]:
    """Return the options that rewrite files by their size only."""
    return {
        "target-file-size-bytes": str(limits.file_size),
        "min-file-size-bytes": str(int(limits.file_size * SMALL)),
        "min-input-files": str(limits.settings.small_files),
        "delete-ratio-threshold": "1.0",
    }


def deletes(limits: Limits) -> dict[str, str]:
    """Return the options that rewrite files by their deletes only."""
    settings = limits.settings
    options = {
        "target-file-size-bytes": str(limits.file_size),
        "min-file-size-bytes": "0",
        "max-file-size-bytes": str(limits.file_size * 1_000_000),
        "min-input-files": str(2**31 - 1),
        "delete-ratio-threshold": str(settings.deleted_row_ratio or 1.0),
        "remove-dangling-deletes": "true",
    }
    if settings.deletes_per_file:
        options["delete-file-threshold"] = str(settings.deletes_per_file)
    return options


def small_delete_files(settings: Settings) -> dict[str, str]:
    """Return the options that merge delete files."""
    return {"min-input-files": str(settings.small_delete_files)}


@dataclass(frozen=True)
class _Manifest:
    is_data: bool
    spec: int
    files: int
    length: int

    @classmethod
    def of(cls, manifest: Any) -> "_Manifest":
        return cls(
            manifest.content().toString() == "DATA",
            manifest.partitionSpecId(),
            manifest.addedFilesCount() + manifest.existingFilesCount(),
            manifest.length(),
        )


def _planned(session: "SparkSession", planner: str, loaded: Any, options: dict) -> Rewrite:
    if loaded.currentSnapshot() is None:
        return Rewrite()
    # An option of the action, not of its planner.
    options = {name: value for name, value in options.items() if name != "remove-dangling-deletes"}
    groups = iceberg.rewrite_plan(session, planner, loaded, options)
    files = into = 0
    while groups.hasNext():
        group = groups.next()
        files += group.inputFileNum()
        into += group.expectedOutputFiles()
    return Rewrite(files, into)


def _small_manifests(found: list[_Manifest], spec: int, target: int) -> Rewrite:
    """Return what `rewriteManifests` would merge. It leaves other partition specs alone."""
    small = [each for each in found if each.length < target * SMALL and each.spec == spec]
    into = sum(
        math.ceil(sum(each.length for each in small if each.is_data is is_data) / target)
        for is_data in (True, False)
    )
    return Rewrite(len(small), into) if into < len(small) else Rewrite()


def _expirable(loaded: Any, limits: Limits, dead: Iterable[str]) -> int:
    time = limits.expires_before()
    if time is None:
        return 0
    changes = loaded.newTransaction()  # it is never committed
    branches.without(changes.manageSnapshots(), {name: loaded.refs().get(name) for name in dead})
    expire = changes.expireSnapshots().expireOlderThan(time)
    if limits.settings.keep_snapshots is not None:
        expire = expire.retainLast(limits.settings.keep_snapshots)
    return sum(1 for _ in expire.apply())
