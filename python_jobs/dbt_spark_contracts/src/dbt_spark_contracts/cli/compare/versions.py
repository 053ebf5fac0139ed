"""Finds a version of an Iceberg table: a branch, a tag, a snapshot, a run or a time."""

import re
from collections.abc import Callable
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from dbt_spark_contracts import tables
from dbt_spark_contracts.cli.compare.problem import CannotCompare
from dbt_spark_contracts.publish.command import is_run_name

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# gold.t version as of 'x', as in a query; gold.t.branch_x, as in Iceberg; gold.t@x, for short.
AS_OF = re.compile(
    r"(?P<name>\S+)\s+(?:for\s+)?(?:system_)?(?:version|timestamp|time)\s+as\s+of\s+"
    r"(?:timestamp\s*)?'?(?P<version>.+?)'?",
    re.IGNORECASE,
)
SELECTOR = re.compile(r"(?P<name>.+)\.(?:branch|tag|snapshot_id)_(?P<version>.+)")


def split(text: str) -> tuple[str, str]:
    """Return the name of a table and its version. Empty for the version that readers see."""
    text = text.strip()
    if found := AS_OF.fullmatch(text) or SELECTOR.fullmatch(text):
        return found["name"], found["version"].strip()
    name, _, version = text.partition("@")
    return name.strip(), version.strip()


# Returns when a run was published, as ISO 8601, or None if it was not.
Published = Callable[[str], "str | None"]


def snapshot(session: "SparkSession", table: str, version: str, published: Published) -> int:
    """Return the snapshot id of a version. For a time, it is the snapshot that readers saw then.

    Args:
        session: The session.
        table: The table's name.
        version: A branch, a tag, a snapshot id, a published run, or a time (UTC if it has no zone).
        published: Returns when a run was published.

    Raises:
        CannotCompare: If there is no such version.
    """
    loaded = tables.load_anew(session, table)
    ref = loaded.refs().get(version)
    if ref is not None:
        return ref.snapshotId()
    if re.fullmatch(r"\d{5,19}", version):
        if loaded.snapshot(int(version)) is None:
            raise CannotCompare(
                f"{table} has no snapshot {version} (or no longer): {_known(loaded)}"
            )
        return int(version)
    time = _time((published(version) or "") if is_run_name(version) else version)
    if time is None:
        kinds = "branch, tag, snapshot, published run or time"
        raise CannotCompare(f"{table} has no {kinds} {version!r}: {_known(loaded)}")
    millis = time.timestamp() * 1000
    earlier = [entry for entry in loaded.history() if entry.timestampMillis() <= millis]
    if not earlier:
        raise CannotCompare(f"{table} has no version {version} (or no longer): {_known(loaded)}")
    return max(earlier, key=lambda entry: entry.timestampMillis()).snapshotId()


def _known(loaded: Any) -> str:
    """Return the versions of a table in words: its refs and its newest snapshots."""
    refs = sorted(name for name in loaded.refs() if name != "main")
    newest = [str(each.snapshotId()) for each in loaded.snapshots()][-3:]
    return f"it has {', '.join(['main', *refs])}, and snapshots as {', '.join(newest) or 'none'}"


def _time(text: str) -> datetime | None:
    """Return an ISO 8601 time, in UTC if it has no zone. None if it is not a time."""
    if not re.match(r"\d{4}-\d\d-\d\d", text):
        return None
    try:
        # Python 3.10 does not parse Z.
        time = datetime.fromisoformat(re.sub("[zZ]$", "+00:00", text))
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=timezone.utc)
