"""A table's note of the snapshots that its rows were made from, in its own snapshots' summaries.

The note is written by the commit that writes the rows. So a roll-back, a branch that is dropped, a
kill and a run that is held back leave the note of the rows that they leave.
"""

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from dbt_spark_contracts import tables
from dbt_spark_contracts.increments.history import NoAncestor, Unknown, back_to, changes_rows
from dbt_spark_contracts.schemas import plain
from dbt_spark_contracts.spark import session as spark_session

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Where the summary of a snapshot has it.
MADE_FROM = "dbt.made_from"


@dataclass(frozen=True)
class Note:
    """What the rows of a table were made from.

    Attributes:
        table: The table.
        found: The snapshot of the table that its model found, None if there was none.
        parents: The snapshot of each parent that was read: all of its rows are taken into account.
        made_by: A checksum of all else that decides about the rows. Empty if that is not known.
        values: Values of the run that its model takes into account by itself, by their names.
    """

    table: str
    found: int | None = None
    parents: dict[str, int] = field(default_factory=dict)
    made_by: str = ""
    values: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return the text in the summary."""
        return json.dumps(asdict(self), sort_keys=True)


class Changed(Unknown):
    """Something else than the model has changed rows of its table."""

    def __init__(self) -> None:
        """Say so."""
        super().__init__("something else has written to the table since its last build")


def key(table: str) -> str:
    """Return a table's name as notes have it."""
    return plain(table).lower()


def newest(session: "SparkSession", table: str) -> int | None:
    """Return the snapshot that this session reads: of the run's branch, or else of main.

    None if there is no such table, or it is not Iceberg's, or it was never written.
    """
    loaded = tables.find(session, table)
    snapshot = loaded and tables.head(loaded, spark_session.branch())
    return snapshot.snapshotId() if snapshot else None


def recall(session: "SparkSession", table: str) -> Note:
    """Return the note about the current rows of a table. Reads metadata only.

    Raises:
        Unknown: If there is none, or something else than the model has written to the table.
    """
    found = newest(session, table)
    if found is None:
        raise Unknown("the table has no rows")
    loaded = tables.load(session, table)
    for snapshot in back_to(loaded, found, None):
        text = snapshot.summary().get(MADE_FROM)
        note = _parsed(text)
        if note and note.table == key(table):
            if _follows(loaded, snapshot.snapshotId(), text, note):
                return note
            raise Unknown("two builds have written to the table at the same time")
        if changes_rows(snapshot):
            raise Changed
    raise Unknown("the table does not say what it was built from")


def _parsed(text: str | None) -> Note | None:
    """Return the note of a summary. None without one, or if another version has written it."""
    try:
        return Note(**json.loads(text)) if text else None
    except (TypeError, ValueError):
        return None


def _follows(loaded: Any, written: int, text: str, note: Note) -> bool:
    """Return whether only this model's commits lie between the rows that it found and its last.

    Raises:
        Unknown: If one of these commits has expired.
    """
    try:
        between = [*back_to(loaded, written, note.found)]
    except NoAncestor:
        return False
    return all(each.summary().get(MADE_FROM) == text or not changes_rows(each) for each in between)
