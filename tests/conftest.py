"""What all tests share: tiers, one Spark (one JVM) for the run, and dbt in this process on it."""

import os
import re
import signal
from hashlib import sha256

import psutil
import pytest

from tests.support.chance import any_seed
from tests.support.dbt_runner import Dbt, make_project
from tests.support.skips import is_expected

# What pyspark.testing asks for, before a session is there.
os.environ.setdefault("PYARROW_IGNORE_TIMEZONE", "1")

# Images of containers often say so. Each dbt command of a test would compile dbt's modules anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# The tests of the pool of warm Javas turn it on; of all others, none leaves a Java behind.
os.environ["DBT_SPARK_POOL"] = "off"

pytest_plugins = ["dbt.tests.fixtures.project", "tests.support.browser"]

TIERS = {
    "quick": "starts no Java; also the pre-commit hook",
    "default": "what `uv run pytest` runs",
    "engines": "other engines, catalogs and versions, from Maven; a step of its own in CI",
    "full": "everything, the slow tests too; nightly in CI",
}


def pytest_addoption(parser):
    parser.addoption(
        "--tier",
        choices=TIERS,
        default="default",
        help="; ".join(f"{name}: {text}" for name, text in TIERS.items()),
    )


def pytest_configure(config):
    config.addinivalue_line("markers", f"quick: {TIERS['quick']}")
    config.addinivalue_line("markers", f"engines: {TIERS['engines']}")
    config.addinivalue_line(
        "markers", "full: slow; runs with --tier full only, unless the test is quick"
    )


def pytest_collection_modifyitems(config, items):
    tier = config.getoption("--tier")
    outside = {
        "quick": lambda item: not item.get_closest_marker("quick"),
        "default": lambda item: (
            (item.get_closest_marker("full") or item.get_closest_marker("engines"))
            and not item.get_closest_marker("quick")
        ),
        "engines": lambda item: (
            not item.get_closest_marker("engines") or item.get_closest_marker("full")
        ),
        "full": lambda item: False,
    }[tier]
    left_out = [item for item in items if outside(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not outside(item)]


def pytest_xdist_auto_num_workers(config):
    """Two processes, each with a Java of its own, for whole folders; one for a file or a test."""
    named = [argument for argument in config.args if ".py" in argument]
    return 0 if named or config.getoption("--tier") == "quick" else min(2, os.cpu_count() or 1)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """In CI, a skip that is not listed is a failure."""
    report = yield
    in_ci = os.environ.get("CI", "").lower() in ("true", "1")
    if in_ci and report.skipped and not hasattr(report, "wasxfail"):
        *_, reason = report.longrepr
        if not is_expected(reason):
            report.outcome = "failed"
            report.longrepr = f"{reason}\nIn CI this is a failure: tests/support/skips.py"
    return report


def pytest_sessionfinish(session):
    """Keep the quick tier quick."""
    if session.config.getoption("--tier") == "quick" and javas():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        print("\nA test of the quick tier started Java: take the marker `quick` from it.")


def javas() -> list[psutil.Process]:
    """The Java processes that this process has started."""
    return [child for child in psutil.Process().children(recursive=True) if "java" in child.name()]


@pytest.fixture(scope="session")
def dbt(tmp_path_factory) -> Dbt:
    """dbt on this project."""
    return Dbt(tmp_path_factory.mktemp("lakehouse"))


@pytest.fixture(scope="session")
def spark(dbt):
    """The Spark session that dbt runs on, with the profile's own settings."""
    from dbt_spark_contracts.spark import session

    assert dbt("parse").success
    return session.get()


@pytest.fixture
def schema(request) -> str:
    """The prefix of a test's own namespaces: its file's and its own name, and its parameters'."""
    return schema_name(request.node.nodeid)


@pytest.fixture(scope="module")
def module_schema(request) -> str:
    """The prefix of the namespaces that the tests of a file share."""
    return schema_name(request.node.nodeid)


def schema_name(nodeid: str) -> str:
    """A name for Spark that only this test, or file, has, and that tells which it is."""
    readable = re.sub(r"[^a-z0-9]+", "_", nodeid.rpartition("/")[2].lower())
    readable = readable.replace("test_", "").replace("py_", "", 1).strip("_")[:40].strip("_")
    return f"{readable}_{sha256(nodeid.encode()).hexdigest()[:6]}"


@pytest.fixture
def interruptible():
    """Python's own handling of Ctrl-C, which what a shell runs in the background has not,
    nor what that starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def seed(request) -> int:
    """A seed for chance, another in each run; it stands in the output of a test that fails."""
    return any_seed(request.node.nodeid)


@pytest.fixture
def small_project(dbt, tmp_path):
    """A function that makes a small dbt project: `small_project({"models/a.sql": …})("run")`."""
    return lambda files, name="small": make_project(dbt, tmp_path / name, files)


@pytest.fixture
def read(dbt):
    """A function that reads a table with a client that is not Spark: `read("ci_gold", "x")`."""
    from tests.support.published import published

    def rows(namespace: str, table: str) -> list[dict]:
        return published(f"{namespace}.{table}", dbt.home).scan().to_arrow().to_pylist()

    return rows
