"""A standalone Spark cluster with a master and two workers, from the pyspark package."""

import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pyspark
from dbt_spark_contracts.spark.java import find_java_home

from tests.support.packages import virtual_environment
from tests.support.ports import free_ports

HERE = "127.0.0.1"
DEPLOY = "org.apache.spark.deploy"


@contextmanager
def spark_cluster(folder: Path) -> Iterator[str]:
    """Run the cluster in a Python environment that has only pyspark.

    Yields:
        The master's URL.
    """
    venv = folder / "venv"
    virtual_environment(venv, f"pyspark=={pyspark.__version__}")
    (spark_home,) = venv.glob("lib/python*/site-packages/pyspark")
    # Executors and their Python workers inherit this, so nothing comes from the driver's
    # environment.
    environment = {
        "JAVA_HOME": str(find_java_home()),
        "PATH": f"{venv}/bin:/usr/bin:/bin",
        "SPARK_HOME": str(spark_home),
        "SPARK_DAEMON_MEMORY": "256m",
    }
    port, page = free_ports(2)
    master = f"spark://{HERE}:{port}"

    def started(name: str, *command: object) -> subprocess.Popen:
        place = folder / name
        place.mkdir()
        with (place / "log").open("w") as log:
            process = subprocess.Popen(
                [spark_home / "bin/spark-class", *map(str, command)],
                **{"cwd": place, "env": environment, "stdout": log, "stderr": log},
            )
        stack.callback(process.wait, 60)
        stack.callback(process.terminate)
        return process

    with ExitStack() as stack:
        parts = ["--host", HERE, "--port", port, "--webui-port", page]
        started("master", f"{DEPLOY}.master.Master", *parts)
        for name in ("worker1", "worker2"):
            parts = ["--host", HERE, "--cores", 1, "--memory", "1g", "--webui-port", 0]
            parts += ["--work-dir", folder / name / "work", master]
            started(name, f"{DEPLOY}.worker.Worker", *parts)
        until = time.monotonic() + 120
        while _workers(f"http://{HERE}:{page}/json/") < 2:
            assert time.monotonic() < until, (folder / "master/log").read_text()[-3000:]
            time.sleep(0.5)
        yield master


def _workers(page: str) -> int:
    """Return the number of workers that have registered with the master."""
    try:
        with urllib.request.urlopen(page, timeout=10) as answer:
            return len(json.load(answer)["workers"])
    except OSError:
        return 0
