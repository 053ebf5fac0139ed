"""The limits of one table: its settings, and where they say nothing, its Iceberg properties."""

from dataclasses import dataclass
from datetime import timedelta
from time import time as now
from typing import Any, Literal

from dbt_spark_contracts.publish.maintenance.settings import Settings

KEEP = timedelta(days=7)
MEGABYTE = 1024 * 1024

# Iceberg's properties, and its defaults for those that it has a default for.
SNAPSHOT_AGE = "history.expire.max-snapshot-age-ms"
FILE_SIZE = ("write.target-file-size-bytes", 512 * MEGABYTE)
MANIFEST_SIZE = ("commit.manifest.target-size-bytes", 8 * MEGABYTE)
METADATA_FILES = ("write.metadata.previous-versions-max", 100)
DELETES_METADATA = "write.metadata.delete-after-commit.enabled"

# Iceberg calls a file small that is below this share of the target.
SMALL = 0.75


@dataclass(frozen=True)
class Limits:
    """What decides about one table.

    Attributes:
        settings: The declared settings.
        keep: The age at which snapshots expire, or False for never.
        file_size: The size of a compacted file, in bytes.
        manifest_size: The size of a merged manifest, in bytes.
        metadata_files: The number of old metadata files to keep, or False for all.
        deletes_metadata: Whether each commit deletes the metadata files that are no longer listed.
        needed_since: The time of the oldest snapshot that a held-back branch needs to be published,
            in milliseconds since 1970. None without such a branch.
    """

    settings: Settings
    keep: timedelta | Literal[False]
    file_size: int
    manifest_size: int
    metadata_files: int | Literal[False]
    deletes_metadata: bool
    needed_since: int | None = None

    @classmethod
    def of(cls, settings: Settings, properties: Any) -> "Limits":
        """Return the limits of a table.

        Args:
            settings: Its settings.
            properties: Its Iceberg properties, with `get`.

        Returns:
            The limits.
        """
        metadata_files = settings.metadata_files
        if metadata_files is None:
            is_kept_on_purpose = properties.get(DELETES_METADATA) == "false"
            metadata_files = False if is_kept_on_purpose else _number(properties, *METADATA_FILES)
        size = settings.target_file_size_mb
        return cls(
            settings,
            kept(settings, properties),
            _number(properties, *FILE_SIZE) if size is None else int(size * MEGABYTE),
            _number(properties, *MANIFEST_SIZE),
            metadata_files,
            properties.get(DELETES_METADATA) == "true",
        )

    def expires_before(self) -> int | None:
        """Return the time before which snapshots expire, in milliseconds. None for never."""
        if self.keep is False:
            return None
        time = before(self.keep)
        return time if self.needed_since is None else min(time, self.needed_since)


def kept(settings: Settings, properties: Any) -> timedelta | Literal[False]:
    """Return the age at which a table's snapshots expire, or False for never.

    Args:
        settings: The table's settings.
        properties: Its Iceberg properties, with `get`.
    """
    if settings.keep_days is False:
        return False
    if settings.keep_days is not None:
        return timedelta(days=settings.keep_days)
    if (age := properties.get(SNAPSHOT_AGE)) is not None:
        return timedelta(milliseconds=int(age))
    return KEEP


def before(age: timedelta) -> int:
    """Return the time this long ago, in milliseconds as Java counts."""
    return int((now() - age.total_seconds()) * 1000)


def _number(properties: Any, name: str, default: int) -> int:
    value = properties.get(name)
    return default if value is None else int(value)
