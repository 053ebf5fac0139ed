"""What is patched in dbt for one command.

dbt's modules belong to the process, which may run commands of several projects. So each command
begins by undoing what the one before has patched.
"""

from contextlib import ExitStack
from typing import Any

_undo = ExitStack()


def patch(owner: Any, name: str, value: Any) -> None:
    """Let `owner` have another value of that name, until the next command begins."""
    _undo.callback(setattr, owner, name, getattr(owner, name))
    setattr(owner, name, value)


def undo() -> None:
    """Let all be as dbt has it."""
    _undo.close()
