"""`dbt-spark-contracts erase`: who holds a value, and erasing it, docs/erasing.md."""

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import click

from dbt_spark_contracts.cli.opened import CannotOpen, Place, open_project, project_options
from dbt_spark_contracts.cli.operations import told
from dbt_spark_contracts.cli.terminal import harmless, show, table

if TYPE_CHECKING:
    from dbt_spark_contracts.cli.erase.report import Report

OPERATION = "contracts__erase"
NOTHING, SOMETHING, CANNOT = 0, 1, 2
STDIN = "-"


@click.command(
    epilog="Exit codes: 0 nothing holds it (any more), files included; 1 something holds it; "
    "2 cannot look or erase."
)
@click.option("--column", required=True, metavar="COLUMN", help="Or MODEL.COLUMN, of one table.")
@click.option("--value", required=True, help="The value; - reads it from stdin.")
@click.option("--rewrite", is_flag=True, help="Erase it. Without, nothing is changed.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON in place of a table.")
@project_options
@click.pass_context
def erase(
    context: click.Context, place: Place, column: str, value: str, rewrite: bool, as_json: bool
) -> None:
    """List what still holds a person's value, and erase it with --rewrite.

    Looks into each snapshot, branch, tag and data file of the tables that column lineage names.
    Rows, texts and snapshots are rewritten; landing files are listed. Values are never printed.
    """
    if value == STDIN:
        value = sys.stdin.read().rstrip("\r\n")
    from dbt_spark_contracts.cli.lineage.project import CannotShow

    def say(line: str) -> None:
        print(harmless(line), file=sys.stderr)

    try:
        with contextlib.redirect_stdout(sys.stderr):  # what a program reads is stdout's alone
            report = _erase(place, column, value, rewrite, say)
    except (CannotOpen, CannotShow) as error:
        print(f"Cannot erase: {harmless(str(error))}", file=sys.stderr)
        context.exit(CANNOT)
    if as_json:
        show([json.dumps(report.as_dict(), indent=2)])
    else:
        show(map(harmless, table(report.table())))
        show(map(harmless, report.lines()))
    context.exit(SOMETHING if report.holds else NOTHING)


def _erase(
    place: Place, column: str, value: str, rewrite: bool, say: Callable[[str], None]
) -> "Report":
    """Run the operation.

    Returns:
        What it tells.

    Raises:
        CannotOpen: If it failed, or the value cannot be looked for.
        CannotShow: If there is no column lineage, or no such column.
    """
    from dbt_spark_contracts.cli.erase.related import find, related
    from dbt_spark_contracts.cli.erase.report import Report
    from dbt_spark_contracts.cli.lineage.project import read
    from dbt_spark_contracts.compat.dbt_adapters import last_target_path
    from dbt_spark_contracts.publish.erase.asked import ERASED, Asked, asking

    if not value.strip() or not value.isprintable():
        raise CannotOpen("the value is a text of one line, and not empty: name it, --value")
    if value in (ERASED, "null"):
        raise CannotOpen(
            "the value is the word that replaces an erased one: name a value of the person"
        )
    with _command_line_without_the_value(column):
        open_project(place)
        lineage = read(last_target_path())
        columns = related(lineage, find(lineage, column))
        with asking(Asked(value, columns.rules, columns.types, rewrite)):
            return Report(columns, told(place, OPERATION, {}, say), rewrite)


@contextlib.contextmanager
def _command_line_without_the_value(column: str) -> Iterator[None]:
    """Hide the value from dbt, which writes the process's command line to its log and artifacts."""
    given = sys.argv
    sys.argv = [given[0], "erase", "--column", column]
    try:
        yield
    finally:
        sys.argv = given
