"""Private names of other libraries are used only in `compat`, and each has a test."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.dbt_runner import ROOT

pytestmark = pytest.mark.quick

GUARD = ROOT / "python_jobs/dbt_spark_contracts/src/dbt_spark_contracts"

# Public methods of namedtuples. Their underscore avoids conflicts with field names.
PUBLIC = {"_replace", "_asdict", "_fields"}


def is_private(name: str | None) -> bool:
    return bool(name) and name[0] == "_" and not name.startswith("__") and name not in PUBLIC


def defined(tree: ast.AST) -> Iterator[str]:
    """Yield the private names that a file defines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def strangers(tree: ast.AST) -> Iterator[str]:
    """Yield the private names in a file that are inherited or of other objects or modules."""
    own = set(defined(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            is_self = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            if not (is_self and node.attr in own):
                yield node.attr
        elif isinstance(node, ast.ImportFrom):
            names = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
            yield from filter(is_private, names)


def found_in(files: list[Path]) -> dict[str, list[str]]:
    trees = {file: ast.parse(file.read_text(encoding="utf-8")) for file in files}
    found = {file.relative_to(GUARD).as_posix(): [*strangers(tree)] for file, tree in trees.items()}
    return {name: names for name, names in found.items() if names}


def test_private_names_of_other_libraries_are_in_compat_only():
    found = found_in([file for file in GUARD.rglob("*.py") if "compat" not in file.parts])
    assert found == {}


def test_such_names_are_found():
    assert {"pyspark.py", "dbt_core.py", "dbt_adapters.py", "dbt_unit_tests.py"} <= {
        Path(name).name for name in found_in([*GUARD.glob("compat/*.py")])
    }
    for code, names in {
        "session._jvm.java": ["_jvm"],
        "self._inherited()": ["_inherited"],
        "super()._make_match()": ["_make_match"],
        "from dbt.x import _y": ["_y"],
        "class A:\n    def _own(self):\n        self._own()\n        self.__x__\n": [],
        "origin._replace(a=1)": [],
    }.items():
        assert [*strangers(ast.parse(code))] == names, code
