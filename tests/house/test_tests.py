"""Rules for the tests, so that they are easy to find and can run alone."""

import ast
import os
import re
import subprocess
import sys
from collections import Counter

import pytest

from tests.support.dbt_runner import ROOT
from tests.support.skips import ACCEPTED_WITH, EXPECTED, NO_MAVEN

pytestmark = pytest.mark.quick

TESTS = ROOT / "tests"
FILES = {file.relative_to(TESTS).as_posix(): file for file in TESTS.rglob("*.py")}
TEST_FILES = [name for name in FILES if name.rpartition("/")[2].startswith("test_")]


def imported_by(name: str) -> set[str]:
    """Return the modules that a file imports."""
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


def test_packages_are_installed_in_one_place():
    """tests/support/packages.py keeps uv's cache from growing."""
    installs = re.compile(r'"pip",\s+"install"')
    places = {name for name, file in FILES.items() if installs.search(file.read_text("utf-8"))}
    assert places == {"support/packages.py"}


def schemas_by_hand(code: str) -> list[str]:
    """Return the schemas of the tests' lakehouse that code names itself.

    They are `schema=` in a call, and what is assigned to `schema`, without a value of a fixture.
    The front of Athena, `athena.dbt(…)`, has a lakehouse of its own.
    """
    found = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) != "athena.dbt":
            found += [keyword.value for keyword in node.keywords if keyword.arg == "schema"]
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).lower() == "schema":
            found.append(node.value)
    texts = [ast.unparse(node) for node in found if isinstance(node, ast.Constant | ast.JoinedStr)]
    # A text with a blank lists the columns of a DataFrame.
    return [text for text in texts if "schema" not in text and " " not in text]


@pytest.mark.parametrize("name", TEST_FILES)
def test_a_schema_is_named_by_a_fixture(name):
    assert schemas_by_hand(FILES[name].read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("dbt('run', schema='x')", ["'x'"]),
        ("dbt('run', schema=f'x_{count}')", ["f'x_{count}'"]),
        ("schema = 'x'", ["'x'"]),
        ("SCHEMA = 'x'", ["'x'"]),
        ("dbt('run', schema=module_schema)", []),
        ("dbt('run', schema=f'{schema}_x')", []),
        ("athena.dbt(project, 'run', schema='x')", []),
    ],
)
def test_a_schema_named_by_hand_is_found(code, found):
    assert schemas_by_hand(code) == found


def test_the_readme_lists_each_file():
    readme = (TESTS / "README.md").read_text(encoding="utf-8")
    missing = [name for name in TEST_FILES if f"`{name}`" not in readme]
    assert missing == []


ROW = re.compile(r"^\| .+ \| `([\w/]+\.py)` \| (.+) \| .+ \|$", re.M)
TIER = r"\b(quick|slow|engines|full)\b"


def test_the_readme_names_the_tiers_of_each_file():
    """A file of the tier `default` may have quick tests, which its row need not name."""
    rows = dict(ROW.findall((TESTS / "README.md").read_text(encoding="utf-8")))
    assert rows.keys() == set(TEST_FILES)
    for name, tiers in rows.items():
        marked = set(re.findall(rf"\bmark\.{TIER}", FILES[name].read_text(encoding="utf-8")))
        assert marked - {"quick"} <= set(re.findall(TIER, tiers)) <= marked, name


SKIPPED = """
import pytest

@pytest.mark.parametrize("reason", {reasons!r})
def test_x(reason):
    pytest.skip(reason)
"""


@pytest.mark.parametrize(
    ("variables", "ended"),
    [
        ({"CI": "true"}, "2 failed, 1 skipped"),
        ({"CI": "true", "WITHOUT_MAVEN": "1"}, "1 failed, 2 skipped"),
        ({"CI": ""}, "3 skipped"),
    ],
    ids=["CI", "CI without Maven", "elsewhere"],
)
def test_in_ci_an_unexpected_skip_is_a_failure(tmp_path, variables, ended):
    file = tmp_path / "test_x.py"
    reasons = ["there is no Chromium", f"this machine {EXPECTED[0]}", f"{NO_MAVEN}: no network"]
    file.write_text(SKIPPED.format(reasons=reasons))
    others = dict.fromkeys(ACCEPTED_WITH, "")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.conftest", "--rootdir", tmp_path, file],
        cwd=ROOT,
        env=os.environ | others | variables,
        capture_output=True,
        text=True,
    )
    assert ended in done.stdout


def test_each_row_of_dbts_features_names_an_existing_test():
    """docs/dbt_features.md lists dbt's features, how they work here, and the tests for them."""
    lines = (ROOT / "docs/dbt_features.md").read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith("| ") and not line.startswith("| feature")]
    assert len(rows) > 40
    missing = []
    for row in rows:
        named = re.fullmatch(r"\| .+ \|.*\| .+ \| `([\w/]+\.py)::(\w+)` \|", row)
        code = FILES[named[1]].read_text(encoding="utf-8") if named and named[1] in FILES else ""
        tops = {getattr(node, "name", None) for node in ast.parse(code).body}
        if not named or named[2] not in tops:
            missing.append(row)
    assert missing == []
