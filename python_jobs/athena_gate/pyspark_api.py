"""Checks that Python models only use the API of Athena's Spark, 3.2.

It uses pyspark's own `versionadded` notes and does not run the models. What a model imports from
pyspark is looked up by name. The class of other objects is unknown, so a method or keyword counts
if any class of pyspark has that name.
"""

import ast
import inspect
import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import pyspark
from pyspark import sql
from pyspark.sql.catalog import Catalog
from pyspark.sql.conf import RuntimeConfig
from pyspark.sql.udf import UDFRegistration
from pyspark.sql.window import WindowSpec

Version = tuple[int, int]

# Athena's PySpark engine version 3 is Spark 3.2.1.
ATHENAS_SPARK: Version = (3, 2)

# The classes of objects that a model works with.
CLASSES = (
    *(sql.DataFrame, sql.Column, sql.GroupedData, sql.SparkSession, sql.Window, WindowSpec),
    *(sql.DataFrameReader, sql.DataFrameWriter, sql.DataFrameWriterV2),
    *(sql.DataFrameNaFunctions, sql.DataFrameStatFunctions, Catalog, RuntimeConfig),
    *(UDFRegistration, pyspark.RDD, pyspark.SparkContext),
)

# Later additions without a note.
NOT_NOTED: dict[str, Version] = {
    "pyspark.errors": (3, 4),
    "pyspark.sql.connect": (3, 4),
    "pyspark.sql.types.CharType": (3, 4),
    "pyspark.sql.types.TimestampNTZType": (3, 4),
    "pyspark.sql.types.VarcharType": (3, 4),
    "pyspark.sql.types.YearMonthIntervalType": (3, 5),
    "pyspark.testing": (3, 5),
}


def newer_api(file: Path, newest: Version = ATHENAS_SPARK) -> list[str]:
    """Find what a Python model uses of pyspark that is newer than Spark `newest`.

    Args:
        file: The model's file.
        newest: The version of Spark.

    Returns:
        One line per use.

    Raises:
        SyntaxError: If the file is not Python.
    """
    tree = ast.parse(file.read_text(encoding="utf-8"), str(file))
    imported = dict(_imported(tree))
    found = set()
    for node in ast.walk(tree):
        for name, since in _used(node, imported):
            if since > newest:
                found.add((getattr(node, "lineno", 0), name, since))
    return [_line(file, *problem, newest) for problem in sorted(found)]


def newer_sql(spark: sql.SparkSession, file: Path, newest: Version = ATHENAS_SPARK) -> list[str]:
    """Find newer functions of Spark's SQL in the strings of a Python model, one line each.

    It needs a session, because only Spark knows in which version a function was added.
    """
    tree = ast.parse(file.read_text(encoding="utf-8"), str(file))
    known = {row.function for row in spark.sql("show functions").collect()}
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            for name in known.intersection(re.findall(r"(\w+) *\(", node.value.lower())):
                told = spark.sql(f"describe function extended `{name}`").collect()
                since = re.search(r"Since: (\d+)\.(\d+)", "\n".join(row[0] for row in told))
                if since and _version(since) > newest:
                    found.add((node.lineno, f"SQL's {name}", _version(since)))
    return [_line(file, *problem, newest) for problem in sorted(found)]


def _line(file: Path, line: int, name: str, since: Version, newest: Version) -> str:
    return (
        f"{file}:{line}: {name} needs Spark {since[0]}.{since[1]}, "
        f"but Athena has {newest[0]}.{newest[1]}"
    )


def _imported(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield the names that a module imports, and what each refers to."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                whole = alias.name if alias.asname else alias.name.partition(".")[0]
                yield alias.asname or whole, whole
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def _used(node: ast.AST, imported: dict[str, str]) -> Iterator[tuple[str, Version]]:
    """Yield what a syntax node uses of pyspark, and since which version it exists."""
    if isinstance(node, ast.Import):
        yield from ((alias.name, _since(alias.name)) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        names = [f"{node.module}.{alias.name}" for alias in node.names]
        yield from ((name, _since(name)) for name in names)
    elif isinstance(node, ast.Attribute):
        name = _dotted(node, imported)
        if name is None:
            yield node.attr, max(map(_noted, _methods(node.attr)), default=(0, 0))
        else:
            yield name, _since(name)
    elif isinstance(node, ast.Call):
        name = _dotted(node.func, imported)
        if name is not None:
            called = [_find(name)] if name.startswith("pyspark.") else []
        else:
            called = _methods(getattr(node.func, "attr", ""))
        for keyword in node.keywords:
            if keyword.arg is None:
                continue  # `**options`
            versions = [_keywords(member).get(keyword.arg, (0, 0)) for member in called]
            yield f"{ast.unparse(node.func)}({keyword.arg}=…)", max(versions, default=(0, 0))


def _dotted(node: ast.AST, imported: dict[str, str]) -> str | None:
    """Return the full name of an imported object in an expression, or None."""
    if isinstance(node, ast.Name):
        return imported.get(node.id)
    if isinstance(node, ast.Attribute):
        whole = _dotted(node.value, imported)
        return whole and f"{whole}.{node.attr}"
    return None


@cache
def _since(name: str) -> Version:
    """Return the version in which pyspark added this full name. (0, 0) if it is not pyspark's."""
    parts = name.split(".")
    if parts[0] != "pyspark":
        return (0, 0)
    wholes = [".".join(parts[:length]) for length in range(1, len(parts) + 1)]
    return max(max(NOT_NOTED.get(whole, (0, 0)), _noted(_find(whole))) for whole in wholes)


def _find(name: str) -> object:
    """Return the object with this full name in pyspark, or None."""
    try:
        return import_module(name)
    # With numpy 2, pyspark 3.5's pandas API raises an AttributeError.
    except (ImportError, AttributeError):
        parent, _, last = name.rpartition(".")
        return getattr(_find(parent), last, None) if parent else None


def _methods(name: str) -> list[object]:
    """Return the methods and properties with this name in pyspark's classes."""
    return [getattr(kind, name) for kind in CLASSES if hasattr(kind, name)]


def _noted(member: object) -> Version:
    """Return the first `versionadded` in the docstring of `member`, or (0, 0)."""
    noted = re.search(r"^\.\. versionadded:: (\d+)\.(\d+)", inspect.getdoc(member) or "", re.M)
    return _version(noted) if noted else (0, 0)


def _keywords(member: object) -> dict[str, Version]:
    """Return the parameters that were added later than `member` itself, from their own notes."""
    versions: dict[str, Version] = {}
    parameter = None
    for line in (inspect.getdoc(member) or "").splitlines():
        if named := re.match(r"\*{0,2}(\w+) *:|\S", line):
            parameter = named[1]
        elif parameter and (noted := re.match(r" +\.\. versionadded:: (\d+)\.(\d+)", line)):
            versions[parameter] = _version(noted)
    return versions


def _version(match: re.Match) -> Version:
    return int(match[1]), int(match[2])
