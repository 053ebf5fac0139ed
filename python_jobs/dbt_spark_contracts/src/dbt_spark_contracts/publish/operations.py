"""What `dbt run-operation` does to published tables. Each takes the lease, as a build does."""

from datetime import date, datetime, timedelta, timezone

from dbt_common.exceptions import DbtRuntimeError

from dbt_spark_contracts import tables
from dbt_spark_contracts.connection import explained
from dbt_spark_contracts.publish import branches, java, log, tell
from dbt_spark_contracts.publish.branches import MAIN, Move
from dbt_spark_contracts.publish.command import BUILD, Command, is_number, is_run_name
from dbt_spark_contracts.publish.run import Run
from dbt_spark_contracts.spark import session

# Files that no snapshot knows are deleted when they are so old (Iceberg's own default): a writer
# that has no lease may be about to commit a younger one.
ORPHANS_AFTER = timedelta(days=3)

# The longest time that `maintain` keeps snapshots for: a hundred years.
MOST_DAYS = 36_500


def publish(run: Run, command: Command, nodes: dict[str, dict], branch: str) -> None:
    """Publish what a failed run has held back on its branch: all of its tables or none.

    Raises DbtRuntimeError if a build runs, if there is no such branch, or if one of its tables has
    been written since.
    """
    if not is_run_name(branch):
        raise DbtRuntimeError(f"{branch!r} is no branch of a run: a failed run says its branch.")
    run.lock(command, nodes, "publish")
    with explained():
        held = run.log.tables_of(branch)
        found = run.moves(branch, {*run.project_tables(), *held})
        run.check_can_be_published(branch, found, held)
        run.publish(branch, found, run.log.facts(branch).get("ran", []))


def roll_back(run: Run, command: Command, nodes: dict[str, dict], to: object) -> None:
    """Let main of every table be the snapshot that was published last at a time (UTC).

    All or none. Nothing is deleted. Raises DbtRuntimeError if a build runs, if `to` is no time, or
    if a snapshot of then has expired.
    """
    then = _time(to)
    run.lock(command, nodes, "roll_back")
    spark, name = session.get(), command.run_name("roll_back")
    with explained():
        published = run.log.published_at(then)
        found = []
        for table, refs in branches.refs(spark, {*run.project_tables(), *published}).items():
            main = refs.get(MAIN)
            if main is not None and published.get(table, main) != main:
                found.append(Move(table, main, published[table]))
        for move in found:
            if changed := branches.changed_columns(spark, move.table_name, move.to_snapshot_id):
                raise DbtRuntimeError(
                    f"{move.table_name}: {', '.join(changed)} changed since then, and a table has "
                    "one schema for all of its snapshots. Nothing was rolled back: read the rows "
                    f"of then by `select … from {move.table_name} version as of "
                    f"{move.to_snapshot_id}`."
                )
        for move in found:
            # What is not cleared up after yet proves that the lease is ours: see move_main.
            if not branches.add(spark, move.table_name, name, move.to_snapshot_id):
                run.drop_branch(name, [each.table_name for each in found])
                raise DbtRuntimeError(
                    f"The snapshot of {move.table_name} of that time has expired; nothing was "
                    "rolled back."
                )
        run.move(name, found, log.ROLLED_BACK)
    tell.line(f"{len(found)} tables are as they were published on {to}.")


def _time(to: object) -> datetime:
    """A time that is given as text, or as YAML reads it. Raises DbtRuntimeError."""
    try:
        if isinstance(to, date) and not isinstance(to, datetime):
            to = f"{to}T00:00"
        time = datetime.fromisoformat(_with_zone(str(to)))
    except ValueError:
        raise DbtRuntimeError(f"to must be a time like 2026-01-14 18:00, and is '{to}'.") from None
    return time if time.tzinfo else time.replace(tzinfo=timezone.utc)


def _with_zone(text: str) -> str:
    """The time with its zone as Python 3.10 reads it."""
    return f"{text[:-1]}+00:00" if text.endswith(("Z", "z")) else text


def maintain(run: Run, command: Command, nodes: dict[str, dict], keep_days: float) -> None:
    """What Iceberg's tables need from time to time, by Iceberg's own actions.

    Branches that failed runs have held back go, small files become larger ones, snapshots older
    than `keep_days` expire, and files that no snapshot knows are deleted when they are old enough.
    Raises DbtRuntimeError if a build runs.
    """
    if not is_number(keep_days) or not 0 <= keep_days <= MOST_DAYS:
        raise DbtRuntimeError(
            f"keep_days must be a number of days, from 0 to {MOST_DAYS}, and is {keep_days!r}."
        )
    run.lock(command, nodes, "maintain")
    spark = session.get()
    with explained():
        for name, refs in branches.refs(spark, run.tables_with_branches()).items():
            for ref in refs:
                if ref.startswith(f"{BUILD}_") and is_run_name(ref):
                    run.check_lease()
                    run.drop_branch(ref, [name])
        # Of a table that is not the project's only branches go, and no file.
        for name in [*run.project_tables(), run.log.table, run.lock_table]:
            if branches.find(spark, name) is None:
                continue
            run.check_lease()
            orphans = java.maintain(spark, name, timedelta(days=keep_days), ORPHANS_AFTER)
            kept = sum(1 for _ in tables.load(spark, name).snapshots())
            tell.line(
                f"{name}: {kept} snapshots are kept, {orphans} files that none of them knows "
                "were removed."
            )


def unlock(run: Run, command: Command, nodes: dict[str, dict]) -> None:
    """Take the lease away from a build that is dead, as the next build does by itself, and make
    good what it has left. Waits until that is certain.

    Raises DbtRuntimeError if that build renews its lease.
    """
    if not run.lock(command, nodes, "unlock", watch=True):
        tell.line("No build has the lock.")
