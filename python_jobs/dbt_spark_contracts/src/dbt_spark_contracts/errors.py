"""What went wrong in Spark, for people: the root cause, and none of Java's stack.

The stack stands in Spark's log.
"""

import re
from collections.abc import Iterable

_TRACEBACK = "Traceback (most recent call last):\n"
_SPARKS = r"site-packages[/\\]pyspark[/\\]|pyspark\.zip[/\\]"


def explain(error: BaseException, frames: Iterable[str] = ()) -> str:
    """The root cause of `error` in one line, then the `frames` given.

    Of an error in a Python worker (a UDF's) the cause is Python's, and its own frames come last.
    """
    if isinstance(error, SyntaxError):
        text = f"SyntaxError: {error.msg} ({error.filename}, line {error.lineno})"
        return _together(text, frames)
    said = str(error)
    if _TRACEBACK in said:
        # Frames are indented by blanks, Java's stack by a tab.
        told = re.match(r"((?:  .*\n)*)(.*)", said.rpartition(_TRACEBACK)[2])
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
    return _together(cause, frames)


def _together(cause: str, frames: Iterable[str]) -> str:
    return "".join([f"{cause.strip()}\n", *frames]).rstrip()
