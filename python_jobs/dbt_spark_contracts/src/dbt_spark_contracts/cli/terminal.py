"""Output to a terminal, and to a named file."""

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
    """A file cannot be written. The message is one line, with the way out."""


def harmless(line: str) -> str:
    """Escape everything in a line that a terminal would not simply print.

    That is: control characters, which start commands to the terminal; line separators; characters
    that change the text direction; and halves of surrogate pairs.
    """
    return ORDERS.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), line)


def table(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield rows as the lines of a table with a header. Without rows, yield nothing."""
    return iter(
        tabulate(rows, headers="keys", missingval="", disable_numparse=True).splitlines()
        if rows
        else ()
    )


def show(lines: Iterable[str]) -> None:
    """Print the lines. Characters that the terminal cannot encode become question marks."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    try:
        for line in lines:
            print(line)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has closed the pipe, as in `| head`
        sys.stdout = None


def write(file: Path, text: str) -> None:
    """Write a text to a file.

    Raises:
        CannotWrite: If that fails.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CannotWrite(
            f"{file} cannot be written ({error.strerror}): choose another file"
        ) from None
