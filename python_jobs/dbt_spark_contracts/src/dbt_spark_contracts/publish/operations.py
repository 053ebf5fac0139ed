"""The operations of `dbt run-operation` on published tables.

Operations that make changes take the lease, as a build does. Each returns one row per table that it
changes, or would change in a dry run.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timezone

from dbt_common.exceptions import DbtRuntimeError

from dbt_spark_contracts import tables
from dbt_spark_contracts.connection import explained
from dbt_spark_contracts.publish import branches, log, record, tell
from dbt_spark_contracts.publish.branches import MAIN, Move
from dbt_spark_contracts.publish.command import ROLL_BACK, Command, is_run_name
from dbt_spark_contracts.publish.log import Seen
from dbt_spark_contracts.publish.ownership import Ownership
from dbt_spark_contracts.publish.publishing import Publishing
from dbt_spark_contracts.publish.run import Run
from dbt_spark_contracts.publish.sizes import rows_of_move
from dbt_spark_contracts.schemas import plain
from dbt_spark_contracts.spark import session

MOST_BUILDS = 1_000_000


def publish(
    run: Run, command: Command, nodes: dict[str, dict], branch: str, dry_run: bool = False
) -> list[dict]:
    """Publish what a failed run has held back on its branch: all tables or none.

    Args:
        run: This command's run.
        command: This command.
        nodes: dbt's nodes.
        branch: The branch of the failed run.
        dry_run: Whether to only check and report.

    Returns:
        One row per table.

    Raises:
        DbtRuntimeError: If a build runs, there is no such branch, one of its tables has been
            written since, or a table was rolled back.
    """
    if not is_run_name(branch):
        raise DbtRuntimeError(f"{branch!r} is not a branch of a run: a failed run says its branch.")
    owner, publishing = run.ownership, run.publishing
    _open(owner, command, nodes, "publish", dry_run)
    with explained():
        held = owner.log.tables_of(branch) if owner.has_log() else []
        found = publishing.moves(branch, {*owner.project_tables(), *held})
        publishing.check_can_be_resumed(branch, found, held)
        rows = [_row(move) for move in sorted(found, key=lambda move: move.table_name)]
        if dry_run:
            publishing.check_contracts(nodes, [move.table_name for move in found], branch)
            tell.line(f"{len(found)} tables would be published. Nothing was changed.")
        else:
            run.publish(branch, found, owner.log.facts(branch).get("ran", []))
    return rows


def roll_back(
    publishing: Publishing,
    command: Command,
    nodes: dict[str, dict],
    to: object,
    dry_run: bool = False,
) -> list[dict]:
    """Set main of every table to the snapshot that was current at a time.

    All tables roll back, or none. Nothing is deleted. A table that no run has published
    stays as it is.

    Args:
        publishing: What publishes for this command.
        command: This command.
        nodes: dbt's nodes.
        to: The time, in UTC unless it names a zone, or the name of a published run.
        dry_run: Whether to only check and report.

    Returns:
        One row per table whose main moves.

    Raises:
        DbtRuntimeError: If a build runs, `to` is neither a time nor a run, a snapshot has expired,
            or the log does not tell what readers saw.
    """
    then = None if is_run_name(to) else _micros(_time(to))
    owner = publishing.ownership
    _open(owner, command, nodes, ROLL_BACK, dry_run)
    spark, name = session.get(), command.run_name(ROLL_BACK)
    with explained():
        if then is None:
            then = owner.log.published_when(str(to)) if owner.has_log() else None
            if then is None:
                raise DbtRuntimeError(
                    f"No run {to} was published: see `dbt-spark-contracts history`."
                )
        published = owner.log.published_at(then) if owner.has_log() else {}
        back = [
            Move(table, refs[MAIN], published[table].snapshot_id)
            for table, refs in branches.refs(spark, published).items()
            if MAIN in refs
        ]
        for move in back:
            _check_is_kept(move)
        _check_is_known(back, published, then, to)
        found = [move for move in back if move.from_snapshot_id != move.to_snapshot_id]
        for move in found:
            if changed := branches.changed_columns(spark, move.table_name, move.to_snapshot_id):
                raise DbtRuntimeError(
                    f"{move.table_name}: {', '.join(changed)} changed since then, and a table has "
                    "one schema for all of its snapshots. Nothing was rolled back: read the rows "
                    f"of then by `select … from {move.table_name} version as of "
                    f"{move.to_snapshot_id}`."
                )
        rows = [_row(move) for move in sorted(found, key=lambda move: move.table_name)]
        _tell_of_others(owner.project_tables(), published, then)
        if dry_run:
            tell.line(f"{len(found)} tables would go back. Nothing was changed.")
            return rows
        for move in found:
            # The branch proves that this command still owns the lease: see move_main.
            if not branches.add(spark, move.table_name, name, move.to_snapshot_id):
                owner.drop_branch(name, [each.table_name for each in found])
                _check_is_kept(move)
        publishing.move(name, found, log.ROLLED_BACK)
    preposition = "by" if is_run_name(to) else "on"
    tell.line(f"{len(found)} tables are as they were published {preposition} {to}.")
    return rows


def history(owner: Ownership, command: Command, nodes: dict[str, dict], limit: int) -> list[dict]:
    """Print what was published, held back and rolled back, newest first.

    Args:
        owner: What this command owns.
        command: This command.
        nodes: dbt's nodes.
        limit: The maximum number of rows.

    Returns:
        The rows.

    Raises:
        DbtRuntimeError: If `limit` is not a valid number.
    """
    _check_limit(limit)
    owner.look(command, nodes)
    with explained():
        rows = owner.log.history(limit) if owner.has_log() else []
        by_run: dict[str, dict] = {}
        names = {row["run"] for row in rows}
        for found in record.read(session.get(), owner.record_tables, only=names) if rows else ():
            by_run.setdefault(found["run"], found)  # a retry goes on with the name: its newest
    for row in rows:
        row.update(_recorded(by_run.get(row["run"])))
        tell.line(f"{row['at']}  {row['status']:<11}  {row['run']}  {row['tables']} tables")
    return rows


def recorded(owner: Ownership, command: Command, nodes: dict[str, dict], limit: int) -> list[dict]:
    """The newest runs on record, with their nodes: see `record.read`.

    Args:
        owner: What this command owns.
        command: This command.
        nodes: dbt's nodes.
        limit: How many runs at most.

    Raises:
        DbtRuntimeError: `limit` is no number of runs.
    """
    _check_limit(limit)
    owner.look(command, nodes)
    with explained():
        return record.read(session.get(), owner.record_tables, limit)


def unlock(owner: Ownership, command: Command, nodes: dict[str, dict]) -> None:
    """Take the lease from a dead build and recover what it left, as the next build would do.

    Waits until the build is certainly dead.

    Args:
        owner: What this command owns.
        command: This command.
        nodes: dbt's nodes.

    Raises:
        DbtRuntimeError: If that build renews its lease.
    """
    if not owner.lock(command, nodes, "unlock", watch=True):
        tell.line("No build has the lock.")


def _check_limit(limit: object) -> None:
    """Check the number of builds.

    Raises:
        DbtRuntimeError: If it is not a valid number.
    """
    if type(limit) is not int or not 1 <= limit <= MOST_BUILDS:
        raise DbtRuntimeError(f"limit must be a number of builds, at least 1, and is {limit!r}.")


def _recorded(found: dict | None) -> dict:
    """Return what the record of a run adds to its history. Empty for a run without a record."""
    nodes = found["nodes"] if found else []
    return {
        "rows": sum(node["rows_written"] or 0 for node in nodes) if found else None,
        "files": sum(node["files_written"] or 0 for node in nodes) if found else None,
        "seconds": round(found["seconds"], 1) if found else None,
        "git_commit": found["git_commit"] if found else None,
        "reason": found["reason"] if found else None,
    }


def _open(
    owner: Ownership, command: Command, nodes: dict[str, dict], kind: str, dry_run: bool
) -> None:
    """Take the lease, or only look in a dry run.

    Raises:
        DbtRuntimeError: If a build runs.
    """
    if dry_run:
        owner.look(command, nodes)
    else:
        owner.lock(command, nodes, kind)


def _row(move: Move) -> dict:
    """Return what changes for a table."""
    now, after = rows_of_move(session.get(), move)
    return {
        "table": move.table_name,
        "rows_now": now,
        "rows_after": after,
        "from_snapshot_id": move.from_snapshot_id,
        "to_snapshot_id": move.to_snapshot_id,
    }


def _check_is_kept(move: Move) -> None:
    """Check that the snapshot to roll back to still exists.

    Raises:
        DbtRuntimeError: If it has expired.
    """
    if tables.load(session.get(), move.table_name).snapshot(move.to_snapshot_id) is None:
        raise DbtRuntimeError(
            f"The snapshot of {move.table_name} of that time has expired; nothing was rolled back."
        )


def _check_is_known(back: list[Move], published: Mapping[str, Seen], then: int, to: object) -> None:
    """Check that nothing else than the logged moves made the tables what readers saw at a time.

    A build that writes to main and a write by hand are not in the log.

    Raises:
        DbtRuntimeError: If something else may have written them before.
    """
    written = []
    for move in back:
        seen = published[move.table_name]
        later = move.from_snapshot_id if seen.until is None else seen.until
        if not seen.is_exact and branches.may_be_written_between(
            session.get(), move.table_name, seen.snapshot_id, later, then
        ):
            written.append(move.table_name)
    if written:
        raise DbtRuntimeError(
            f"{', '.join(sorted(written))}: written outside of the publish log before {to}, as by "
            "`write_audit_publish: false` or by hand, so it is not known what readers saw then. "
            "Nothing was rolled back: name an earlier time, or a run that published these tables."
        )


def _tell_of_others(names: Iterable[str], published: Iterable[str], then: int) -> None:
    """Name the tables that have changed since a time and stay so, because the log has none."""
    known = {plain(name).lower() for name in published}
    left = [
        name
        for name in names
        if plain(name).lower() not in known and branches.is_written_since(session.get(), name, then)
    ]
    if left:
        tell.line(f"Left as they are, because no run has published them: {', '.join(left)}.")


def _micros(time: datetime) -> int:
    return round(time.timestamp() * 1_000_000)


def _time(to: object) -> datetime:
    """Parse a time, given as text or as YAML reads it.

    Raises:
        DbtRuntimeError: If it is not a time.
    """
    try:
        if isinstance(to, date) and not isinstance(to, datetime):
            to = f"{to}T00:00"
        time = datetime.fromisoformat(_with_zone(str(to)))
    except ValueError:
        raise DbtRuntimeError(
            f"to must be a time like 2026-01-14 18:00, or the name of a run, and is '{to}'."
        ) from None
    return time if time.tzinfo else time.replace(tzinfo=timezone.utc)


def _with_zone(text: str) -> str:
    """Return the time with its zone in the format that Python 3.10 reads."""
    return f"{text[:-1]}+00:00" if text.endswith(("Z", "z")) else text
