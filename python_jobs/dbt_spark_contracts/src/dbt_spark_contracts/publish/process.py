"""Identify the process of a build, and detect whether another build's process has ended."""

import os
import platform
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil

# The seconds that a Java needs to notice that its dbt was killed.
JAVA_ENDS_WITHIN = 20


def this_process(java: int) -> dict:
    """Identify this process and its Java.

    Args:
        java: The process id of the Java.

    Returns:
        The host, its boot and its pid namespace; process id and start time of dbt and of Java. On
        Linux a start time is counted from the boot, because the clock may be adjusted.
    """
    return {
        **_place(),
        "dbt": [os.getpid(), _start(os.getpid())],
        "java": [java, _start(java)],
    }


def has_ended(process: dict) -> bool:
    """Return whether a process from `this_process`, and its Java, have certainly ended.

    Only processes in the same pid namespace can be checked. For any other, the answer is no. If a
    dbt was killed, this waits for its Java, which may still write.
    """
    here = _place()
    if None in here.values() or any(process.get(name) != value for name, value in here.items()):
        return False
    try:
        (dbt, dbt_start), (java, java_start) = process["dbt"], process["java"]
        if _runs(int(dbt), dbt_start):
            return False
        return not _runs(int(java), java_start) or _ends(int(java))
    except (KeyError, TypeError, ValueError):
        return False


def _place() -> dict:
    return {"host": platform.node() or None, "boot": _boot(), "pids": _space_of_pids()}


def _boot() -> "str | None":
    """Return an id of the machine's current boot, or None if the system has none."""
    with suppress(OSError, subprocess.SubprocessError):
        if sys.platform == "darwin":
            command = ["sysctl", "-n", "kern.bootsessionuuid"]
            return subprocess.check_output(command, text=True, timeout=5).strip() or None
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip() or None
    return None


def _space_of_pids() -> "str | None":
    """Return an id of the pid namespace. A container has its own."""
    if sys.platform == "darwin":
        return "all"
    with suppress(OSError):
        return str(Path("/proc/self/ns/pid").readlink())
    return None


def _start(pid: int) -> "float | int | None":
    """Return the start time of a process, or None if it does not exist.

    Linux counts it from the boot. psutil adds the boot time, which changes when the clock is set.
    """
    if sys.platform == "linux":
        with suppress(OSError, IndexError, ValueError):
            # The fields after the name, which is in brackets and may contain any character.
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            return int(fields[19])
        return None
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).create_time()
    return None


def _runs(pid: int, start: object) -> bool:
    # A process id may be reused, and a zombie does nothing more.
    with suppress(psutil.NoSuchProcess):
        return _start(pid) == start and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def _ends(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return not psutil.wait_procs([psutil.Process(pid)], timeout=JAVA_ENDS_WITHIN)[1]
    return True
