"""Describes the machine and the commit of the measurement."""

import os
import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path

import psutil
from dbt_spark_contracts.spark.java import find_java_home, java_version

PACKAGES = ("dbt-core", "dbt-spark", "pyspark")

# What --write-docs writes, one part after the other. All of them name the commit before the first.
WRITTEN = ("docs/performance.md", "docs/images/performance.png")


def describe(root: Path) -> str:
    """Return the machine, the versions and the commit in one line."""
    packages = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    return (
        f"{_processor()}, {os.cpu_count()} CPUs, {psutil.virtual_memory().total / 1024**3:.0f} GiB;"
        f" {platform.system()} {platform.machine()}; Python {platform.python_version()},"
        f" Java {java_version(find_java_home())}, {packages}; commit {commit(root)}"
    )


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        found = re.search(r"model name\s*: (.+)", information.read_text())
        if found:
            return found[1]
    return platform.processor() or platform.machine()


def commit(root: Path) -> str:
    """Return the commit, with `-dirty` if files other than `WRITTEN` differ from it."""
    name = _git(root, "describe", "--always").strip() or "unknown"
    return f"{name}-dirty" if changed(root) else name


def changed(root: Path) -> list[str]:
    """Return the files that are not as in the commit, also new ones, without those in `WRITTEN`."""
    lines = _git(
        root, "status", "--porcelain", "--no-renames", "--untracked-files=all"
    ).splitlines()
    return [file for line in lines if (file := line[3:]) not in WRITTEN]


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True)
    return done.stdout
