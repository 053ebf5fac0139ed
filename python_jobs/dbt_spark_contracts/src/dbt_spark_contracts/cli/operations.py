"""`dbt-spark-contracts maintain`, `history`, `publish`, `roll-back` and `unlock`.

Each runs the macro of its name, as `dbt run-operation` does, and prints the result as a table.
"""

import json
import sys
from collections.abc import Callable
from typing import Any

import click

from dbt_spark_contracts.cli.opened import CannotOpen, Place, one_line, project_options
from dbt_spark_contracts.cli.terminal import harmless, show, table

# dbt's events: a line for the user, and the reason why an operation stopped.
SAID = "Note"
STOPPED = ("RunningOperationCaughtError", "RunningOperationUncaughtError")

# Columns that only --json has, so that lines stay readable.
FOR_PROGRAMS = ("invocation_id", "from_snapshot_id", "to_snapshot_id")

# Columns that are shown only if a row has a value.
IF_ANY = ("reason",)

dry_run = click.option("--dry-run", is_flag=True, help="Only show what would be done.")
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")


@click.command()
@click.option("--keep-days", type=float, help="For all tables, instead of their settings.")
@click.option("--table", "only", multiple=True, metavar="TABLE", help="Only this; repeatable.")
@click.option("--budget", metavar="TIME", help="Begin nothing after this time, like 90s or 10m.")
@dry_run
@as_json
@project_options
def maintain(
    place: Place,
    keep_days: float | None,
    only: tuple,
    budget: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Keep the tables small and fast.

    Measures each table. Merges small files, delete files and manifests, and removes old snapshots,
    metadata files, orphan files, branches and checkpoints, as far as that is due by the meta
    `maintenance` in dbt_project.yml. The worst table is first. Takes the lock, as a build does.

    Exit codes: 0: all that was due is done. 1: the budget was used up before. 2: nothing was done,
    and a line says why.
    """
    arguments = {"keep_days": keep_days, "tables": [*only], "dry_run": dry_run, "budget": budget}
    rows = _run(place, "maintain", arguments, as_json, shown=maintained)
    steps = [step for row in rows for step in row.get("actions", ())]
    if not dry_run and not all(step["done"] for step in steps):
        sys.exit(1)


@click.command()
@click.option("--limit", default=20, show_default=True, help="How many lines at most.")
@as_json
@project_options
def history(place: Place, limit: int, as_json: bool) -> None:
    """List what was published, held back and rolled back.

    The newest comes first, in UTC. `roll-back` and `publish` take the values of `at` and `run`.
    """
    _run(place, "history", {"limit": limit}, as_json, is_told=False)


@click.command()
@click.argument("branch")
@dry_run
@as_json
@project_options
def publish(place: Place, branch: str, dry_run: bool, as_json: bool) -> None:
    """Publish what a failed run has held back on its BRANCH.

    All of its tables are published, or none.
    """
    _run(place, "publish", {"branch": branch, "dry_run": dry_run}, as_json)


@click.command("roll-back")
@click.argument("to")
@dry_run
@as_json
@project_options
def roll_back(place: Place, to: str, dry_run: bool, as_json: bool) -> None:
    """Roll all tables back to what was published at TO.

    TO is a time in UTC, like "2026-01-14 18:00", or the name of a published run. All tables are
    rolled back, or none. Nothing is deleted: a later roll-back can go forward again.
    """
    _run(place, "roll_back", {"to": to, "dry_run": dry_run}, as_json)


@click.command()
@project_options
def unlock(place: Place) -> None:
    """Take the lock from a dead build, and clean up after it.

    The next build does the same. The command waits until the build is certainly dead.
    """
    _run(place, "unlock", {}, False)


def without_ids(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row without what is for programs."""
    return {name: row[name] for name in row if name not in FOR_PROGRAMS}


def maintained(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of `maintain` that fits a line: a count before and after in one cell."""
    told: dict[str, Any] = {"table": row["table"]}
    for name in row:
        if name.endswith("_before"):
            kind = name.removesuffix("_before")
            before, after = row[name], row[f"{kind}_after"]
            told[kind] = f"{before}" if before == after else f"{before} -> {after}"
    told["branches"] = row.get("branches_dropped")
    told["orphans"] = row.get("orphan_files")
    steps = row.get("actions", ())
    told["actions"] = ", ".join(
        step["action"] if step["done"] else f"({step['action']})" for step in steps
    )
    return told


def _run(
    place: Place,
    operation: str,
    arguments: dict,
    as_json: bool,
    is_told: bool = True,
    shown: Callable[[dict[str, Any]], dict[str, Any]] = without_ids,
) -> list[dict[str, Any]]:
    """Run an operation and print its rows. On an error, the command exits with 2.

    Args:
        place: The project.
        operation: The macro's name.
        arguments: Its arguments.
        as_json: Whether to print the rows as JSON instead of a table.
        is_told: Whether to print its messages to stderr.
        shown: Returns a row as the table shows it.

    Returns:
        The rows.
    """

    def say(line: str) -> None:
        if is_told:
            print(harmless(line), file=sys.stderr)

    try:
        rows = told(place, operation, arguments, say)
    except CannotOpen as error:
        print(f"{operation.replace('_', '-')} failed: {harmless(str(error))}", file=sys.stderr)
        sys.exit(2)
    if as_json:
        show([json.dumps(rows, indent=2)])
    else:
        told_rows = [*map(shown, rows)]
        none = {name for name in IF_ANY if not any(row.get(name) for row in told_rows)}
        kept = [{name: row[name] for name in row if name not in none} for row in told_rows]
        show(map(harmless, table(kept)))
    return rows


def told(
    place: Place, operation: str, arguments: dict, say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Run an operation of the package.

    Args:
        place: The project.
        operation: The macro's name.
        arguments: Its arguments.
        say: Called with each message.

    Returns:
        The rows of the operation, usually one per table.

    Raises:
        CannotOpen: If it failed.
    """
    stopped: list[str] = []

    def on_event(event: Any) -> None:
        if event.info.name == SAID and event.info.level == "info":
            say(event.data.msg)
        elif event.info.name in STOPPED:
            stopped.append(event.data.exc)

    command = ("run-operation", f"dbt_spark_contracts.{operation}", "--args", json.dumps(arguments))
    done = place.dbt(*command, callbacks=(on_event,))
    if not done.success:
        raise CannotOpen(one_line(" ".join(stopped)) or "see logs/dbt.log")
    from dbt_spark_contracts.invocation import Invocation

    invocation = Invocation.last()
    if invocation is None:
        raise CannotOpen(
            "the profile's target is not a Spark session: choose another one with --target"
        )
    return invocation.told
