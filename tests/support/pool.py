"""Spare Javas for tests: a pool of the test's own, and who takes part in it."""

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

# What a machine with many other things to do may take; nothing waits for it where all is well.
SECONDS = 600


@contextmanager
def own_pool() -> Iterator[Path]:
    """A pool that is turned on and that no other process knows. Its folder's parent.

    What is left of it at the end is ended.
    """
    # The path of a Unix socket may have 100 characters, and pytest's folders are long.
    runtime = Path(tempfile.mkdtemp(prefix="pool-"))
    with environment(XDG_RUNTIME_DIR=str(runtime), DBT_SPARK_POOL="on", CI="false"):
        try:
            yield runtime
        finally:
            for place in pool.places():
                pool.ask(place, "stop")
            for process in processes(runtime):
                # One that ends by itself in this moment is what the kill is for.
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            shutil.rmtree(runtime)


def local_plan(folder: Path, **settings: str) -> launch.Launch:
    """What dbt would start with a small local profile whose project is `folder`."""
    profile = {"spark.master": "local[2]", "spark.driver.memory": "1g", **settings}
    return launch.plan(spark_settings(profile, folder, folder), find_java_home())


def processes(runtime: Path, name: str = "") -> list[psutil.Process]:
    """The processes started in that pool whose command line has `name`: keepers, Javas, others."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            is_ours = process.environ().get("XDG_RUNTIME_DIR") == str(runtime)
            if is_ours and name in " ".join(process.cmdline()):
                found.append(process)
    return found


def wait_until(holds: Callable[[], object], what: str):
    """Wait for what has to happen, however slow the machine is. Returns what `holds` returned."""
    ends_at = time.monotonic() + SECONDS
    while time.monotonic() < ends_at:
        if found := holds():
            return found
        time.sleep(0.1)
    raise AssertionError(f"in {SECONDS} seconds it did not happen: {what}")
