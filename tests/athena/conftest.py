"""Fixtures shared by the Athena tests."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.dbt_runner import Dbt


@pytest.fixture(scope="session")
def on_athena(dbt) -> Dbt:
    """Return dbt on this project for `--target athena`, with its own target folder."""
    return Dbt(dbt.home, target_path=dbt.home / "target_athena")


@pytest.fixture(scope="session")
def athena(tmp_path_factory):
    """Yield the front of Athena, backed by Trino and Spark, for the tier `engines`."""
    from tests.support.athena_front.front import athena

    # pytest keeps the folders of earlier runs, and Trino takes 600 MB.
    with (
        TemporaryDirectory(dir=tmp_path_factory.getbasetemp()) as folder,
        athena(Path(folder)) as started,
    ):
        yield started


@pytest.fixture(scope="session")
def render(dbt, on_athena):
    """Return a function that renders Jinja expressions on a target, `ci` or `athena`."""
    run = {"ci": dbt, "athena": on_athena}
    return lambda target, *expressions: run[target].render(target, *expressions)
