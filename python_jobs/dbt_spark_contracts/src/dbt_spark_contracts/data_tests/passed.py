"""The data tests that have passed, as a note on the table of recorded nodes.

Only a build uses it, and only its end writes it. A run that is not recorded, or a second one at the
same time, leaves no note. Then the next build runs all tests.
"""

import json
from collections.abc import Collection
from typing import TYPE_CHECKING

from dbt_spark_contracts.errors import explain
from dbt_spark_contracts.publish import tell
from dbt_spark_contracts.publish.untested import mark
from dbt_spark_contracts.snapshot_notes import Notes

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

NOT_RUN_AGAIN = (
    "Data tests not run again, because they have passed on these rows: {count}. "
    "`dbt test` runs them all."
)


class Passed:
    """What is known of the data tests that have passed. Shared by the threads of a command."""

    def __init__(self, session: "SparkSession", table: str) -> None:
        """Read the note.

        Args:
            session: The session.
            table: The table of recorded nodes.
        """
        self._notes = Notes(session, table)
        self._known = self._recall()
        self._before: dict[str, str | None] = {}
        self._not_run_again: set[str] = set()

    def _recall(self) -> dict[str, str]:
        try:
            known = json.loads(self._notes.recall() or "{}")
        except Exception as error:  # without the note, the tests are run
            tell.detail(f"The data tests that have passed are not known: {explain(error)}")
            return {}
        return known if isinstance(known, dict) else {}

    @property
    def not_run_again(self) -> int:
        """The number of tests that this run has not run again."""
        return len(self._not_run_again)

    def has(self, unique_id: str, checksum: str | None) -> bool:
        """Return whether a test has passed, and is not to be run again.

        Args:
            unique_id: The test.
            checksum: What decides about its result now. None if that is not known.
        """
        if checksum is not None and self._known.get(mark(unique_id)) == checksum:
            self._not_run_again.add(unique_id)
            return True
        # Until it has passed.
        self._known.pop(mark(unique_id), None)
        self._before[unique_id] = checksum
        return False

    def add(self, unique_id: str, checksum: str) -> None:
        """Remember that a test has passed, if nothing that decides has changed while it ran."""
        if self._before.get(unique_id) == checksum:
            self._known[mark(unique_id)] = checksum

    def write(self, tests: Collection[str]) -> None:
        """Write the note about the newest recorded run.

        Args:
            tests: The project's tests. Others are forgotten.
        """
        marks = {*map(mark, tests)}
        known = {one: checksum for one, checksum in self._known.items() if one in marks}
        self._notes.keep(json.dumps(known, sort_keys=True))
        self._notes.write()
