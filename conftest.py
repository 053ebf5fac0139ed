"""Installs the test dependencies before anything imports them.

`uv run dbt build` installs the dependencies of a build, and pytest. The dependency group `test` is
larger than all of dbt, so the first `uv run pytest` installs it, and later ones if uv.lock changes.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SYNC = ("sync", "--inexact", "--group", "test")


def pytest_addoption(pluginmanager):
    """Install the group here, because this runs before tests/conftest.py is loaded."""
    uv = os.environ.get("UV")  # set by `uv run`; otherwise uv does not manage the environment
    if not uv or _run(uv, *SYNC, "--check", "--quiet") == 0:
        return
    # pytest captures the output while it loads conftest files.
    pluginmanager.getplugin("capturemanager").suspend_global_capture(in_=True)
    print("Installing what the tests need besides the build.", flush=True)
    if _run(uv, *SYNC) != 0:
        raise pytest.UsageError("uv could not install the dependency group `test`: see above.")
    # Restart, so that pytest loads the plugins that were installed.
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *sys.argv[1:]])


def _run(*command: str) -> int:
    return subprocess.run(command, cwd=Path(__file__).parent).returncode
