"""The table `publish_log`: one row per table and event.

The status is `held back` for a branch, or `moving` when main is about to move to another snapshot.
A later commit of the same run records how the move ended: `published`, `rolled back` or `taken
back`.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from dbt_spark_contracts import tables
from dbt_spark_contracts.publish import commits
from dbt_spark_contracts.publish.branches import Move
from dbt_spark_contracts.publish.record import as_text
from dbt_spark_contracts.publish.rows import append

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

HELD_BACK = "held back"
MOVING = "moving"
PUBLISHED = "published"
ROLLED_BACK = "rolled back"
TAKEN_BACK = "taken back"
ENDED = (PUBLISHED, ROLLED_BACK, TAKEN_BACK)

_COLUMNS = """
    logged_at timestamp not null,
    run string not null comment 'the branch, or the name of the operation',
    invocation_id string not null comment 'the dbt command',
    status string not null comment 'held back, moving, published, rolled back or taken back',
    table_name string not null,
    from_snapshot_id bigint not null comment 'main before',
    to_snapshot_id bigint not null comment 'main after, or the branch that is held back'
"""

# Keys that a commit's summary has besides Iceberg's own. They save a read of the rows.
_STATUS, _RUN, _FACTS = "publish.status", "publish.run", "publish.facts"

# The number of recent commits to search for an interrupted move. A lease owner finishes such a move
# before anything else, so only a former owner may have written since.
_LOOKED_AT = 10


@dataclass(frozen=True)
class Seen:
    """What readers of a table saw at a time, as far as the log knows.

    Attributes:
        snapshot_id: The snapshot.
        until: What main was before the next move that is logged. None if there is none.
        is_exact: Whether a move of that very time is logged.
    """

    snapshot_id: int
    until: int | None = None
    is_exact: bool = False


class PublishLog:
    """The log, as a command writes and reads it."""

    def __init__(self, session: "SparkSession", table: str, invocation_id: str) -> None:
        self.table = table
        self._session = session
        self._invocation_id = invocation_id

    def create(self) -> None:
        """Create the table if it does not exist."""
        told = "What was held back, published and rolled back, and when"
        commits.create_table(self._session, self.table, _COLUMNS, {}, told)

    def write(self, run: str, status: str, moves: list[Move], facts: "dict | None" = None) -> None:
        """Write one row per move, in one commit. Without moves, nothing is written.

        Args:
            run: The branch, or the name of the operation.
            status: The event.
            moves: The moves of the tables.
            facts: What the run should remember, for `facts`.
        """
        now = datetime.now(timezone.utc)
        row_of = {
            "logged_at": now,
            "run": run,
            "invocation_id": self._invocation_id,
            "status": status,
        }
        found = [row_of | asdict(move) for move in moves]
        told = {_STATUS: status, _RUN: run, _FACTS: json.dumps(facts or {})}
        append(self._session, self.table, found, told)

    def open_moves(self) -> dict[str, list[Move]]:
        """Return the moves of main that began and did not end, by run, oldest first."""
        if not self._may_have_open_moves():
            return {}
        ended = ", ".join(f"'{status}'" for status in ENDED)
        rows = self._rows(f"status in ('{MOVING}', {ended})")
        moving: dict[str, int] = {}
        for row in sorted(rows, key=_micros):
            if row.status == MOVING:
                moving[row.run] = row.micros
            elif row.micros >= moving.get(row.run, row.micros + 1):
                del moving[row.run]
        return {
            run: [
                Move(row.table_name, row.from_snapshot_id, row.to_snapshot_id)
                for row in rows
                if (row.run, row.status, row.micros) == (run, MOVING, micros)
            ]
            for run, micros in moving.items()
        }

    def _may_have_open_moves(self) -> bool:
        """Decide by the summaries of the newest commits, without reading rows."""
        ended = set()
        for operation, summary in self._newest(_LOOKED_AT):
            run, status = summary.get(_RUN), summary.get(_STATUS)
            if status in ENDED:
                ended.add(run)
            elif status == MOVING and run not in ended:
                return True
            elif status is None and operation != "replace":
                return True  # unknown
        return False

    def held_back_by(self, invocation_id: str) -> "tuple[str, list[str]] | None":
        """Return the branch that a command has held back, and its tables, or None."""
        rows = [
            row for row in self._rows(f"status = '{HELD_BACK}'") if row.invocation == invocation_id
        ]
        return (rows[0].run, sorted({row.table_name for row in rows})) if rows else None

    def tables_of(self, run: str) -> list[str]:
        """Return the tables that a run has held back."""
        return sorted({
            row.table_name for row in self._rows(f"status = '{HELD_BACK}'") if row.run == run
        })  # fmt: skip

    def all_tables(self) -> list[str]:
        """Return every table that a run has ever held back or published."""
        return sorted({row.table_name for row in self._rows("true")})

    def facts(self, run: str) -> dict:
        """Return what a held-back run has remembered. Empty if unknown."""
        table = tables.load_anew(self._session, self.table)
        facts: dict = {}
        for snapshot in table.snapshots():
            summary = snapshot.summary()
            if summary.get(_RUN) == run and summary.get(_STATUS) == HELD_BACK:
                facts = json.loads(summary.get(_FACTS) or "{}")
        return facts

    def published_when(self, run: str) -> "int | None":
        """Return when a run was last published, in microseconds since 1970, or None."""
        rows = [row.micros for row in self._rows(f"status = '{PUBLISHED}'") if row.run == run]
        return max(rows, default=None)

    def history(self, limit: int) -> list[dict]:
        """Return the events, one row per time and run, newest first.

        Args:
            limit: The maximum number of rows.

        Returns:
            For each row: the time `at` (UTC, ISO 8601), `status`, `run`, `invocation_id`, and the
            number of `tables`.
        """
        found: dict[tuple, int] = {}
        for row in self._rows(f"status <> '{MOVING}'"):
            key = (row.micros, row.run, row.status, row.invocation)
            found[key] = found.get(key, 0) + 1
        return [
            {
                "at": as_text(micros),
                "status": status,
                "run": run,
                "invocation_id": invocation_id,
                "tables": count,
            }
            for (micros, run, status, invocation_id), count in sorted(found.items(), reverse=True)
        ][:limit]

    def rolled_back_since(self, run: str) -> list[Move]:
        """Return the first roll back of each table after a run was held back.

        If the log does not know when that was, all roll backs count.
        """
        rows = self._rows(f"status in ('{HELD_BACK}', '{ROLLED_BACK}')")
        held = [row.micros for row in rows if (row.run, row.status) == (run, HELD_BACK)]
        since = min(held, default=0)
        first: dict[str, Move] = {}
        for row in sorted(rows, key=_micros):
            if row.status == ROLLED_BACK and row.micros >= since:
                move = Move(row.table_name, row.from_snapshot_id, row.to_snapshot_id)
                first.setdefault(row.table_name, move)
        return [first[name] for name in sorted(first)]

    def published_at(self, micros: int) -> dict[str, Seen]:
        """Return what readers of each table saw at a time.

        For a table that was published later, it is the snapshot before its first publish.

        Args:
            micros: The time, in microseconds since 1970.

        Returns:
            What they saw, by table name.
        """
        then: dict[str, Seen] = {}
        for row in sorted(self._rows(f"status in ('{PUBLISHED}', '{ROLLED_BACK}')"), key=_micros):
            seen = then.get(row.table_name)
            if row.micros <= micros:
                then[row.table_name] = Seen(row.to_snapshot_id, is_exact=row.micros == micros)
            elif seen is None:
                then[row.table_name] = Seen(row.from_snapshot_id, until=row.from_snapshot_id)
            elif seen.until is None:
                then[row.table_name] = replace(seen, until=row.from_snapshot_id)
        return then

    def _newest(self, count: int) -> Iterable[tuple[str, dict[str, str]]]:
        """Yield operation and summary of the newest commits, newest first."""
        table = tables.load_anew(self._session, self.table)
        snapshot = table.currentSnapshot()
        while snapshot is not None and count:
            yield snapshot.operation(), dict(snapshot.summary())
            parent = snapshot.parentId()
            snapshot = None if parent is None else table.snapshot(parent)
            count -= 1

    def _rows(self, condition: str) -> list:
        tables.forget(self._session, self.table)
        frame = self._session.table(self.table).where(condition)
        # As a number, because pyspark returns a timestamp in the local time zone.
        return frame.selectExpr(
            "unix_micros(logged_at) as micros", "run", "invocation_id as invocation",
            "status", "table_name", "from_snapshot_id", "to_snapshot_id",
        ).collect()  # fmt: skip


def _micros(row: Any) -> int:
    return row.micros
