"""A pool of spare Java processes for one test, and the processes in it."""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from dbt_spark_contracts.spark import launch, pool
from dbt_spark_contracts.spark.java import find_java_home
from dbt_spark_contracts.spark.settings import spark_settings

from tests.support.dbt_runner import environment

# A limit for busy machines. A passing test does not wait this long.
SECONDS = 600


@contextmanager
def own_pool() -> Iterator[Path]:
    """Enable a pool that no other process uses, and stop all its processes at the end.

    Yields:
        The parent of the pool's folder.
    """
    # The path of a Unix socket is limited to 100 characters, and pytest's paths are long.
    runtime = Path(tempfile.mkdtemp(prefix="pool-"))
    with environment(XDG_RUNTIME_DIR=str(runtime), DBT_SPARK_POOL="on", CI="false"):
        try:
            yield runtime
        finally:
            for place in pool.places():
                pool.ask(place, "stop")
            for process in processes(runtime):
                # It may end by itself at this moment.
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            shutil.rmtree(runtime)


def local_plan(folder: Path, **settings: str) -> launch.Launch:
    """Return the launch that dbt would plan for a small local profile and project `folder`."""
    profile = {"spark.master": "local[2]", "spark.driver.memory": "1g", **settings}
    return launch.plan(spark_settings(profile, folder, folder), find_java_home())


def processes(runtime: Path, name: str = "") -> list[psutil.Process]:
    """Return the pool's processes whose command line contains `name`."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            is_ours = process.environ().get("XDG_RUNTIME_DIR") == str(runtime)
            if is_ours and name in " ".join(process.cmdline()):
                found.append(process)
    return found


def wait_until(holds: Callable[[], object], what: str):
    """Wait until `holds` returns a true value, even on a slow machine, and return that value."""
    ends_at = time.monotonic() + SECONDS
    while time.monotonic() < ends_at:
        if found := holds():
            return found
        time.sleep(0.1)
    raise AssertionError(f"in {SECONDS} seconds it did not happen: {what}")
