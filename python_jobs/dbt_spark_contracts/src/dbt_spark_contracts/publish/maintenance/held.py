"""Branches that runs have held back, and tags of published runs: which of them go."""

import time
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from dbt_spark_contracts import tables
from dbt_spark_contracts.publish import branches
from dbt_spark_contracts.publish.branches import MAIN, Move
from dbt_spark_contracts.publish.command import BUILD, is_run_name
from dbt_spark_contracts.publish.maintenance.limits import Limits
from dbt_spark_contracts.publish.tags import is_tag

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def dead(
    session: "SparkSession", refs: Mapping[str, Mapping[str, int]], limits: Mapping[str, Limits]
) -> dict[str, list[str]]:
    """Return the branches and tags of runs that are older than they are kept.

    A branch can be published as long as all of its tables have it. So it goes from all of them or
    from none. The branch of a killed run has gone before: who takes its lease drops it. A tag goes
    from each table alone, as its snapshots do. Iceberg expires most of them by their own age; these
    are left if snapshots are now kept for a shorter time.

    Args:
        session: The session.
        refs: The branches and tags of each table, as `branches.refs` returns them.
        limits: The limits of each table.

    Returns:
        The names by table, for each of the tables.
    """
    now = time.time()
    branch_ends: dict[str, float] = {}
    tag_ends: dict[tuple[str, str], float] = {}
    for name, ids in refs.items():
        loaded = tables.load(session, name)
        for ref, snapshot_id in ids.items():
            if not (_is_of_a_build(ref) or is_tag(ref)):
                continue
            written = loaded.snapshot(snapshot_id).timestampMillis() / 1000
            end = _end(written, limits[name].keep)
            if is_tag(ref):
                tag_ends[name, ref] = end
            else:
                branch_ends[ref] = max(end, branch_ends.get(ref, 0.0))
    return {
        name: [
            ref for ref in ids if tag_ends.get((name, ref), branch_ends.get(ref, now + 1)) <= now
        ]
        for name, ids in refs.items()
    }


def needed_since(
    session: "SparkSession", name: str, ids: Mapping[str, int], dead: list[str]
) -> int | None:
    """Return the time of the oldest snapshot of main that a held-back branch needs.

    Args:
        session: The session.
        name: The table.
        ids: Its branches and tags.
        dead: Its branches that are dropped.

    Returns:
        The time in milliseconds since 1970, or None if no branch of it can be published.
    """
    if MAIN not in ids:
        return None
    living = [ref for ref in ids if _is_of_a_build(ref) and ref not in dead]
    began = [branches.began_at(session, ref, Move(name, ids[MAIN], ids[ref])) for ref in living]
    return min((at for at in began if at is not None), default=None)


def _is_of_a_build(ref: str) -> bool:
    return ref.startswith(f"{BUILD}_") and is_run_name(ref)


def _end(written: float, keep: timedelta | bool) -> float:
    return written + keep.total_seconds() if isinstance(keep, timedelta) else float("inf")
