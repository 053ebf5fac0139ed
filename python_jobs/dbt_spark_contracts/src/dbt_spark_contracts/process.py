"""Which process a build is, and whether another build's still runs."""

import platform
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# What a Java whose dbt was killed needs to notice it and end, in seconds.
JAVA_ENDS_WITHIN = 20


def this_process(session: "SparkSession") -> dict:
    """Out: the host; number and start (in seconds) of dbt's process, and of its Java's."""
    java_name = session._jvm.java.lang.management.ManagementFactory.getRuntimeMXBean().getName()
    java = int(java_name.partition("@")[0])
    return {
        "host": platform.node(),
        "dbt": [psutil.Process().pid, psutil.Process().create_time()],
        "java": [java, psutil.Process(java).create_time()],
    }


def is_running(process: dict) -> bool:
    """Does a process that `this_process` told of still run?

    One on another host is taken to. Of one that was killed, it waits for the end of its Java, which
    may still be writing.
    """
    if not is_on_this_host(process):
        return True
    if _find(*process["dbt"]):
        return True
    java = _find(*process["java"])
    return bool(java and psutil.wait_procs([java], timeout=JAVA_ENDS_WITHIN)[1])


def is_this_process(session: "SparkSession", process: dict) -> bool:
    """Is a process that `this_process` told of this very one? They are told apart by their Java."""
    return process["java"] == this_process(session)["java"]


def is_on_this_host(process: dict) -> bool:
    """Is a process that `this_process` told of one of this host?"""
    return process["host"] == platform.node()


def _find(pid: int, created: float) -> psutil.Process | None:
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        # A number is given again; and one that is dead, but not yet buried, does nothing more.
        if process.create_time() == created and process.status() != psutil.STATUS_ZOMBIE:
            return process
    return None
