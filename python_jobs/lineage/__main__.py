"""Look at which columns each column comes from.

    python -m python_jobs.lineage --column MODEL.COLUMN [--downstream] [--no-rows]
    python -m python_jobs.lineage --html [FILE]
    python -m python_jobs.lineage --openlineage [--namespace URI]

Shows what `dbt build` recorded in target/column_lineage.json: a column's tree, the whole project as
one page, or OpenLineage events, a JSON line each (docs/lineage.md). Ends with 0, or 2 and a line on
stderr if there is nothing to show.
"""

import argparse
import io
import re
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from . import page, tree
from .project import CannotShow, Lineage, read

ORDERS = re.compile(
    "[\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069\\ud800-\\udfff]"
)


def main(arguments: list[str] | None = None) -> int:
    """Shows what the arguments ask for, and says by a number how it ended."""
    parser = argparse.ArgumentParser(
        prog="python -m python_jobs.lineage", description=__doc__.splitlines()[0]
    )
    ways = parser.add_mutually_exclusive_group(required=True)
    ways.add_argument("--column", metavar="MODEL.COLUMN", help="what this column comes from")
    ways.add_argument(
        "--html", nargs="?", const="", metavar="FILE", help="a page of all columns, to this file"
    )
    ways.add_argument("--openlineage", action="store_true", help="a dataset event for each model")
    parser.add_argument("--downstream", action="store_true", help="what comes from the column")
    parser.add_argument(
        "--no-rows", action="store_true", help="leave out what only chooses the rows"
    )
    parser.add_argument("--namespace", help="of the datasets; without it, the name of the catalog")
    parser.add_argument(
        "--target-path", type=Path, default=Path("target"), help="where dbt's artifacts are"
    )
    args = parser.parse_args(arguments)
    if args.downstream and not args.column:
        parser.error("--downstream goes with --column")
    if args.no_rows and not args.column:
        parser.error("--no-rows goes with --column")
    if args.namespace and not args.openlineage:
        parser.error("--namespace goes with --openlineage")
    try:
        lineage = read(args.target_path)
        if args.column:
            show(map(harmless, column_tree(lineage, args)))
        elif args.openlineage:
            show(openlineage_lines(lineage, args.namespace))
        else:
            file = Path(args.html) if args.html else args.target_path / "column_lineage.html"
            write(file, page.html(lineage))
            print(f"{file}: open it in a browser")
    except CannotShow as error:
        print(f"Cannot show: {harmless(str(error))}", file=sys.stderr)
        return 2
    return 0


def column_tree(lineage: Lineage, args: argparse.Namespace) -> Iterable[str]:
    """The lines of a column's tree, as wide as the terminal allows to be read."""
    width = max(80, min(120, shutil.get_terminal_size((100, 24)).columns))
    draw = tree.downstream if args.downstream else tree.upstream
    return draw(lineage, lineage.find(args.column), width, not args.no_rows)


def openlineage_lines(lineage: Lineage, namespace: str | None) -> Iterable[str]:
    """The lines of JSON. Raises CannotShow if the package that makes them is not there."""
    try:
        from . import openlineage
    except ModuleNotFoundError as error:
        raise CannotShow(
            f"--openlineage needs {error.name}: run it with `uv run --group openlineage python …`"
        ) from None
    return openlineage.lines(lineage, namespace)


def harmless(line: str) -> str:
    """A line for a terminal: what is no letter but tells it to do something stands there escaped.

    Those are control characters, with which its commands begin, separators of lines, what turns the
    order of letters, and halves of surrogate pairs.
    """
    return ORDERS.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), line)


def show(lines: Iterable[str]) -> None:
    """Prints the lines; what a terminal has no letter for becomes a question mark."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    try:
        for line in lines:
            print(line)
        sys.stdout.flush()
    except BrokenPipeError:  # who reads it has seen enough, as in `| head`
        sys.stdout = None


def write(file: Path, text: str) -> None:
    """Writes a text to a file. Raises CannotShow if that cannot be."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CannotShow(f"{file} cannot be written ({error.strerror}): name another") from None


if __name__ == "__main__":
    sys.exit(main())
