"""Readable messages for Spark's errors: the root cause, without Java's stack.

The stack is in Spark's log.
"""

import re
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dbt_common.exceptions import CompilationError, DbtRuntimeError

_TRACEBACK = "Traceback (most recent call last):\n"
_DISK_FULL = "No space left on device"
_SPARKS = r"site-packages[/\\]pyspark[/\\]|pyspark\.zip[/\\]"


# The local folders that Spark writes to. Spark does not name them when a disk is full.
local_folders: list[str] = []


class PromiseBroken(CompilationError):
    """A staged model violates its contract or its marks.

    Args:
        rule: The kind of promise: leak or key.
        lines: Pairs of a column (or "") and the problem, in words.
        begins: The text above the lines.
        ways_out: What to do about it.

    Attributes:
        rule: As above, for programs that need more than the text.
        lines: As above.
        ways_out: As above.
    """

    def __init__(
        self,
        rule: str,
        lines: Iterable[tuple[str, str]],
        begins: str = "",
        ways_out: Iterable[str] = (),
    ) -> None:
        self.rule = rule
        self.lines = list(lines)
        self.ways_out = list(ways_out)
        told = "\n".join(line for _, line in self.lines)
        super().__init__("\n\n".join(part for part in (begins, told, *self.ways_out) if part))


def condition_of(error: Any) -> str:
    """Return Spark's name of this kind of error, or "". Spark 4 has renamed the method."""
    asked = getattr(error, "getCondition", None) or error.getErrorClass
    return asked() or ""


def explain(error: BaseException, frames: Iterable[str] = ()) -> str:
    """Return the root cause of an error in one line, followed by the given frames.

    For an error in a Python worker (a UDF), the cause is Python's, and its own frames come last.
    """
    if isinstance(error, SyntaxError):
        text = f"SyntaxError: {error.msg} ({error.filename}, line {error.lineno})"
        return _together(text, frames)
    if isinstance(error, DbtRuntimeError):
        return _together(error.msg, frames)
    said = str(error)
    if _TRACEBACK in said:
        # Frames are indented by blanks, Java's stack by tabs.
        told = re.match(r"((?:  .*\n)*)(.*)", said.rpartition(_TRACEBACK)[2])
        assert told  # both parts may be empty
        workers = re.split(r"(?m)^(?=  File )", told[1])
        own = [frame for frame in workers if not re.search(_SPARKS, frame)]
        return _together(told[2], [*frames, *own])
    lines = said.strip().splitlines() or [""]
    cause = getattr(error, "cause", None)
    if lines[0].endswith(":") and isinstance(cause, BaseException):
        return explain(cause, frames)  # `Error while instantiating 'SessionStateBuilder':`
    # `An error occurred while calling o58.sql.`, `: the error`, its stack, `Caused by: another`, …
    causes = [line.partition(": ")[2] for line in lines if re.match(r"(Caused by)?: ", line)]
    cause = causes[-1] if causes else f"{type(error).__name__}: {lines[0]}"
    # Iceberg's message for a catalog class that is not on the class path.
    if missing := re.search(r"^\tMissing .*\[(.*)\]$", said, re.MULTILINE):
        cause = f"{cause.rpartition(': ')[0]}: {missing[1]}"
    if "cancelled part of cancelled job tag" in cause:
        cause = "Cancelled: by Ctrl-C, or for another node's failure under --fail-fast"
    if cause.endswith(_DISK_FULL):
        cause += f": make room in {_fullest(local_folders)}"
    # Hadoop's message for a folder that it may not create.
    cause = re.sub(r".*Mkdirs failed to create (\S+) .*", r"Permission denied: to make \1", cause)
    return _together(cause, frames)


def plainly(text: str) -> str:
    """Return Spark's message about a statement, with a way out where the message is unclear."""
    no_views = re.search(r"a view is not supported by catalog: (\S+)", text)
    if no_views:
        return (
            f"Nothing was written: the catalog {no_views[1]} has no views: set "
            "`materialized: table`, or ephemeral; of a test, `store_failures_as: table`."
        )
    return text


def _fullest(folders: list[str]) -> str:
    """Return the folder with the least free disk space. Default: the temporary folder."""
    there = [folder for folder in [*folders, tempfile.gettempdir()] if Path(folder).is_dir()]
    return min(there, key=lambda folder: shutil.disk_usage(folder).free)


def _together(cause: str, frames: Iterable[str]) -> str:
    return "".join([f"{cause.strip()}\n", *frames]).rstrip()
