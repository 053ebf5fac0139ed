"""The messages for a run that publishes nothing, and for the reasons."""

import re
from collections.abc import Iterable
from typing import Any

from dbt_spark_contracts.publish import tell
from dbt_spark_contracts.publish.branches import Move
from dbt_spark_contracts.publish.lease import Record
from dbt_spark_contracts.publish.pending import Unpublished
from dbt_spark_contracts.publish.statements import shortened
from dbt_spark_contracts.schemas import plain

_BUILD_AGAIN = "Nothing was published: run `dbt build` again."


def failures(
    branch: str, moves: list[Move], failed: Iterable, unpublished: Unpublished
) -> list[str]:
    """Return lines on what failed and where to look.

    Args:
        branch: The branch.
        moves: Its tables.
        failed: The failed results.
        unpublished: The tables whose columns are about to change.

    Returns:
        The lines.
    """
    lines = [""]
    for result in failed:
        if result.status == "skipped":
            continue
        query = result.node.resource_type == "test" and result.failures and _query(result)
        rows = f" on {result.failures} rows:" if query else "."
        lines.append(f"{result.node.name} failed{rows}")
        on_branch = _on_branch(query or "", branch, moves, unpublished).strip()
        lines += [f"    {line}" for line in on_branch.splitlines() if line.strip()]
    return [*lines, where(branch, moves)]


def where(branch: str, moves: list[Move]) -> str:
    """Say that nothing was published, and which branch holds the tables."""
    if not moves:
        return "Nothing was published, and no table was written."
    return (
        f"Nothing was published: readers see what they saw before. {len(moves)} tables are held "
        f"back on the branch {branch}."
    )


def not_ended(branch: str, moves: list[Move], unfinished: int, refusal: str) -> list[str]:
    """Return lines on a run that ended without end_run, or that end_run refused to publish."""
    lines = [where(branch, moves)]
    if moves and unfinished:
        lines.append(f"{unfinished} nodes did not run. To go on: `dbt build`.")
    elif refusal:
        lines.append(refusal)
    elif moves:
        lines.append(f"end_run did not run to its end. To publish the tables: {by_hand(branch)}.")
    return lines


def exceeded(found: list[str], branch: str) -> str:
    """Say which limits a run exceeds, and how to publish it all the same."""
    return f"Held back: {'; '.join(found)}. If that is right, publish it: {by_hand(branch)}."


def nothing_to_retry(branch: str, tables: int) -> str:
    """Say that a retry had nothing to do, while its run holds back a branch."""
    return (
        f"`dbt retry` had nothing left to do. {tables} tables are held back on the branch "
        f"{branch}. To publish them: {by_hand(branch)}."
    )


def by_hand(branch: str) -> str:
    """Return the command that publishes a branch."""
    return f"`dbt run-operation publish --args '{{branch: {branch}}}'`"


def interrupted(branch: str, unfinished: int) -> str:
    """Say why a run cannot be retried."""
    return (
        f"The run of the branch {branch} was interrupted before {unfinished} of its nodes ran. "
        f"`dbt retry` does not know these nodes. {_BUILD_AGAIN}"
    )


def retried_on_main(branch: str) -> str:
    """Say why a run is not retried without a branch."""
    return (
        f"The tables of the retried run are held back on the branch {branch}. With "
        "`write_audit_publish: false` this retry would go on from main without them: leave the "
        "var out, or run `dbt build`. Nothing was written."
    )


def moved_on(table: str, branch: str) -> str:
    """Say why a branch cannot be published."""
    return f"{table} has been written since the branch {branch} was created. {_BUILD_AGAIN}"


def rolled_back(table: str, branch: str) -> str:
    """Say why a branch cannot be published."""
    return f"{table} was rolled back after the branch {branch} was held back. {_BUILD_AGAIN}"


def past_the_branch(table: str, sql: str, way_out: str) -> str:
    """Say why a statement is not run."""
    way_out = way_out or "Name the hook between begin_run and end_run"
    return (
        f"`{shortened(sql)}` is not run: readers of {table} would see it at once, "
        f"even if this build fails. {way_out}. If that is intended, use "
        "`--vars '{write_audit_publish: false}'`."
    )


def seen_at_once(table: str, sql: str) -> str:
    """Warn about such a statement in an operation."""
    return f"`{shortened(sql)}`: readers of {table} see it at once."


def clashes(table: str, branch: str, column: str) -> str:
    """Say why a branch cannot be published or continued."""
    return (
        f"{table} has had a column {column} since, which the branch {branch} would add. "
        f"{_BUILD_AGAIN}"
    )


def not_understood(committed: str) -> str:
    """Say why a run cannot be published."""
    return (
        f"This run has written {committed}, and no catalog of Spark's has a table of that name. "
        "Nothing was published: write to tables of a catalog, whose names have no dot in them."
    )


def waits_for(other: Record) -> None:
    """Print which build this command waits for."""
    tell.line(f"Waiting for {_who(other)}, until it ends or is silent for {other.term:.0f} s.")


def locked(other: Record) -> str:
    """Say why this command did not begin."""
    return (
        f"Another build of these tables runs: {_who(other)}. Wait until it has ended, or let this "
        "one wait: `--vars '{lock_wait_seconds: 600}'`. If it was killed on another machine, its "
        f"lock expires after {other.term:.0f} seconds."
    )


def has_the_lock(operation: str) -> str:
    """Say why an operation does not run in a hook of a build."""
    return (
        f"{operation} cannot run in a hook, because the build has locked the tables: run it as a "
        f"command of its own, `dbt run-operation {operation}`."
    )


def lost(other: "Record | None") -> str:
    """Say why this command may not publish."""
    by = f" by {_who(other)}" if other else ""
    return (
        f"The lock of these tables was taken over{by}, because this run seemed to be dead. "
        f"{_BUILD_AGAIN}"
    )


def _who(other: Record) -> str:
    dbt, host = other.process.get("dbt"), other.process.get("host")
    pid = dbt[0] if isinstance(dbt, list | tuple) and dbt else "?"
    return f"{other.run}, since {other.since}, process {pid} on {host or '?'}"


def _query(result: Any) -> str:
    return getattr(result.node, "compiled_code", None) or ""


def _on_branch(sql: str, branch: str, moves: list[Move], unpublished: Unpublished) -> str:
    """Return the query with each written table read from its branch.

    Columns that are not published yet exist only in the branch's snapshot. (Iceberg fails to filter
    by one, so the filter must stay above the limit.)
    """
    for move in moves:
        seen = rf"\g<0>.branch_{branch}"
        if plain(move.table_name) in unpublished.tables:
            as_of = f"from {move.table_name}.snapshot_id_{move.to_snapshot_id} limit {2**31 - 1})"
            seen = f"(select * {as_of}"
            if view := unpublished.views.get(plain(move.table_name)):
                columns = unpublished.columns[plain(move.table_name)]
                sql = sql.replace(view, f"(select {columns} {as_of}")
        table = rf"(?<![\w.`]){re.escape(move.table_name)}(?![\w.`])"
        sql = re.sub(table, seen, sql)
    return sql
