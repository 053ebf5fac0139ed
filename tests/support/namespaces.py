"""Processes that share files and a host name with this one and nothing else, as two containers."""

import os
import shutil
import subprocess

import pytest


def alone() -> list[str]:
    """What to put before a command: it has process numbers and a network of its own.

    Skips the test where the machine does not let it.
    """
    command = ["unshare", "--net", "--pid", "--uts", "--fork", "--kill-child", "--mount-proc"]
    if os.geteuid() != 0:
        command += ["--user", "--map-root-user"]
    command += ["sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    is_there = shutil.which("unshare") and shutil.which("ip")
    if not is_there or subprocess.run([*command, "true"], capture_output=True).returncode:
        pytest.skip("this machine lets the test make no space of process numbers of its own")
    return command
