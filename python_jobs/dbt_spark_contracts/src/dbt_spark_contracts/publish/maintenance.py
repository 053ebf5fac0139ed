"""Maintenance of Iceberg tables, with Iceberg's own actions."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from dbt_common.exceptions import DbtRuntimeError

from dbt_spark_contracts.connection import explained
from dbt_spark_contracts.publish import branches, java, tell
from dbt_spark_contracts.publish.command import BUILD, Command, is_number, is_run_name
from dbt_spark_contracts.publish.run import Run
from dbt_spark_contracts.schemas import plain
from dbt_spark_contracts.spark import session

# The minimum age of orphan files to delete, which is Iceberg's default. A writer without the lease
# may still be about to commit a younger file.
ORPHANS_AFTER = timedelta(days=3)

# The longest retention of snapshots: a hundred years.
MOST_DAYS = 36_500


@dataclass(frozen=True)
class Wanted:
    """What to do.

    Attributes:
        keep_days: The age in days at which snapshots expire.
        only: The names of the tables to maintain. Empty for all of the project.
        dry_run: Whether to only report what would be done.

    Raises:
        DbtRuntimeError: If `keep_days` is not a valid number of days.
    """

    keep_days: float
    only: list[str]
    dry_run: bool = False

    def __post_init__(self) -> None:
        if not is_number(self.keep_days) or not 0 <= self.keep_days <= MOST_DAYS:
            raise DbtRuntimeError(
                f"keep_days must be a number of days, from 0 to {MOST_DAYS}, and is "
                f"{self.keep_days!r}."
            )


def maintain(run: Run, command: Command, nodes: dict[str, dict], wanted: Wanted) -> list[dict]:
    """Drop branches of failed runs, compact files, expire snapshots and delete orphan files.

    Args:
        run: This command's run.
        command: This command.
        nodes: dbt's nodes.
        wanted: What to do.

    Returns:
        One row per table, with its files and snapshots before and after. A dry run changes nothing
        and returns the expected numbers.

    Raises:
        DbtRuntimeError: If a build runs, or a named table does not exist.
    """
    if wanted.dry_run:
        run.look(command, nodes)
    else:
        run.lock(command, nodes, "maintain")
    spark = session.get()
    with explained():
        own = [
            name
            for name in [*run.project_tables(), run.log.table, run.lock_table, *run.record_tables]
            if branches.find(spark, name) is not None
        ]
        chosen = _chosen(own, wanted.only)
        # A table outside the project only loses branches, no files.
        with_branches = chosen if wanted.only else run.tables_with_branches()
        dropped = {
            name: [ref for ref in refs if ref.startswith(f"{BUILD}_") and is_run_name(ref)]
            for name, refs in branches.refs(spark, {*with_branches, *chosen}).items()
        }
        if not wanted.dry_run:
            for name, refs in dropped.items():
                for ref in refs:
                    run.check_lease()
                    run.drop_branch(ref, [name])
        rows = []
        for name in chosen:
            if not wanted.dry_run:
                run.check_lease()
            rows.append(_looked_after(name, wanted, len(dropped.get(name, []))))
            tell.line(_in_words(rows[-1], wanted.dry_run))
    return rows


def _chosen(own: list[str], only: Iterable[str]) -> list[str]:
    """Return the tables that are asked for, or all of them.

    Raises:
        DbtRuntimeError: If a named table does not exist.
    """
    by_name = {plain(name).lower(): name for name in own}
    for name in only:
        if plain(name).lower() not in by_name:
            raise DbtRuntimeError(
                f"{name} is not a table of this project: {', '.join(sorted(by_name))}."
            )
    return [by_name[plain(name).lower()] for name in only] or own


def _looked_after(name: str, wanted: Wanted, branches_dropped: int) -> dict:
    """Maintain a table, or estimate it, and return its row."""
    spark = session.get()
    before = java.counts(spark, name)
    keep = timedelta(days=wanted.keep_days)
    if wanted.dry_run:
        expired = java.would_expire(spark, name, keep)
        orphans = java.would_delete(spark, name, ORPHANS_AFTER)
        after = before | {"snapshots": before["snapshots"] - expired}
    else:
        orphans = java.maintain(spark, name, keep, ORPHANS_AFTER)
        after = java.counts(spark, name)
    return {
        "table": name,
        "branches_dropped": branches_dropped,
        "files_before": before["files"],
        "files_after": after["files"],
        "snapshots_before": before["snapshots"],
        "snapshots_after": after["snapshots"],
        "orphan_files": orphans,
    }


def _in_words(row: dict, dry_run: bool) -> str:
    kept, removed = ("would be kept", "would be") if dry_run else ("are kept", "were")
    return (
        f"{row['table']}: {row['snapshots_after']} snapshots {kept}, {row['orphan_files']} orphan "
        f"files {removed} removed."
    )
