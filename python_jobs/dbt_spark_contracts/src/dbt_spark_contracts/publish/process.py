"""Which process a build is, and whether another build's has certainly ended."""

import os
import platform
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil

# What a Java whose dbt was killed needs to notice it and end, in seconds.
JAVA_ENDS_WITHIN = 20


def this_process(java: int) -> dict:
    """What tells this process, and its Java of that number, from all others.

    Out: the host, its boot, its space of process numbers; number and start of dbt's process and of
    Java's. A start is counted from the boot where the system tells it so: the clock may be set.
    """
    return {
        **_place(),
        "dbt": [os.getpid(), _start(os.getpid())],
        "java": [java, _start(java)],
    }


def has_ended(process: dict) -> bool:
    """Has a process that `this_process` told of certainly ended, and its Java too?

    Only what ran in this very space of process numbers can be looked for: of all others, nothing
    is certain. Of a dbt that was killed, it waits for the end of its Java, which may still write.
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
    """What tells this boot of the machine from others; None if the system does not tell."""
    with suppress(OSError, subprocess.SubprocessError):
        if sys.platform == "darwin":
            command = ["sysctl", "-n", "kern.bootsessionuuid"]
            return subprocess.check_output(command, text=True, timeout=5).strip() or None
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip() or None
    return None


def _space_of_pids() -> "str | None":
    """What tells the space of process numbers from others (a container has its own)."""
    if sys.platform == "darwin":
        return "all"
    with suppress(OSError):
        return str(Path("/proc/self/ns/pid").readlink())
    return None


def _start(pid: int) -> "float | int | None":
    """When a process started; None if there is none of that number.

    Linux counts it from the boot; psutil adds the time of that, which a step of the clock moves.
    """
    if sys.platform == "linux":
        with suppress(OSError, IndexError, ValueError):
            # After the name, which stands in brackets and may hold any character.
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            return int(fields[19])
        return None
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).create_time()
    return None


def _runs(pid: int, start: object) -> bool:
    # A number is given again; and one that is dead, but not yet buried, does nothing more.
    with suppress(psutil.NoSuchProcess):
        return _start(pid) == start and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def _ends(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return not psutil.wait_procs([psutil.Process(pid)], timeout=JAVA_ENDS_WITHIN)[1]
    return True
