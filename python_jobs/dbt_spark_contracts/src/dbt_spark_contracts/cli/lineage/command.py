"""`dbt-spark-contracts lineage`: which columns each column comes from, docs/lineage.md.

Shows what `dbt build` recorded in target/column_lineage.json.
"""

import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

import click

from dbt_spark_contracts.cli.lineage import page, tree
from dbt_spark_contracts.cli.lineage.project import CannotShow, Lineage, read
from dbt_spark_contracts.cli.terminal import CannotWrite, harmless, show, write


@click.command()
@click.option("--column", metavar="MODEL.COLUMN", help="Print a tree of a column's origins.")
@click.option("--downstream", is_flag=True, help="With --column: what depends on it.")
@click.option("--no-rows", is_flag=True, help="With --column: without row selection.")
@click.option(
    "--html",
    is_flag=False,
    flag_value="",
    metavar="[FILE]",
    help="Write a page of all columns. Default FILE: column_lineage.html among dbt's artifacts.",
)
@click.option("--openlineage", is_flag=True, help="Print a dataset event per model, as JSON lines.")
@click.option("--namespace", help="With --openlineage: of the datasets. Default: the catalog.")
@click.option(
    "--target-path",
    type=Path,
    default=Path("target"),
    show_default=True,
    help="The folder of dbt's artifacts.",
)
@click.pass_context
def lineage(
    context: click.Context,
    column: str | None,
    downstream: bool,
    no_rows: bool,
    html: str | None,
    openlineage: bool,
    namespace: str | None,
    target_path: Path,
) -> None:
    """Show which columns each column comes from.

    One of --column, --html and --openlineage: as a tree, as a page, as OpenLineage events.
    """
    if [column is not None, html is not None, openlineage].count(True) != 1:
        raise click.UsageError("use only one of --column, --html and --openlineage")
    if (downstream or no_rows) and not column:
        raise click.UsageError("--downstream and --no-rows need --column")
    if namespace and not openlineage:
        raise click.UsageError("--namespace needs --openlineage")
    try:
        recorded = read(target_path)
        if column is not None:
            show(map(harmless, column_tree(recorded, column, downstream, not no_rows)))
        elif openlineage:
            show(openlineage_lines(recorded, namespace))
        else:
            file = Path(html) if html else target_path / "column_lineage.html"
            write(file, page.html(recorded))
            print(f"{file}: open it in a browser")
    except (CannotShow, CannotWrite) as error:
        print(f"Cannot show: {harmless(str(error))}", file=sys.stderr)
        context.exit(2)


def column_tree(lineage: Lineage, column: str, downstream: bool, with_rows: bool) -> Iterable[str]:
    """Return the lines of a column's tree, in a readable width for the terminal."""
    width = max(80, min(120, shutil.get_terminal_size((100, 24)).columns))
    draw = tree.downstream if downstream else tree.upstream
    return draw(lineage, lineage.find(column), width, with_rows)


def openlineage_lines(lineage: Lineage, namespace: str | None) -> Iterable[str]:
    """Return the events as JSON lines.

    Raises:
        CannotShow: If the openlineage package is not installed.
    """
    try:
        from dbt_spark_contracts.cli.lineage import openlineage
    except ModuleNotFoundError as error:
        raise CannotShow(
            f"--openlineage needs {error.name}: install dbt-spark-contracts[openlineage]"
        ) from None
    return openlineage.lines(lineage, namespace)
