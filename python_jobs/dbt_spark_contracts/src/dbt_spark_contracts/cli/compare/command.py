"""`dbt-spark-contracts compare`: compares two tables by column and row. See docs/compare.md."""

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
@click.option("--old", required=True, metavar="TABLE", help="The old table.")
@click.option("--new", required=True, metavar="TABLE", help="The new table.")
@click.option("--key", multiple=True, help="Match rows by it. Default: the primary key.")
@click.option("--tolerance", multiple=True, metavar="COL=NUM", help="Allowed difference.")
@click.option("--ignore", multiple=True, metavar="COL", help="Ignore a column.")
@click.option("--examples", default=3, metavar="N", help="Examples per difference. Default: 3.")
@click.option("--show-marked", is_flag=True, help="Show values marked pii or silver_only.")
@click.option("--base", metavar="REF", help="Show what code changes since REF explain.")
@click.option("--lineage-before", type=Path, metavar="FILE", help="The same, by a lineage file.")
@click.option("--html", type=Path, metavar="FILE", help="Write the report as a page.")
@click.option("--json", "json_file", type=Path, metavar="FILE", help="Write JSON. -: stdout.")
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
        raise click.UsageError("use only one of --base and --lineage-before")
    if examples < 0:
        raise click.UsageError("--examples must be 0 or more")
    tolerances = dict(map(_tolerance, _names(tolerance)))
    # Not at the top: it imports dbt and pyspark.
    from dbt_spark_contracts.cli.compare.problem import CannotCompare
    from dbt_spark_contracts.cli.compare.review import Asked, review

    asked = Asked(
        old, new, _names(key), tolerances, _names(ignore), examples, show_marked, base,
        lineage_before,
    )  # fmt: skip
    try:
        with contextlib.redirect_stdout(sys.stderr):  # stdout is for the result only
            found = review(place, asked)
        _tell(found, html, json_file)
    except (CannotCompare, CannotOpen, CannotWrite) as error:
        print(f"Cannot compare: {harmless(str(error))}", file=sys.stderr)
        context.exit(CANNOT)
    context.exit(EQUAL if found.is_equal else DIFFERENT)


def _names(given: tuple[str, ...]) -> list[str]:
    """Return the names of a repeatable option, each of which may list several names."""
    return [name.strip() for text in given for name in text.split(",") if name.strip()]


def _tolerance(text: str) -> tuple[str, str]:
    """Return a column and its tolerance, as SQL."""
    name, _, number = text.rpartition("=")
    try:
        by = float(number)
    except ValueError:
        by = math.nan
    if not name or not 0 <= by < math.inf:
        raise click.UsageError(f"--tolerance {text}: write COLUMN=NUMBER, with 0 or more")
    return name.strip(), f"{by!r}D"


def _tell(found: "Comparison", html: Path | None, json_file: Path | None) -> None:
    """Write the report to the requested places."""
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
