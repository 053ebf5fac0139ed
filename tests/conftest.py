"""Fixtures for all tests: tiers, one Spark session per process, and dbt in this process on it."""

import os
import re
import signal
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from dbt_spark_contracts.compat.pyspark import elements, java_session

from tests.support.chance import any_seed
from tests.support.dbt_runner import Dbt, make_project
from tests.support.skips import is_expected

# pyspark.testing requires it before a session is created.
os.environ.setdefault("PYARROW_IGNORE_TIMEZONE", "1")

# Container images often set it. Then each dbt process would compile dbt's modules again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Only the tests of the pool of warm Javas enable it, so no other test leaves a Java behind.
os.environ["DBT_SPARK_POOL"] = "off"

pytest_plugins = ["dbt.tests.fixtures.project", "tests.support.browser"]

TIERS = {
    "quick": "starts no Java; also the pre-commit hook",
    "default": "what `uv run pytest` and .ci/run run: the guarantees by their quicker tests",
    "slow": "more of the guarantees, by what takes longer; a job of its own in CI",
    "engines": "other engines, catalogs and versions, from Maven; a job of its own in CI",
    "full": "everything, with the soaks; nightly in CI",
}

# The folder with a file for each Java that a run of the quick tier has started.
JAVAS = pytest.StashKey[TemporaryDirectory]()


def pytest_addoption(parser):
    parser.addoption(
        "--tier",
        choices=TIERS,
        default="default",
        help="; ".join(f"{name}: {text}" for name, text in TIERS.items()),
    )


def pytest_configure(config):
    for tier in ("quick", "slow", "engines"):
        config.addinivalue_line("markers", f"{tier}: {TIERS[tier]}")
    config.addinivalue_line(
        "markers", "full: soaks; runs with --tier full only, unless the test is quick"
    )
    is_worker = hasattr(config, "workerinput")
    if config.getoption("--tier") == "quick" and not is_worker:
        config.stash[JAVAS] = folder = TemporaryDirectory(prefix="javas-")
        # Each Java reads it and opens a log, also one that another process starts.
        os.environ["JAVA_TOOL_OPTIONS"] = f"-Xlog:all=error:file={folder.name}/%p"


def pytest_collection_modifyitems(config, items):
    tier = config.getoption("--tier")
    if left_out := {item for item in items if tier not in tiers_of(item)}:
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [item for item in items if item not in left_out]


def tiers_of(item) -> set[str]:
    """Return the tiers that run a test, from its markers."""
    own = {tier for tier in TIERS if item.get_closest_marker(tier)}
    if "quick" in own:
        return {"quick", "default", "full"}
    if "full" in own:
        return {"full"}
    return (own or {"default"}) | {"full"}


def pytest_xdist_auto_num_workers(config):
    """Use up to two workers, each with its own Java, for folders, and none for files or tests."""
    named = [argument for argument in config.args if ".py" in argument]
    return 0 if named else min(2, os.cpu_count() or 1)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Turn an unexpected skip into a failure in CI."""
    report = yield
    in_ci = os.environ.get("CI", "").lower() in ("true", "1")
    if in_ci and report.skipped and not hasattr(report, "wasxfail"):
        *_, reason = report.longrepr
        if not is_expected(reason):
            report.outcome = "failed"
            report.longrepr = f"{reason}\nIn CI this is a failure: tests/support/skips.py"
    return report


def pytest_sessionfinish(session):
    """Fail a run of the quick tier that has started Java."""
    folder = session.config.stash.get(JAVAS, None)
    if folder and any(Path(folder.name).iterdir()):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        print("\nA test of the quick tier started Java: take the marker `quick` from it.")


@pytest.fixture(scope="session")
def dbt(tmp_path_factory) -> Dbt:
    """Return dbt on this project."""
    return Dbt(tmp_path_factory.mktemp("lakehouse"))


@pytest.fixture(scope="session")
def spark(dbt):
    """Return dbt's Spark session, with the settings of the profile."""
    from dbt_spark_contracts.spark import session

    assert dbt("parse").success
    return session.get()


@pytest.fixture
def schema(request) -> str:
    """Return the prefix of a test's namespaces, made from its file, name and parameters."""
    return schema_name(request.node.nodeid)


@pytest.fixture(scope="module")
def module_schema(request) -> str:
    """Return the prefix of the namespaces that the tests of a file share."""
    return schema_name(request.node.nodeid)


def schema_name(nodeid: str) -> str:
    """Return a readable schema name that is unique to a test or a file."""
    readable = re.sub(r"[^a-z0-9]+", "_", nodeid.rpartition("/")[2].lower())
    readable = readable.replace("test_", "").replace("py_", "", 1).strip("_")[:40].strip("_")
    return f"{readable}_{sha256(nodeid.encode()).hexdigest()[:6]}"


@pytest.fixture
def interruptible():
    """Restore Python's handling of Ctrl-C, which background jobs of a shell do not have."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def seed(request) -> int:
    """Return a random seed, which is printed when the test fails."""
    return any_seed(request.node.nodeid)


@pytest.fixture(autouse=True)
def functions_end_with_their_test(request):
    """Drop the functions that a test has added to the session, which may stand for Spark's own."""
    spark = request.getfixturevalue("spark") if "spark" in request.fixturenames else None
    yield
    if spark:
        left = java_session(spark).sessionState().catalog().listTemporaryFunctions()
        for function in elements(left):
            spark.sql(f"drop temporary function {function.unquotedString()}")


@pytest.fixture
def small_project(dbt, tmp_path):
    """Return a function that creates a dbt project: `small_project({"models/a.sql": …})("run")`."""
    return lambda files, name="small": make_project(dbt, tmp_path / name, files)


@pytest.fixture(scope="session")
def read(dbt):
    """Return a function that reads a table with pyiceberg: `read("ci_gold", "x")`."""
    from tests.support.published import published

    def rows(namespace: str, table: str) -> list[dict]:
        return published(f"{namespace}.{table}", dbt.home).scan().to_arrow().to_pylist()

    return rows
