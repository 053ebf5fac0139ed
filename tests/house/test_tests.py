"""The tests as a house: what keeps it easy to find one's way, and to run any test alone."""

import ast
import re
from collections import Counter

import pytest

from tests.support.dbt_runner import ROOT

pytestmark = pytest.mark.quick

TESTS = ROOT / "tests"
FILES = {file.relative_to(TESTS).as_posix(): file for file in TESTS.rglob("*.py")}
TEST_FILES = [name for name in FILES if name.rpartition("/")[2].startswith("test_")]


def imported_by(name: str) -> set[str]:
    """The modules that a file imports."""
    modules = set()
    for node in ast.walk(ast.parse(FILES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules |= {f"{node.module}.{alias.name}" for alias in node.names}
    return modules


def test_no_test_imports_another():
    found = {
        f"{name} imports {module}"
        for name in FILES
        for module in imported_by(name)
        if re.match(r"tests\.(.*\.)?(test_|conftest)", module)
    }
    assert found == set()


def test_no_two_files_have_one_name():
    names = Counter(name.rpartition("/")[2] for name in FILES)
    assert {name for name, number in names.items() if number > 1} <= {"__init__.py", "conftest.py"}


# Where tests share a lakehouse.
SHARED = ("bronze_silver/", "contracts/", "gold/", "plugin/", "publish/")


@pytest.mark.parametrize("name", [name for name in TEST_FILES if name.startswith(SHARED)])
def test_a_schema_is_named_by_a_fixture(name):
    code = FILES[name].read_text(encoding="utf-8")
    assert re.findall(r"\bschema=\"\w+\"", code) == []


def test_the_readme_tells_of_each_file():
    readme = (TESTS / "README.md").read_text(encoding="utf-8")
    missing = [name for name in TEST_FILES if f"`{name}`" not in readme]
    assert missing == []
