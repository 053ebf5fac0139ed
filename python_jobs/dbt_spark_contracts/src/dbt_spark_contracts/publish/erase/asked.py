"""What is to be erased, handed from the command line to the operation.

dbt writes the arguments of an operation into its log and its artifacts. A log that holds the value
would defeat the purpose, so the value goes past them, in this process.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from dbt_common.exceptions import DbtRuntimeError

# How the value is looked for in a column.
SAME = "same"  # the column, or a copy of it: the whole value
ORIGIN = "origin"  # what it was made of: the value inside of a text, or the whole of a number
TEXT = "text"  # what was made of the same origin, or of it: the value inside of a text
UNKNOWN = "unknown"  # no lineage: inside of a text, or the whole of a value of the same type
SKIP = "skip"  # made of something else

# What the erased value becomes inside of a text.
ERASED = "erased"


@dataclass(frozen=True)
class Asked:
    """What is to be erased.

    Attributes:
        value: The value, as a text.
        rules: How it is looked for, by dbt's unique id and the column's name in lower case. What is
            not named is UNKNOWN.
        types: The types of the columns that were named.
        rewrites: Whether to erase it, and not only to look.
    """

    value: str
    rules: Mapping[str, Mapping[str, str]]
    types: frozenset[str]
    rewrites: bool = False


_asked: list[Asked] = []


@contextmanager
def asking(asked: Asked) -> Iterator[None]:
    """Hand it to the operation that runs within."""
    _asked.append(asked)
    try:
        yield
    finally:
        _asked.pop()


def current() -> Asked:
    """Return what was handed over.

    Raises:
        DbtRuntimeError: If the operation was not called by the command line.
    """
    if not _asked:
        raise DbtRuntimeError(
            "dbt would keep the value in its logs: run `dbt-spark-contracts erase` instead."
        )
    return _asked[-1]
