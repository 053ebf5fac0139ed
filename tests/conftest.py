"""What the tests share: one Spark (one JVM) for the run, and dbt in this process on it."""

import os

import pytest

from tests.support.dbt_runner import Dbt, make_project

# What pyspark.testing asks for, before a session is there.
os.environ.setdefault("PYARROW_IGNORE_TIMEZONE", "1")

pytest_plugins = ["dbt.tests.fixtures.project"]


def pytest_addoption(parser):
    parser.addoption("--soak", action="store_true", help="also run what is marked `soak`: minutes")


def pytest_configure(config):
    config.addinivalue_line("markers", "soak: takes many minutes; skipped without --soak")


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--soak"):
        for item in items:
            if item.get_closest_marker("soak"):
                item.add_marker(pytest.mark.skip(reason="takes many minutes: give --soak"))


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
def small_project(dbt, tmp_path):
    """A function that makes a small dbt project: `small_project({"models/a.sql": …})("run")`."""
    return lambda files, name="small": make_project(dbt, tmp_path / name, files)


@pytest.fixture
def read(dbt):
    """A function that reads a table with a client that is not Spark: `read("ci_gold", "x")`."""
    from pyiceberg.table import StaticTable

    def rows(namespace: str, table: str) -> list[dict]:
        metadata = dbt.home / "warehouse" / namespace / table / "metadata"
        version = (metadata / "version-hint.text").read_text()
        newest = StaticTable.from_metadata(str(metadata / f"v{version}.metadata.json"))
        return newest.scan().to_arrow().to_pylist()

    return rows
