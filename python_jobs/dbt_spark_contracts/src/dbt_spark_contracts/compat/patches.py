"""Patches of dbt for one command.

dbt's modules belong to the process, which may run commands of several projects. So each command
first undoes the patches of the previous one.
"""

from contextlib import ExitStack
from typing import Any

_undo = ExitStack()


def patch(owner: Any, name: str, value: Any) -> None:
    """Replace an attribute of `owner` until the next command begins."""
    _undo.callback(setattr, owner, name, getattr(owner, name))
    setattr(owner, name, value)


def undo() -> None:
    """Undo all patches."""
    _undo.close()
