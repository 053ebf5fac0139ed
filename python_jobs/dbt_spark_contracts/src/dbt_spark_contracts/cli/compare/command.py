"""`dbt-spark-contracts compare`: two tables, column by column and row by row, docs/compare.md."""

import contextlib
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dbt_spark_contracts.cli.opened import CannotOpen, Place, project_options
from dbt_spark_contracts.cli.terminal import CannotWrite, harmless, show, write

if TYPE_CHECKING:
    from dbt_spark_contracts.cli.compare.result import Comparison

STDOUT = Path("-")
EQUAL, DIFFERENT, CANNOT = 0, 1, 2


@click.command(epilog="Exit codes: 0 equal, within the tolerances; 1 different; 2 cannot compare.")
@click.option("--old", required=True, metavar="TABLE", help="The one.")
@click.option("--new", required=True, metavar="TABLE", help="The other.")
@click.option("--key", multiple=True, help="Match rows by it; without, by the primary key.")
@click.option("--tolerance", multiple=True, metavar="COL=NUM", help="Numbers so near are equal.")
@click.option("--ignore", multiple=True, metavar="COL", help="Leave a column out.")
@click.option("--examples", default=3, metavar="N", help="How many, of each difference; 3.")
@click.option("--show-marked", is_flag=True, help="Show values marked pii or silver_only.")
@click.option("--base", metavar="REF", help="Tell what the change of code since REF explains.")
@click.option("--lineage-before", type=Path, metavar="FILE", help="The same, by a lineage file.")
@click.option("--html", type=Path, metavar="FILE", help="The report as a page.")
@click.option("--json", "json_file", type=Path, metavar="FILE", help="As JSON; - for stdout.")
@project_options
@click.pass_context
def compare(
    context: click.Context,
    place: Place,
    old: str,
    new: str,
    key: tuple[str, ...],
    tolerance: tuple[str, ...],
    ignore: tuple[str, ...],
    examples: int,
    show_marked: bool,
    base: str | None,
    lineage_before: Path | None,
    html: Path | None,
    json_file: Path | None,
) -> None:
    """Compare two tables, files, or versions: t@BRANCH, t@RUN, t@SNAPSHOT, t@TIME."""
    if base and lineage_before:
        raise click.UsageError("name one of --base and --lineage-before")
    if examples < 0:
        raise click.UsageError("--examples is a number from 0")
    tolerances = dict(map(_tolerance, _names(tolerance)))
    # Not at the top: it imports dbt and pyspark.
    from dbt_spark_contracts.cli.compare.problem import CannotCompare
    from dbt_spark_contracts.cli.compare.review import Asked, review

    asked = Asked(
        old, new, _names(key), tolerances, _names(ignore), examples, show_marked, base,
        lineage_before,
    )  # fmt: skip
    try:
        with contextlib.redirect_stdout(sys.stderr):  # what a program reads is stdout's alone
            found = review(place, asked)
        _tell(found, html, json_file)
    except (CannotCompare, CannotOpen, CannotWrite) as error:
        print(f"Cannot compare: {harmless(str(error))}", file=sys.stderr)
        context.exit(CANNOT)
    context.exit(EQUAL if found.is_equal else DIFFERENT)


def _names(given: tuple[str, ...]) -> list[str]:
    """The names of an option that may be given several times, and with several names each time."""
    return [name.strip() for text in given for name in text.split(",") if name.strip()]


def _tolerance(text: str) -> tuple[str, str]:
    """A column and by how much its numbers may differ, as SQL."""
    name, _, number = text.rpartition("=")
    try:
        by = float(number)
    except ValueError:
        by = math.nan
    if not name or not 0 <= by < math.inf:
        raise click.UsageError(f"--tolerance {text}: write it as COLUMN=NUMBER, from 0")
    return name.strip(), f"{by!r}D"


def _tell(found: "Comparison", html: Path | None, json_file: Path | None) -> None:
    """Write the report to wherever it is asked for."""
    from dbt_spark_contracts.cli.compare.report import page
    from dbt_spark_contracts.cli.compare.report.as_json import as_json
    from dbt_spark_contracts.cli.compare.report.text import report

    if html:
        write(html, page.html(found))
    if json_file == STDOUT:
        show([as_json(found).rstrip()])
        return
    if json_file:
        write(json_file, as_json(found))
    show(map(harmless, report(found)))
    if html:
        print(f"{html}: open it in a browser")
