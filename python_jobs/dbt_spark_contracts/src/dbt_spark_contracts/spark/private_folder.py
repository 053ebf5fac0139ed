"""Folders that only this user can access, for a secret or for code that Java will run."""

import os
import stat
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
