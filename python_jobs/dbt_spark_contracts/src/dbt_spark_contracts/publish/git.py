"""The commit that a project is built from."""

import subprocess


def commit(folder: str) -> str | None:
    """The commit of a folder's git repository; with `-dirty`, if files differ from it.

    Args:
        folder: The folder.

    Returns:
        It; None if the folder is in no repository, or there is no git.
    """
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None
