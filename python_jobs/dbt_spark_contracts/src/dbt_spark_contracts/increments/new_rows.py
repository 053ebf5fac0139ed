"""The rows that came to a parent since a table was last built from it: for SQL models."""

from typing import TYPE_CHECKING

from pyspark.errors import AnalysisException

from dbt_spark_contracts import tables
from dbt_spark_contracts.increments import history, note
from dbt_spark_contracts.increments.history import Unknown
from dbt_spark_contracts.increments.note import Note

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


class NewRows:
    """What one model reads of its parents.

    Attributes:
        views: The temporary views of new rows.
    """

    def __init__(self, session: "SparkSession", table: str) -> None:
        """Begin for the model of this table, as it is now."""
        self._session, self._table = session, table
        self._found = note.newest(session, table)
        self._parents: dict[str, int] = {}
        self._news: list[bool] = []
        self.views: list[str] = []

    def read(self, parent: str) -> bool:
        """Remember that the model reads all rows of a parent up to its newest snapshot.

        Returns:
            Whether the parent has snapshots.
        """
        try:
            newest = note.newest(self._session, parent)
        except (AnalysisException, ValueError):  # it is a view, or not an Iceberg table
            return False
        if newest is None:
            return False
        self._parents[note.key(parent)] = newest
        return True

    def of(self, parent: str) -> "DataFrame":
        """Return the rows of a parent that the table has not been built from.

        Raises:
            Unknown: If the snapshots do not tell.
        """
        earlier = note.recall(self._session, self._table).parents.get(note.key(parent))
        if earlier is None:
            raise Unknown("the table does not say what it was built from")
        newest = self._parents[note.key(parent)]
        loaded = tables.load(self._session, parent)
        self._news.append(history.appended(loaded, earlier, newest))
        if not self._news[-1]:
            return self._session.table(parent).where("false")
        reader = self._session.read.option("start-snapshot-id", earlier)
        return reader.option("end-snapshot-id", newest).table(parent)

    @property
    def has_no_news(self) -> bool:
        """Whether all that was asked for is known to have no rows."""
        return bool(self._news) and not any(self._news)

    def note(self) -> Note | None:
        """Return the note for the rows that the model writes. None if it has read no snapshots."""
        if not self._parents:
            return None
        return Note(note.key(self._table), self._found, self._parents)
