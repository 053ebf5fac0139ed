"""Java's archive of the classes that Spark loads: it halves the start-up time of Java.

Java maps this file into memory instead of reading, checking and linking 19,000 classes (class-data
sharing). If the file does not match or is damaged, Java starts without it. The file is made once
per installation of Java and Spark, in the background, by make_archive.py.

https://docs.oracle.com/en/java/javase/17/vm/class-data-sharing.html
"""

import fcntl
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dbt_spark_contracts.spark.java import java_version
from dbt_spark_contracts.spark.private_folder import (
    NotPrivateError,
    cache_folder,
    private_folder,
)
from dbt_spark_contracts.spark.switches import is_ci, is_off

# The environment variable and the profile setting that turn the archive off.
SWITCH = "DBT_SPARK_CLASS_ARCHIVE"
SWITCH_SETTING = "spark.dbt.classArchive"

# Java options by which a user selects an archive.
OWN_OPTIONS = ("-Xshare", "-XX:SharedArchiveFile", "-XX:ArchiveClassesAtExit")
# Java options of tools that may change classes as they are loaded. Java 17 with the flight recorder
# crashes when it loads some classes from an archive.
TOOLS = ("-XX:StartFlightRecording", "-XX:+FlightRecorder", "-javaagent", "-agentlib", "-agentpath")
# Where Java finds options besides its command line.
OPTION_VARIABLES = ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS")

# The tested version. Java 8 has no such archive, and Java 11 archives fewer classes.
KNOWN_JAVA = 17

# A failed attempt is repeated after a day.
FAILURE_LASTS = 24 * 60 * 60


class ArchiveError(Exception):
    """There can be no archive. The text says why."""


class Archive:
    """The place of the archive for one Java and one class path.

    The file name has two parts: the installation (the folders of Java and Spark), and the state of
    all files that the classes come from. Only the newest archive of an installation is kept.

    Attributes:
        file: The archive, if it exists.
        failure: A file with the reason why the archive could not be made.
    """

    def __init__(self, java_home: Path, class_path: list[Path]) -> None:
        """Find the place of the archive.

        Args:
            java_home: The home of the Java.
            class_path: The class path, with Spark's jars last.

        Raises:
            ArchiveError: If this Java or class path has no archive, or the user's cache folder is
                not private.
        """
        if java_version(java_home) != KNOWN_JAVA:
            raise ArchiveError(f"only of Java {KNOWN_JAVA} it is known how to make one")
        self.java_home, self.class_path = java_home, class_path
        self.installation = _digest([java_home, class_path[-1].parent])
        try:
            files = [java_home / "release", *class_path]
            state = [(file, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
            self.folder = private_folder(cache_folder() / "archives")
        except (OSError, NotPrivateError) as error:
            raise ArchiveError(str(error)) from error
        self.file = self.folder / f"{self.installation}-{_digest(state)}.jsa"
        self.failure = self.file.with_suffix(".failed")

    def is_due(self) -> bool:
        """Return whether to make the archive.

        It is due if it is absent, no process is making it, and no recent attempt failed.
        """
        if self.file.exists():
            return False
        try:
            with self.lock(fcntl.LOCK_NB):
                pass
        except BlockingIOError:
            return False
        with suppress(FileNotFoundError):
            return self.failure.stat().st_mtime < time.time() - FAILURE_LASTS
        return True

    @contextmanager
    def lock(self, flags: int = 0) -> Iterator[None]:
        """Allow one process at a time to make an archive. The lock ends with its process."""
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | flags)
            yield


def is_wanted(settings: dict[str, str]) -> bool:
    """Return whether Java should use this package's archive if there is one."""
    variables = (os.environ.get(variable, "") for variable in OPTION_VARIABLES)
    own = " ".join([settings.get("spark.driver.extraJavaOptions", ""), *variables])
    return not (
        is_off(SWITCH, SWITCH_SETTING, settings)
        or any(option in own for option in (*OWN_OPTIONS, *TOOLS))
    )


def options(java_home: Path, class_path: list[Path]) -> list[str]:
    """Return Java's options to use the archive. Empty if there is no archive."""
    with suppress(ArchiveError, OSError):
        file = Archive(java_home, class_path).file
        os.utime(file)  # the least recently used are removed first
        return ["-Xshare:auto", f"-XX:SharedArchiveFile={file}"]
    return []


def make_later(java_home: Path, class_path: list[Path]) -> None:
    """Start a background process that makes the archive, unless it exists.

    Does nothing where CI=true: a machine that is discarded after one command never gets the cost
    back. A machine with many commands to run calls make_archive.py first.
    """
    if is_ci():
        return
    with suppress(ArchiveError, OSError):
        wanted = Archive(java_home, class_path)
        if wanted.is_due():
            subprocess.Popen(
                [
                    *(sys.executable, "-m", "dbt_spark_contracts.spark.make_archive"),
                    *(str(java_home), *map(str, class_path)),
                ],
                # Import modules from where this process has them, not from the working folder.
                env=os.environ | {"PYTHONSAFEPATH": "1"},
                cwd=wanted.folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )


def _digest(parts: list) -> str:
    text = repr([str(part) for part in parts])
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]
