"""Detects what a Python model reads outside of pyspark's API: files, programs, Java objects.

No plan shows what a model does with it, so it counts as collected. Python reports what is opened or
started (`sys.addaudithook`). A wrapper around py4j reports each call of Java.
"""

import functools
import inspect
import os
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from py4j.java_gateway import JavaClass, JavaMember

# The prefix of a model's module name.
MODEL = "dbt_model_"

# Opens and calls by these packages do not count as the model's.
OURS = ("dbt", "dbt_common", "dbt_spark_contracts", "pyspark", "py4j", "logging", "traceback")
# These pass on values of Java objects, so they do count.
_NOT_OURS = ("pyspark.ml", "pyspark.mllib")

# Python's audit events for reads, with the words for messages.
_READS = {
    "open": "the file {}",
    "os.listdir": "the names of the files in {}",
    "os.scandir": "the names of the files in {}",
    "subprocess.Popen": "what the program {} says",
    "os.posix_spawn": "what the program {} says",
    "os.exec": "what the program {} says",
    "os.system": "what a program says",
    "os.fork": "what a process of its own says",
    "os.forkpty": "what a process of its own says",
    "sqlite3.connect": "the database {}",
    "ctypes.dlopen": "the library {}",
}
# The arguments of these may be installed files, but they are run, not read.
_OF_PROCESSES = ("subprocess.Popen", "os.posix_spawn", "os.exec", "os.fork", "os.forkpty")

# Folders of installed programs and libraries, and of facts about the machine.
_INSTALLED = tuple(
    f"{os.path.realpath(folder)}{os.sep}"
    for folder in {
        *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
        *("/usr/share/zoneinfo", "/etc", "/dev", "/proc", "/sys"),
    }
)


def watch(
    is_wanted: Callable[[], bool],
    told: Callable[[str], None],
    set_variable: Callable[[str], None],
) -> None:
    """Start to report what code reads on its own. It cannot be undone, so call it once.

    Args:
        is_wanted: Returns whether a model is running. Otherwise nothing is reported.
        told: Receives each thing in words, in the thread that reads it.
        set_variable: Receives the name of each environment variable that is set.
    """

    def audit(event: str, arguments: tuple) -> None:
        is_known = event in _READS or event == "os.putenv"
        if not is_known or not is_wanted() or not _is_by_a_model(_caller()):
            return
        if event == "os.putenv":
            set_variable(os.fsdecode(arguments[0]))
        elif text := _read(event, arguments):
            told(text)

    sys.addaudithook(audit)
    for owner in (JavaMember, JavaClass):
        setattr(owner, "__call__", _telling(owner.__call__, is_wanted, told))  # noqa: B010


def is_in_place(path: str | None) -> bool:
    return os.path.realpath(path or "").startswith(_INSTALLED)


def _read(event: str, arguments: tuple) -> str:
    """Return what an event reads, in words. Empty if it holds no data."""
    what = arguments[0] if arguments else ""
    if event == "open":
        flags = arguments[2] if len(arguments) > 2 else 0
        if isinstance(what, int) or (flags or 0) & os.O_ACCMODE == os.O_WRONLY:
            return ""
    if event == "ctypes.dlopen" and what is None:
        return ""
    path = os.fsdecode(what) if isinstance(what, (str, bytes, os.PathLike)) else str(what)
    if event not in _OF_PROCESSES and is_in_place(path):
        return ""
    return _READS[event].format(Path(path).name)


def _caller() -> FrameType | None:
    """Return the frame that called the asking function."""
    here = inspect.currentframe()
    asks = here.f_back if here else None
    return asks.f_back if asks else None


def _is_by_a_model(frame: FrameType | None) -> bool:
    """Return whether a model's code is responsible, and not dbt or pyspark on its behalf."""
    if frame is not None and _name(frame).startswith("importlib."):
        return False  # a search for a module
    is_installed = True
    while frame is not None:
        name = _name(frame)
        if name.startswith(MODEL):
            return True
        if name.startswith("importlib.") and is_installed:
            return False  # a library's own files
        if _is_ours(name):
            return False
        file = frame.f_code.co_filename
        is_installed = is_installed and (file.startswith("<frozen") or is_in_place(file))
        frame = frame.f_back
    return True  # a thread of the model's own


def _is_ours(name: str) -> bool:
    if name.startswith(_NOT_OURS):
        return False
    return name.partition(".")[0] in OURS


def _name(frame: FrameType) -> str:
    name = frame.f_globals.get("__name__") or ""
    return "importlib." if name.startswith("importlib._bootstrap") else str(name)


def _telling(
    call: Callable, is_wanted: Callable[[], bool], told: Callable[[str], None]
) -> Callable:
    @functools.wraps(call)
    def telling(self: Any, *arguments: Any) -> Any:
        caller = _caller() if is_wanted() else None
        if caller is not None and not _is_ours(_name(caller)):
            told("Spark's Java objects")
        return call(self, *arguments)

    return telling
