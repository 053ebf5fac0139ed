"""Packages that a test alone needs, installed by uv."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def uv() -> str:
    """The path of uv."""
    found = os.environ.get("UV") or shutil.which("uv")
    if not found:
        pytest.skip("uv, which installs packages, is not on the PATH")
    return found


def virtual_environment(folder: Path, *packages: object) -> Path:
    """Make a virtual environment with these packages, or options of `uv pip install`.

    Returns:
        Its Python.
    """
    command = [uv(), "venv", "--quiet", "--python", sys.executable, folder]
    subprocess.run(command, check=True)
    python = folder / "bin/python"
    if packages:
        install("--python", python, *packages)
    return python


def install(*arguments: object) -> None:
    """`uv pip install` with these arguments, from uv's cache alone if all of it is there.

    When a registry's answer is no longer fresh, uv may fetch a package anew, beside what it has in
    its cache. pyspark, which has no wheel, takes 1.4 GB each time.
    """
    command = [uv(), "pip", "install", "--quiet", *map(str, arguments)]
    cached = subprocess.run([*command, "--offline"], capture_output=True)
    if cached.returncode != 0:
        subprocess.run(command, check=True)
