"""The differences that the models of one command ask for. Each is looked for once."""

from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from dbt_spark_contracts.increments.difference import Difference


class Differences:
    """What was found. One object per command, shared by its threads."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, int, int], Difference] = {}
        self._lock = Lock()

    def get(self, session: "SparkSession", table: str, earlier: int, newest: int) -> "Difference":
        """Return the difference of two snapshots of a table. See `Difference`."""
        from dbt_spark_contracts.increments.difference import Difference  # it imports pyspark

        asked = (table, earlier, newest)
        with self._lock:
            if asked not in self._found:
                self._found[asked] = Difference(session, table, earlier, newest)
            return self._found[asked]

    def close(self) -> None:
        """Let go of what was found."""
        while self._found:
            self._found.popitem()[1].close()
