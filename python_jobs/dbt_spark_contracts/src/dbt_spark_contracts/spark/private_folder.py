"""Folders that only this user can access, for a secret or for code that Java will run."""

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class NotPrivateError(Exception):
    """There is no such folder, or other users can use it. The text says why, and the way out."""


def cache_folder() -> Path:
    """Return the folder of this package in the user's cache.

    Raises:
        NotPrivateError: If it cannot be made, or other users have access to it.
    """
    try:
        cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError as error:  # a user without a home
        raise NotPrivateError(str(error)) from error
    return private_folder(Path(cache, "dbt-spark-contracts"))


def private_folder(path: Path) -> Path:
    """Make the folder for its owner only, if it does not exist.

    Returns:
        The path.

    Raises:
        NotPrivateError: If it cannot be made, or other users have access to it.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        state = path.lstat()
    except OSError as error:
        raise NotPrivateError(f"the folder {path} cannot be made: {error.strerror}") from error
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.getuid() or state.st_mode & 0o077:
        raise NotPrivateError(f"{path} is not a folder that only its owner can use: chmod 700 it")
    return path


@contextmanager
def temporary_folder(prefix: str) -> Iterator[tuple[Path, int]]:
    """Make a temporary folder for its owner only, and delete it at the end of the block.

    A killed process leaves its folder behind. The next call with this prefix deletes it.

    Args:
        prefix: The beginning of the folder's name.

    Yields:
        The folder, and a lock on it. While a process holds the lock, nobody else deletes the
        folder. A process that also needs it inherits the lock.
    """
    _delete_left_behind(prefix)
    with tempfile.TemporaryDirectory(prefix=prefix) as folder:
        lock = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield Path(folder), lock
        finally:
            os.close(lock)


def _delete_left_behind(prefix: str) -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        # It may be in use, be another user's, or be deleted by another process at this moment.
        with suppress(OSError):
            # Files come after the lock. An empty folder may be one whose lock is still to come.
            if not any(folder.iterdir()):
                continue
            lock = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)
            finally:
                os.close(lock)
