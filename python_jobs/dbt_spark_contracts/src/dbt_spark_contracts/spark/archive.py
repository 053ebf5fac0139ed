"""Java's archive of the classes that Spark loads: with it, Java starts in half the time.

Java maps this file into memory where it would read, check and link 19,000 classes (class-data
sharing). If the file does not fit or is damaged, Java goes on without. It is made once for each
installation of Java and Spark, in the background, by make_archive.py.

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

# Variable of the environment, and setting of the profile, that turn the archive off.
SWITCH = "DBT_SPARK_CLASS_ARCHIVE"
SWITCH_SETTING = "spark.dbt.classArchive"

# Options of Java by which a user chooses an archive.
OWN_OPTIONS = ("-Xshare", "-XX:SharedArchiveFile", "-XX:ArchiveClassesAtExit")

# With this Java it was tried. Java 8 has no such archive, and Java 11 takes less into it.
KNOWN_JAVA = 17

# What could not be made is tried again after a day.
FAILURE_LASTS = 24 * 60 * 60


class ArchiveError(Exception):
    """There can be no archive. The text says why."""


class Archive:
    """Where the archive of one Java and one class path is.

    Its name has two parts: the installation, which is the folders of Java and of Spark, and the
    state of all files that the classes are from. Of an installation only the newest is kept.

    Attributes:
        file: The archive, if it is there.
        failure: A file that says why it could not be made.
    """

    def __init__(self, java_home: Path, class_path: list[Path]) -> None:
        """Find the place.

        Raises:
            ArchiveError: There is no archive for such a Java or class path, or the user's cache
                folder is not private.
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
        """Is it to be made: not there, not being made, and did not fail a short time ago?"""
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
        """Be the only process that makes an archive. A process that ends gives it up."""
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | flags)
            yield


def is_wanted(settings: dict[str, str]) -> bool:
    """Shall Java use an archive of ours where there is one?"""
    own = settings.get("spark.driver.extraJavaOptions", "")
    return not (
        is_off(SWITCH, SWITCH_SETTING, settings) or any(option in own for option in OWN_OPTIONS)
    )


def options(java_home: Path, class_path: list[Path]) -> list[str]:
    """Java's options to use the archive; none if there is no archive."""
    with suppress(ArchiveError, OSError):
        file = Archive(java_home, class_path).file
        os.utime(file)  # those that nobody uses are removed first
        return ["-Xshare:auto", f"-XX:SharedArchiveFile={file}"]
    return []


def make_later(java_home: Path, class_path: list[Path]) -> None:
    """Let another process make the archive in the background, unless it is there.

    Not where CI=true: a machine that is thrown away after one command never gets back what this
    costs. One that has many to run calls make_archive.py first.
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
                # Modules come from where this process has them, and none from the working folder.
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
