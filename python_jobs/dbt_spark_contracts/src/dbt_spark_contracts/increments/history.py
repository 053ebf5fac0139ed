"""The snapshots of a parent between the one that was read and today's."""

from collections.abc import Iterator
from typing import Any

# Of what Iceberg tells of a commit: what says that rows came or went.
_CHANGES = ("added-records", "deleted-records", "added-position-deletes", "added-equality-deletes")


class Unknown(Exception):
    """What is new cannot be told from the snapshots. The message says why, in words."""


class NoAncestor(Unknown):
    """A snapshot is none of the ancestors of another one, and these are all kept."""


def changes_rows(snapshot: Any) -> bool:
    """Return whether the commit has changed rows. A compaction or an empty append has not."""
    if snapshot.operation() == "replace":
        return False
    summary = snapshot.summary()
    return any(summary.get(name) not in (None, "0") for name in _CHANGES)


def rows_from(loaded: Any, snapshot: Any) -> int:
    """Return the id of the commit that made the rows of a snapshot what they are.

    Later commits have changed no row. If it is gone, it is the oldest of those that is kept.
    """
    while not changes_rows(snapshot):
        number = snapshot.parentId()
        parent = None if number is None else loaded.snapshot(number)
        if parent is None:
            break
        snapshot = parent
    return snapshot.snapshotId()


def back_to(loaded: Any, newest: int, last: int | None) -> Iterator[Any]:
    """Yield a snapshot and its ancestors down to, and without, another one.

    Args:
        loaded: The table, as an object of Iceberg's Java API.
        newest: The id of the first snapshot.
        last: The id of the snapshot to stop at. It need not be kept any more. None is the state
            before the first commit.

    Raises:
        NoAncestor: If the way does not lead there.
        Unknown: If a snapshot on the way is gone.
    """
    number: int | None = newest
    while number != last:
        if number is None:
            raise NoAncestor(
                f"{loaded.name()} was rolled back, or created anew, since its snapshot {last}"
            )
        snapshot = loaded.snapshot(number)
        if snapshot is None:
            raise Unknown(f"the snapshot {number} of {loaded.name()} was expired")
        yield snapshot
        number = snapshot.parentId()


def appended(loaded: Any, last: int, newest: int) -> bool:
    """Return whether rows were appended between two snapshots of a table.

    Raises:
        Unknown: If rows were also replaced or deleted, or the snapshots do not tell.
    """
    changing = [each for each in back_to(loaded, newest, last) if changes_rows(each)]
    if any(each.operation() != "append" for each in changing):
        raise Unknown("its rows were also replaced or deleted")
    return bool(changing)
