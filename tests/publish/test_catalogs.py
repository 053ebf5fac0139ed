"""A run's guarantees hold on each catalog: Iceberg REST, Hive metastore, JDBC on two databases.

docs/operations.md has a table of these guarantees.
"""

import os
import signal
import time
from contextlib import ExitStack, suppress
from functools import partial

import pytest

from tests.support.catalog_servers import hive_metastore, postgres
from tests.support.dbt_runner import Dbt, environment
from tests.support.maven import artifact
from tests.support.own_spark import own_spark
from tests.support.rest_catalog import rest_catalog
from tests.support.toy import TABLES, WAITS_FOR, Toy

pytestmark = pytest.mark.engines

DRIVERS = {
    "postgresql": "org.postgresql:postgresql:42.7.4:jar",
    "sqlite": "org.xerial:sqlite-jdbc:3.51.1.0:jar",
}


@pytest.fixture(scope="module", params=["rest", "hive", *DRIVERS])
def place(request, tmp_path_factory):
    """Yield the environment variables of a catalog and the folder of its lakehouse."""
    home = tmp_path_factory.mktemp(request.param)
    with ExitStack() as servers:
        settings = {"LAKEHOUSE_CATALOG": request.param}
        if driver := DRIVERS.get(request.param):
            settings = {"LAKEHOUSE_CATALOG": "jdbc", "LAKEHOUSE_JARS": str(artifact(driver))}
        if request.param == "sqlite":
            uri = f"jdbc:sqlite:{home}/catalog.db?busy_timeout=60000"
        elif request.param == "postgresql":
            uri = servers.enter_context(postgres())
        else:
            server = rest_catalog if request.param == "rest" else hive_metastore
            uri = servers.enter_context(server(home))
        yield settings | {"LAKEHOUSE_CATALOG_URI": uri}, home


@pytest.fixture(scope="module")
def own(place):
    """Yield dbt on that catalog, in a separate process."""
    settings, home = place
    with own_spark(home, settings) as own:
        yield own


class House:
    """The toy project on a catalog."""

    def __init__(self, own, place, folder, schema: str) -> None:
        self.settings, home = place
        self.toy, self.own, self.schema = Toy(Dbt(home), folder / "toy", schema), own, schema
        self.folder = folder

    def dbt(self, *args: str):
        return self.own.dbt(self.toy.dbt, self.schema, *args)

    def build(self) -> None:
        result = self.dbt("build")
        assert result.success, result.text

    def start(self, **options):
        with environment(**self.settings):
            return self.toy.start(self.folder / "target", **options)

    def rows(self) -> dict[str, list[tuple]]:
        for name in TABLES:
            self.own.sql(f"refresh table {self.schema}.{name}")
        return {name: self.own.sql(f"select * from {self.schema}.{name}") for name in TABLES}

    def tags(self) -> list[str]:
        query = f"select name from {self.schema}.events.refs where type = 'TAG'"
        return [name for (name,) in self.own.sql(query)]


@pytest.fixture
def house(own, place, tmp_path, schema):
    house = House(own, place, tmp_path, schema)
    house.toy.land({1: 10, 2: 20})
    house.build()
    return house


def test_builds_roll_back_and_maintenance(house, place):
    first, (tag,) = house.toy.expected(), house.tags()
    assert house.rows() == first
    house.toy.land({2: 21, 3: 30})
    result = house.dbt("build")
    assert result.success, result.text
    how = "in one commit" if place[0]["LAKEHOUSE_CATALOG"] == "rest" else "one by one"
    assert result.said[-1] == f"Published 3 tables {how}."
    assert house.rows() == house.toy.expected() != first
    for name in TABLES:
        query = f"select * from {house.schema}.{name} version as of '{tag}'"
        assert house.own.sql(query) == first[name]
    # A failed build is held back.
    second = house.toy.expected()
    house.toy.land({-1: 5})
    assert not house.dbt("build").success
    assert house.rows() == second
    run = tag.removeprefix("published_")
    result = house.dbt("run-operation", "roll_back", "--args", f"{{to: {run}}}")
    assert result.success, result.text
    assert house.rows() == first
    result = house.dbt("run-operation", "maintain", "--args", "{keep_days: 0}")
    assert result.success, result.text
    assert house.rows() == first
    assert house.tags() == []
    assert len(house.own.sql(f"select * from {house.schema}.events.snapshots")) == 1


def test_killed_while_it_publishes(house, place):
    """The kill comes after the first table has moved, or after a commit of all tables.

    In the second case the publish log is not written yet.
    """
    is_rest = place[0]["LAKEHOUSE_CATALOG"] == "rest"
    before = house.rows()
    house.toy.land({1: 11, 3: 30})
    moment = (": published", "0") if is_rest else (": move main to", "1")
    killed = house.start(run=("tests.support.killed_dbt", *moment, "0", "all", "--"))
    said, _ = killed.communicate(timeout=300)
    assert killed.returncode == -signal.SIGKILL, said
    after, expected = house.rows(), house.toy.expected()
    moved = [name for name in TABLES if after[name] == expected[name]]
    assert {name: after[name] for name in TABLES if name not in moved} == {
        name: before[name] for name in TABLES if name not in moved
    }
    assert len(moved) == (len(TABLES) if is_rest else 1)
    result = house.dbt("run-operation", "unlock")
    assert result.success, result.text
    assert "was broken off while it published 3 tables: finished." in result.text
    assert house.rows() == expected
    house.toy.land({4: 40})
    house.build()
    assert house.rows() == house.toy.expected()


def test_two_at_once(house):
    """The second build is refused, and the first one's tables are complete."""
    goes_on = house.folder / "goes_on"
    house.toy.land({2: 22})
    with environment(**{WAITS_FOR: str(goes_on)}):
        first = house.start()
    try:
        wait_for(partial(_is_locked, house))
        result = house.dbt("build")
        assert not result.success
        assert "Another build of these tables runs: dbt_" in result.text
        goes_on.touch()
        said, _ = first.communicate(timeout=300)
        assert first.returncode == 0, said
    finally:
        with suppress(ProcessLookupError):
            os.killpg(first.pid, signal.SIGKILL)
    assert house.rows() == house.toy.expected()


def _is_locked(house: House) -> bool:
    lock = f"{house.schema}_ops.build_lease"
    house.own.sql(f"refresh table {lock}")
    query = f"select summary['lease'] from {lock}.snapshots order by committed_at desc limit 1"
    return bool(house.own.sql(query)[0][0])


def wait_for(condition) -> None:
    """Wait until the condition is true. Fail after five minutes."""
    deadline = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)
