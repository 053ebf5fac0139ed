"""Processes in namespaces of their own, like two containers with shared files and a host name."""

import os
import shutil
import subprocess

import pytest


def alone() -> list[str]:
    """Return a command prefix that gives a command its own PID and network namespaces.

    Skips the test if the machine does not allow that.
    """
    command = ["unshare", "--net", "--pid", "--uts", "--fork", "--kill-child", "--mount-proc"]
    if os.geteuid() != 0:
        command += ["--user", "--map-root-user"]
    command += ["sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    is_there = shutil.which("unshare") and shutil.which("ip")
    if not is_there or subprocess.run([*command, "true"], capture_output=True).returncode:
        pytest.skip("this machine lets the test make no space of process numbers of its own")
    return command
