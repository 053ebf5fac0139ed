"""Installs what only the tests need, before any of it is imported.

`uv run dbt build` installs what a build needs, and pytest. The dependency group `test` is larger
than all of dbt, so it comes with the first `uv run pytest`, and whenever uv.lock has changed it.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SYNC = ("sync", "--inexact", "--group", "test")


def pytest_addoption(pluginmanager):
    """Called when this file is loaded, which is before tests/conftest.py is."""
    uv = os.environ.get("UV")  # set by `uv run`: without it, the environment is somebody else's
    if not uv or _run(uv, *SYNC, "--check", "--quiet") == 0:
        return
    # pytest captures the output while it loads conftest files.
    pluginmanager.getplugin("capturemanager").suspend_global_capture(in_=True)
    print("Installing what the tests need besides the build.", flush=True)
    if _run(uv, *SYNC) != 0:
        raise pytest.UsageError("uv could not install the dependency group `test`: see above.")
    # Started again, so that pytest loads the plugins that were installed.
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *sys.argv[1:]])


def _run(*command: str) -> int:
    return subprocess.run(command, cwd=Path(__file__).parent).returncode
