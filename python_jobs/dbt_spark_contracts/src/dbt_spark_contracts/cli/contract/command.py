"""`dbt-spark-contracts contract`: write, exchange and compare contracts, docs/contracts.md."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dbt_spark_contracts.cli.contract.cannot import CANNOT, FINE, NO, Cannot, explained
from dbt_spark_contracts.cli.opened import CannotOpen, Place, project_options
from dbt_spark_contracts.cli.steps import step
from dbt_spark_contracts.cli.terminal import CannotWrite, harmless, show, write

if TYPE_CHECKING:
    from dbt_spark_contracts.cli.contract.yml.texts import NewTexts

CHECK = click.option(
    "--check", "--dry-run", "check", is_flag=True, help="Change nothing: show what would change."
)


@click.group()
def contract() -> None:
    """Write, exchange and compare the contracts of models.

    A contract is what a model's yml promises of its table: columns, types, nulls, keys.
    """


@contextmanager
def _explained() -> Iterator[None]:
    """End the command with one line if it cannot be done."""
    try:
        yield
    except (Cannot, CannotOpen, CannotWrite) as error:
        print(f"Cannot do it: {harmless(str(error))}", file=sys.stderr)
        click.get_current_context().exit(CANNOT)


@contract.command(
    epilog=explained(
        "the ymls have their contracts (as they had, with --check)",
        "with --check: a yml would change; or a yml says what the plan\n"
        "     does not, which stays: a column, a not_null (named)",
    )
)
@click.argument("model", nargs=-1, required=True)
@CHECK
@click.option("--remove", is_flag=True, help="Remove columns that the model has no more.")
@project_options
def generate(place: Place, model: tuple[str, ...], check: bool, remove: bool) -> None:
    """Write the contract of each MODEL into its yml, from its plan.

    Column names, types, not-nulls and keys that Spark proves; descriptions and marks of plain
    copies. What the yml says already stays. No table is read but its columns.
    """
    from dbt_spark_contracts.cli.contract.generate.run import generate as generated

    with _explained():
        with step(f"Analyzing {', '.join(model)}"):
            texts = generated(place, model, remove)
        _end(texts, check)


@contract.command(
    short_help="Export contracts to the Open Data Contract Standard.",
    epilog=explained("the document is written", "never"),
)
@click.argument("model", nargs=-1)
@click.option("--out", type=Path, metavar="FILE", help="The file; without, on the terminal.")
@project_options
def export(place: Place, model: tuple[str, ...], out: Path | None) -> None:
    """Export the contracts of MODELs, or of all, to the Open Data Contract Standard.

    ODCS 3.1: owners, columns and types, keys, classification by the marks, and service levels by
    the freshness of sources. What ODCS has no place for is named.
    """
    from dbt_spark_contracts.cli.contract.odcs.run import exported

    with _explained():
        made = exported(place, model)
        if out:
            write(out, made.text)
        else:
            show(made.text.splitlines())
    if made.left_out:
        print(f"Not in the document: {', '.join(made.left_out)}", file=sys.stderr)


@contract.command(
    "import",
    short_help="Take contracts over, of the Open Data Contract Standard.",
    epilog=explained(
        "the ymls say what FILE says (as they did, with --check)",
        "with --check: a yml would change; or a yml promises what FILE\n"
        "     does not, which stays (named)",
    ),
)
@click.argument("file", type=Path)
@CHECK
@project_options
def import_(place: Place, file: Path, check: bool) -> None:
    """Take the contracts of FILE over, of the Open Data Contract Standard, version 3.

    Descriptions, types, not-nulls, keys and marks go into the ymls of the models, in place. What a
    yml of a model has no place for is named.
    """
    from dbt_spark_contracts.cli.contract.odcs.run import imported

    with _explained():
        _end(imported(place, file), check)


@contract.command(
    short_help="Compare contracts with what is published.",
    epilog=explained("each table is as its contract says", "there are differences: a line each"),
)
@click.argument("model", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="A list of objects instead of lines.")
@project_options
def diff(place: Place, model: tuple[str, ...], as_json: bool) -> None:
    """Compare the contracts of MODELs, or of all, with what is published.

    Names, types, nulls, comments and identifier fields of each table, as the catalog has them.
    """
    from dbt_spark_contracts.cli.contract.compare import differences

    with _explained():
        found = differences(place, model)
    if as_json:
        print(json.dumps([each.as_dict() for each in found], indent=1, ensure_ascii=False))
    else:
        show(harmless(str(each)) for each in found)
    click.get_current_context().exit(NO if found else FINE)


def _end(texts: "NewTexts", check: bool) -> None:
    """Show the difference or write the files, say the rest, and end."""
    from dbt_spark_contracts.cli.contract.yml.difference import difference

    differing = texts.differing()
    for file, (before, after) in differing.items():
        if check:
            show(map(harmless, difference(texts.name(file), before, after)))
        else:
            write(file, after)
            print(f"{texts.name(file)} is written")
    show(map(harmless, [*texts.told, *texts.contradicted]))
    is_fine = not texts.contradicted and not (check and differing)
    click.get_current_context().exit(FINE if is_fine else NO)
