"""On a REST catalog with transactions, one commit publishes all tables of a run.

The server is Iceberg's own. A reader without Spark reads two tables in a loop while they are
published. It reads the second table between two reads of the first one. If the first one has not
changed, the reads show one state of the catalog.
"""

import threading
from collections import Counter
from functools import partial

import pytest
from pyiceberg.catalog import load_catalog

from tests.support.dbt_runner import AUDITED, make_project
from tests.support.own_spark import own_spark
from tests.support.rest_catalog import rest_catalog, without_transactions

pytestmark = pytest.mark.engines

TABLES = ("one", "other")
FILES = {
    "dbt_project.yml": AUDITED,
    **{f"models/{name}.sql": "select {{ var('number', 0) }} as number" for name in TABLES},
}


@pytest.fixture(scope="module")
def uri(tmp_path_factory):
    """Yield the URI of the server."""
    with rest_catalog(tmp_path_factory.mktemp("rest")) as uri:
        yield uri


@pytest.fixture(
    params=[
        pytest.param(None, id="in one commit"),
        pytest.param(True, id="one by one"),
        pytest.param(False, id="offered in vain", marks=pytest.mark.full),
    ]
)
def server(uri, request):
    """Yield the URI of a server that has transactions, lacks them, or only claims to have them."""
    if request.param is None:
        yield uri
    else:
        with without_transactions(uri, admits_it=request.param) as uri:
            yield uri


@pytest.fixture
def project(dbt, tmp_path, server, schema):
    """Yield a function that runs dbt on that catalog, in a separate process."""
    files = make_project(dbt, tmp_path / "project", FILES)
    place = {"LAKEHOUSE_CATALOG": "rest", "LAKEHOUSE_CATALOG_URI": server}
    with own_spark(tmp_path, place) as own:
        yield partial(own.dbt, files, schema)


class Reader(threading.Thread):
    """Reads both tables until it is stopped, and counts whole and mixed states."""

    def __init__(self, uri: str, schema: str) -> None:
        super().__init__(daemon=True)
        self.catalog = load_catalog("reader", type="rest", uri=uri)
        self.schema, self.done, self.seen = schema, threading.Event(), Counter()

    def run(self) -> None:
        one, other = TABLES
        while not self.done.is_set():
            seen, beside, again = self._run_of(one), self._run_of(other), self._run_of(one)
            if seen == again:
                self.seen["whole" if seen == beside else "mixed"] += 1
            else:
                self.seen["moved"] += 1

    def _run_of(self, table: str) -> str:
        return (
            self.catalog.load_table(f"{self.schema}.{table}").current_snapshot().summary["dbt.run"]
        )


# The test gives up after this number of publishes.
MOST = 200


def read_while_published(project, uri: str, schema: str, reads: int, wanted: str) -> Counter:
    """Publish until there are enough reads, including one of the wanted kind.

    Returns:
        The number of reads by kind.
    """
    first = project("run")
    assert first.success, first.text
    reader = Reader(uri, schema)
    reader.start()
    try:
        number = 0
        while number < MOST and (sum(reader.seen.values()) < reads or not reader.seen[wanted]):
            number += 1
            result = project("run", number=number)
            assert result.success, result.text
            assert reader.is_alive()
    finally:
        reader.done.set()
        reader.join()
    print(f"{number} publishes: {dict(reader.seen)}")
    return reader.seen


@pytest.mark.parametrize("reads", [300, pytest.param(10_000, marks=pytest.mark.full)])
def test_a_reader_of_two_tables_sees_one_run(project, uri, server, schema, reads):
    wanted = "moved" if server == uri else "mixed"
    seen = read_while_published(project, uri, schema, reads, wanted)
    last = project("run", number=99).said[-1]
    if server == uri:
        assert seen["mixed"] == 0 and seen["moved"] > 0
        assert last == "Published 2 tables in one commit."
    else:
        assert seen["mixed"] > 0
        assert last == "Published 2 tables one by one."
