"""What a Python model takes from elsewhere than pyspark's API: files, programs, Java's objects.

No plan shows what is made of that, so it counts as collected. Python tells of what is opened or
started (`sys.addaudithook`), py4j of each call of Java.
"""

import ast
import functools
import inspect
import os
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Any

from py4j.java_gateway import JavaClass, JavaMember

# How the module of a model is called.
MODEL = "dbt_model_"

# What they open or call is not the model's doing, but dbt's, the guard's and pyspark's.
_OURS = ("dbt", "dbt_common", "dbt_spark_contracts", "pyspark", "py4j", "logging", "traceback")
# These hand values of Java's objects on.
_NOT_OURS = ("pyspark.ml", "pyspark.mllib")

# Of Python's audit events: what is read, and how it is told.
_READS = {
    "open": "the file {}",
    "os.listdir": "the names of the files in {}",
    "os.scandir": "the names of the files in {}",
    "subprocess.Popen": "what the program {} says",
    "os.posix_spawn": "what the program {} says",
    "os.exec": "what the program {} says",
    "os.system": "what a program says",
    "sqlite3.connect": "the database {}",
    "ctypes.dlopen": "the library {}",
}
# These read files and services by themselves, and Python does not know of it.
_LIBRARIES = frozenset(
    [
        "pyarrow",
        "duckdb",
        "polars",
        "datafusion",
        "deltalake",
        "connectorx",
        "adbc_driver_manager",
        "lance",
    ]
)
# By these a model finds what another one has left in the process.
_SHARED = frozenset(["builtins", "gc", "importlib", "runpy"])

# Where programs and libraries are, and facts about the machine.
_INSTALLED = tuple(
    f"{os.path.realpath(folder)}{os.sep}"
    for folder in {
        *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
        *("/usr/share/zoneinfo", "/etc", "/dev", "/proc", "/sys"),
    }
)

_PARSING = threading.Lock()


def watch(
    is_wanted: Callable[[], bool],
    told: Callable[[str], None],
    set_variable: Callable[[str], None],
) -> None:
    """Tell from now on what code reads by itself. It cannot be undone: call it once.

    Args:
        is_wanted: Whether a model runs; else nobody asks.
        told: Is given each thing, in words, in the thread that reads it.
        set_variable: Is given the name of each variable of the environment that is set.
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


def opaque_imports(source: str) -> tuple[list[str], bool]:
    """What a model's code imports by which values come in that nothing shows.

    Args:
        source: The code.

    Returns:
        The libraries that read by themselves; whether it shares a module with other models: one
        that is not installed, which keeps what a model leaves in it.
    """
    roots = {name.partition(".")[0] for name in _imported(source)}
    shares = any(root in _SHARED or not _is_installed(root) for root in roots)
    return sorted(roots & _LIBRARIES), shares


def changed_modules(source: str) -> str:
    """What a model's code sets of what it imports, as the code has it; none if it sets nothing."""
    tree = _parsed(source)
    imported = {
        (alias.asname or alias.name).partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    }
    for node in ast.walk(tree):
        of: ast.expr | None = None
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
            of = node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            of = node.args[0] if node.func.id == "setattr" and node.args else None
        if isinstance(of, ast.Name) and of.id in imported:
            return f"{ast.unparse(node)} = …" if isinstance(node, ast.Attribute) else "setattr(…)"
    return ""


@functools.lru_cache(maxsize=64)
def _parsed(source: str) -> ast.Module:
    # Python 3.11 counts the depth of all threads' trees by one counter, and raises SystemError
    # where two threads make one at once: dbt's threads do.
    with _PARSING:
        return ast.parse(source)


def _imported(source: str) -> Iterator[str]:
    for node in ast.walk(_parsed(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif isinstance(node, ast.Name) and node.id == "__import__":
            yield "importlib"


@functools.lru_cache(maxsize=1024)
def _is_installed(root: str) -> bool:
    """Is it a module of Python, of a library, or of the guard?"""
    if root in _OURS or root in sys.builtin_module_names:
        return True
    try:
        spec = find_spec(root)
    except (ImportError, ValueError):
        return False
    if spec is None:
        return False
    places = [spec.origin] if spec.has_location else [*(spec.submodule_search_locations or ())]
    return spec.origin in ("built-in", "frozen") or (
        bool(places) and all(map(_is_in_place, places))
    )


def _is_in_place(path: str | None) -> bool:
    return os.path.realpath(path or "").startswith(_INSTALLED)


def _read(event: str, arguments: tuple) -> str:
    """What an event reads, in words; none if that holds no data."""
    what = arguments[0] if arguments else ""
    if event == "open":
        flags = arguments[2] if len(arguments) > 2 else 0
        if isinstance(what, int) or (flags or 0) & os.O_ACCMODE == os.O_WRONLY:
            return ""
    if event == "ctypes.dlopen" and what is None:
        return ""
    path = os.fsdecode(what) if isinstance(what, (str, bytes, os.PathLike)) else str(what)
    if event not in ("subprocess.Popen", "os.posix_spawn", "os.exec") and _is_in_place(path):
        return ""
    return _READS[event].format(Path(path).name)


def _caller() -> FrameType | None:
    """Where the function that asks was called."""
    here = inspect.currentframe()
    asks = here.f_back if here else None
    return asks.f_back if asks else None


def _is_by_a_model(frame: FrameType | None) -> bool:
    """Does a model's code do that, or what it calls, and neither dbt nor pyspark for it?"""
    if frame is not None and _name(frame).startswith("importlib."):
        return False  # it looks for a module
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
        is_installed = is_installed and (file.startswith("<frozen") or _is_in_place(file))
        frame = frame.f_back
    return True  # a thread of its own


def _is_ours(name: str) -> bool:
    if name.startswith(_NOT_OURS):
        return False
    return name.partition(".")[0] in _OURS


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
