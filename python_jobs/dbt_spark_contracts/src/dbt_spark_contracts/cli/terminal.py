"""What a command shows on a terminal, and writes to a file that was named."""

import io
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tabulate import tabulate

ORDERS = re.compile(
    "[\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069\\ud800-\\udfff]"
)


class CannotWrite(Exception):
    """Why a file cannot be written, and the way out, in one line."""


def harmless(line: str) -> str:
    """A line for a terminal: what is no letter but tells it to do something stands there escaped.

    Those are control characters, with which its commands begin, separators of lines, what turns the
    order of letters, and halves of surrogate pairs.
    """
    return ORDERS.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), line)


def table(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Rows as the lines of a table, below the names of their columns. None, if there is no row."""
    return iter(
        tabulate(rows, headers="keys", missingval="", disable_numparse=True).splitlines()
        if rows
        else ()
    )


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
    """Writes a text to a file. Raises CannotWrite if that cannot be."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CannotWrite(f"{file} cannot be written ({error.strerror}): name another") from None
