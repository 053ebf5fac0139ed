"""`dbt-spark-contracts contract`: write, exchange and compare contracts. See docs/contracts.md."""

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
    "--check", "--dry-run", "check", is_flag=True, help="Only show what would change."
)


@click.group()
def contract() -> None:
    """Write, exchange and compare the contracts of models.

    A contract is what a model's yml promises about its table: columns, types, nulls, keys.
    """


@contextmanager
def _explained() -> Iterator[None]:
    """End the command with one line if it cannot be carried out."""
    try:
        yield
    except (Cannot, CannotOpen, CannotWrite) as error:
        print(f"Cannot do it: {harmless(str(error))}", file=sys.stderr)
        click.get_current_context().exit(CANNOT)


@contract.command(
    epilog=explained(
        "the ymls have their contracts (with --check: they already had)",
        "with --check: a yml would change; or a yml has a column or a\n"
        "     not_null that the plan does not have (reported, and kept)",
    )
)
@click.argument("model", nargs=-1, required=True)
@CHECK
@click.option("--remove", is_flag=True, help="Remove columns that the model no longer has.")
@project_options
def generate(place: Place, model: tuple[str, ...], check: bool, remove: bool) -> None:
    """Write the contract of each MODEL into its yml, from its plan.

    It contains column names, types, not-nulls and keys that Spark proves, and the descriptions and
    marks of plain copies. Existing content of the yml stays. No rows of tables are read.
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
@click.option("--out", type=Path, metavar="FILE", help="The file. Default: stdout.")
@project_options
def export(place: Place, model: tuple[str, ...], out: Path | None) -> None:
    """Export the contracts of MODELs, or of all, to the Open Data Contract Standard.

    The document (ODCS 3.1) has owners, columns and types, keys, a classification from the marks,
    and service levels from the freshness of sources. What does not fit into ODCS is reported.
    """
    from dbt_spark_contracts.cli.contract.odcs.run import exported

    with _explained():
        made = exported(place, model)
        if out:
            write(out, made.text)
        else:
            show(made.text.splitlines())
    if made.left_out:
        print(f"Not exported: {', '.join(made.left_out)}", file=sys.stderr)


@contract.command(
    "import",
    short_help="Import contracts from the Open Data Contract Standard.",
    epilog=explained(
        "the ymls agree with FILE (with --check: they already did)",
        "with --check: a yml would change; or a yml has more than FILE\n     (reported, and kept)",
    ),
)
@click.argument("file", type=Path)
@CHECK
@project_options
def import_(place: Place, file: Path, check: bool) -> None:
    """Import the contracts of FILE, a document of the Open Data Contract Standard 3.

    Descriptions, types, not-nulls, keys and marks are written into the ymls of the models, in
    place. What does not fit into a yml is reported.
    """
    from dbt_spark_contracts.cli.contract.odcs.run import imported

    with _explained():
        _end(imported(place, file), check)


@contract.command(
    short_help="Compare contracts with the published tables.",
    epilog=explained("each table agrees with its contract", "differences: one line each"),
)
@click.argument("model", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list of objects.")
@project_options
def diff(place: Place, model: tuple[str, ...], as_json: bool) -> None:
    """Compare the contracts of MODELs, or of all, with the published tables.

    The comparison covers the names, types, nulls, comments and identifier fields of each table.
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
    """Show the difference or write the files, print the messages, and end."""
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
