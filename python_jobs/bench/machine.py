"""Describes the machine of the measurement."""

import os
import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path

import psutil
from dbt_spark_contracts.spark.java import find_java_home, java_version

PACKAGES = ("dbt-core", "dbt-spark", "pyspark")


def describe(root: Path) -> str:
    """Return the machine, the versions and the commit in one line."""
    packages = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    return (
        f"{_processor()}, {os.cpu_count()} CPUs, {psutil.virtual_memory().total / 1024**3:.0f} GiB;"
        f" {platform.system()} {platform.machine()}; Python {platform.python_version()},"
        f" Java {java_version(find_java_home())}, {packages}; commit {_commit(root)}"
    )


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        found = re.search(r"model name\s*: (.+)", information.read_text())
        if found:
            return found[1]
    return platform.processor() or platform.machine()


def _commit(root: Path) -> str:
    said = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=root, capture_output=True, text=True
    )
    return said.stdout.strip() or "unknown"
