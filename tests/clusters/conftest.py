"""Servers shared by the tests in this folder."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.lakehouse_on_s3 import AS_OF, comparable, landings
from tests.support.object_store import object_store
from tests.support.published import BUILD_TABLES, TABLES, published
from tests.support.spark_cluster import spark_cluster


@pytest.fixture(scope="session")
def store(tmp_path_factory) -> Iterator[str]:
    """Yield the URL of an S3 server."""
    base = tmp_path_factory.getbasetemp()
    with TemporaryDirectory(dir=base) as folder, object_store(Path(folder)) as url:
        yield url


@pytest.fixture(scope="session")
def cluster(tmp_path_factory) -> Iterator[str]:
    """Yield the master URL of a standalone cluster with two workers."""
    base = tmp_path_factory.getbasetemp()
    with TemporaryDirectory(dir=base) as folder, spark_cluster(Path(folder)) as master:
        yield master


@pytest.fixture(scope="session")
def local_builds(dbt, tmp_path_factory) -> list[dict[str, list[tuple]]]:
    """Return the rows of this project's tables after each of two local builds."""
    landing = tmp_path_factory.mktemp("landing")
    found = []
    for files in landings():
        for name, content in files.items():
            (landing / name).parent.mkdir(exist_ok=True)
            (landing / name).write_bytes(content)
        variables = {"landing_path": str(landing), "as_of_date": AS_OF}
        result = dbt(*BUILD_TABLES, schema="local_builds", **variables)
        assert result.success, result.text
        found.append(
            {
                name: comparable(published(f"local_builds_{layer}.{name}", dbt.home))
                for layer, names in TABLES.items()
                for name in names
            }
        )
    return found
