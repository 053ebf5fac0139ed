"""What the tests of Athena share."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.dbt_runner import Dbt


@pytest.fixture(scope="session")
def on_athena(dbt) -> Dbt:
    """dbt on this project for `--target athena`, which keeps its parsed project to itself."""
    return Dbt(dbt.home, target_path=dbt.home / "target_athena")


@pytest.fixture(scope="session")
def athena(tmp_path_factory):
    """Athena's doors, with Trino and a Spark behind them: for the tier `engines`."""
    from tests.support.athena_front.front import athena

    # pytest keeps folders of earlier runs, and Trino is 600 MB.
    with (
        TemporaryDirectory(dir=tmp_path_factory.getbasetemp()) as folder,
        athena(Path(folder)) as started,
    ):
        yield started


@pytest.fixture(scope="session")
def render(dbt, on_athena):
    """A function: what Jinja expressions render on a target, `ci` or `athena`."""
    run = {"ci": dbt, "athena": on_athena}
    return lambda target, *expressions: run[target].render(target, *expressions)
