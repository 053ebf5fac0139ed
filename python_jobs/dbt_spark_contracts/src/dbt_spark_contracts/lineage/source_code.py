"""What a Python model's code reads and changes, found before it runs.

outside.py detects what the program reads while it runs. This module covers the rest.
"""

import ast
import functools
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TypeGuard

from dbt_spark_contracts.compat.cpython import parsed
from dbt_spark_contracts.lineage.outside import OURS, is_in_place
from dbt_spark_contracts.plan.tree import names

# Libraries that read files, services or memory natively, or in another process, which Python's
# audit events do not show.
_LIBRARIES = names("""
    pyarrow duckdb polars datafusion deltalake connectorx adbc_driver_manager lance pyiceberg ibis
    daft dask modin ray chdb lxml h5py tables fastparquet pyogrio fiona rasterio dbm
    psycopg psycopg2 pyodbc oracledb MySQLdb turbodbc
    ctypes _ctypes cffi multiprocessing joblib loky
""")
# Calls of these run code that is not in the file.
_MAKE_CODE = names("exec eval compile")
_IMPORT = names("__import__ import_module")
_PROCESSES = "ProcessPoolExecutor"
# Modules that let a model find what others have left anywhere in the process.
_REACH = names("builtins gc importlib inspect runpy")
_REACH_BY_SYS = names("modules _getframe _current_frames settrace setprofile")


@dataclass(frozen=True)
class Reads:
    """What a model's code reads that nothing else detects.

    Attributes:
        libraries: What it imports or calls that reads natively.
        shares_modules: Whether it imports a module of the project, which can keep values of a
            model.
        reaches_others: Whether it may find values of other models without a shared module.
    """

    libraries: tuple[str, ...] = ()
    shares_modules: bool = False
    reaches_others: bool = False


def reads(source: str) -> Reads:
    """Return what the code of a model reads that nothing else detects."""
    roots = {name.partition(".")[0] for name in _imported(source)}
    opaque = roots & _LIBRARIES | {*_opaque_calls(source)}
    shares = any(not _is_installed(root) for root in roots - _REACH)
    return Reads(tuple(sorted(opaque)), shares, bool(roots & _REACH))


def changed(source: str) -> str:
    """Return an assignment in a model's code to something that all models share.

    Shared are imported names, the arguments of `model`, and any class: `F.x`, `json.y.z[…]`,
    `spark.x`, `type(t).x`.

    Returns:
        The assignment as in the code, or an empty string.
    """
    tree = parsed(source)
    shared = {*_imported_names(tree), *_parameters_of_model(tree)}
    constants = {*_set_to_constants(tree)}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Attribute, ast.Subscript)) and not isinstance(node.ctx, ast.Load):
            # a constant option of a library holds no data
            is_own = isinstance(node.value, ast.Name)
            if _is_shared(node.value, shared) and (is_own or node not in constants):
                return f"{ast.unparse(node)} = …"
        elif _sets_an_attribute(node) and _is_shared(node.args[0], shared):
            return "setattr(…)"
    return ""


def _sets_an_attribute(node: ast.AST) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call) and _called(node) == "setattr" and bool(node.args)


def _is_shared(of: ast.expr, shared: set[str]) -> bool:
    """Return whether this is a shared name, a part of one, or a class."""
    while True:
        if isinstance(of, ast.Attribute) and of.attr in ("__class__", "__dict__", "__globals__"):
            return not _is_own_object(of.value)
        if isinstance(of, ast.Call):
            called = of.func.id if isinstance(of.func, ast.Name) else ""
            if called not in ("type", "vars") or not of.args:
                return False
            if called == "type":
                return not _is_own_object(of.args[0])
            of = of.args[0]
        elif isinstance(of, (ast.Attribute, ast.Subscript)):
            of = of.value
        else:
            return isinstance(of, ast.Name) and of.id in shared


def _is_own_object(of: ast.expr) -> bool:
    return isinstance(of, ast.Name) and of.id in ("self", "cls")


def _imported_names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from ((alias.asname or alias.name).partition(".")[0] for alias in node.names)


def _parameters_of_model(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == "model":
            yield from (argument.arg for argument in node.args.args)


def _set_to_constants(tree: ast.Module) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            yield from node.targets


def _imported(source: str) -> Iterator[str]:
    for node in ast.walk(parsed(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            if node.module == "sys" and any(alias.name in _REACH_BY_SYS for alias in node.names):
                yield "builtins"
        elif _is_by_name(node):
            yield "builtins"
        elif isinstance(node, ast.Call) and _called(node) in _IMPORT:
            yield from (
                first.value
                for first in node.args[:1]
                if isinstance(first, ast.Constant) and isinstance(first.value, str)
            )


def _is_by_name(node: ast.AST) -> bool:
    """Return whether this is a name that gives access to all modules without an import."""
    if isinstance(node, ast.Attribute):
        return node.attr in _REACH_BY_SYS
    return isinstance(node, ast.Name) and node.id in ("__import__", "__builtins__")


def _opaque_calls(source: str) -> Iterator[str]:
    """Yield the calls that import or run something the code does not name."""
    for node in ast.walk(parsed(source)):
        if isinstance(node, ast.Name) and node.id in _MAKE_CODE:
            yield node.id
        elif isinstance(node, ast.Call) and _called(node) in _IMPORT:
            if not node.args or not isinstance(node.args[0], ast.Constant):
                yield _called(node)
        elif isinstance(node, ast.ImportFrom):
            yield from (alias.name for alias in node.names if alias.name == _PROCESSES)
        elif isinstance(node, ast.Attribute) and node.attr == _PROCESSES:
            yield node.attr


def _called(node: ast.Call) -> str:
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


@functools.lru_cache(maxsize=1024)
def _is_installed(root: str) -> bool:
    """Return whether this is a module of Python, of a library, or of the guard."""
    if root in OURS or root in sys.builtin_module_names:
        return True
    try:
        spec = find_spec(root)
    except (ImportError, ValueError):
        return False
    if spec is None:
        return False
    places = [spec.origin] if spec.has_location else [*(spec.submodule_search_locations or ())]
    return spec.origin in ("built-in", "frozen") or (bool(places) and all(map(is_in_place, places)))
