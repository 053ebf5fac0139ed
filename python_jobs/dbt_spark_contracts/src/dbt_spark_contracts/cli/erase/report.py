"""What is told of an erasure: a table, lines, JSON. None of them has a value."""

from collections.abc import Iterator
from typing import Any

from dbt_spark_contracts.cli.erase.related import Related
from dbt_spark_contracts.cli.lineage.project import Place

TABLE = "table"
PERSONAL = "pii"


class Report:
    """What holds the value.

    Args:
        related: The columns that may hold it.
        rows: What the operation tells.
        rewritten: Whether it was to be erased.
    """

    def __init__(self, related: Related, rows: list[dict[str, Any]], rewritten: bool) -> None:
        self._related = related
        self._first = [row for row in rows if row["look"] == 1]
        self._left = [row for row in rows if row["look"] == 2] if rewritten else self._first
        self._rewritten = rewritten

    @property
    def holds(self) -> bool:
        """Does anything hold the value now?"""
        return bool(self._left)

    def as_dict(self) -> dict[str, Any]:
        """Return it for a program."""
        told: dict[str, Any] = {"holds": self.holds, "held": _plain(self._first)}
        if self._rewritten:
            told["left"] = _plain(self._left)
        derived = self._related.derived(self._holding())
        names = self._related.lineage.name
        told["derived"] = [
            {"column": names(place), "how": how} for place, how in sorted(derived.items())
        ]
        told["beside"] = [
            {"table": table, "columns": columns} for table, columns in self._beside().items()
        ]
        return told

    def table(self) -> list[dict[str, Any]]:
        """Return a row for each column that holds it, or held it before it was erased."""
        left = {(row["table"], row["column"]) for row in self._left if row["kind"] == TABLE}
        return [
            {
                "table": row["table"],
                "column": row["column"] or "",
                "found": row["found"],
                "rows": row["rows"],
                "files": row["files"],
                "snapshots": len(row["snapshots"]),
                "branches and tags": ", ".join(row["refs"]),
                "outcome": self._state(row, left),
            }
            for row in self._first
            if row["kind"] == TABLE
        ]

    def _state(self, row: dict, left: set) -> str:
        if not self._rewritten:
            return row["not_rewritten"] or ""
        if (row["table"], row["column"]) not in left:
            return "erased"
        return f"still holds it: {row['not_rewritten'] or 'run the command again'}"

    def lines(self) -> Iterator[str]:
        """Yield the lines below the table."""
        for row in self._left:
            if row["kind"] != TABLE:
                yield f"{row['kind']}: {row['path']}"
        kinds = {row["kind"] for row in self._left}
        if any("landing" in kind for kind in kinds):
            yield (
                "Landing files are yours and stay as they are: delete them, or take the value out. "
                "A build reads a file again when its time, size or name is another, and with it "
                "the value, if the file still has it."
            )
        if "seed file" in kinds:
            yield "A seed file is loaded again by each build: take the value out of it first."
        if "checkpoint" in kinds:
            yield (
                "A checkpoint is of a run that was killed, or that runs now. It is compressed, so "
                "it may hold anything: delete the folder when that run has ended."
            )
        if any(row.get("not_rewritten") for row in self._left):
            yield "Tables that are not the project's own are listed, and not rewritten."
        derived = self._related.derived(self._holding())
        for place, how in sorted(derived.items()):
            yield f"derived from it: {self._related.lineage.name(place)} ({how})"
        if derived:
            yield (
                "What is derived from it is not compared. Build these models again, with "
                "--full-refresh where they are incremental; `maintain` expires what they held."
            )
        for table, columns in self._beside().items():
            yield f"{table}: the same rows also have {', '.join(columns)}, marked {PERSONAL}."
        yield self._verdict()

    def _verdict(self) -> str:
        tables = {row["table"] for row in self._left if row["kind"] == TABLE}
        files = len(self._left) - len([row for row in self._left if row["kind"] == TABLE])
        if not self.holds:
            return "Nothing holds it any more." if self._first else "Nothing holds it."
        parts = [_number(len(tables), "table")] if tables else []
        parts += [f"{_number(files, 'file')} outside of the tables"] if files else []
        one = len(tables) + files == 1
        still = f"{'still ' if self._rewritten else ''}{'holds' if one else 'hold'} it"
        way_out = "" if self._rewritten else " Nothing was changed: --rewrite erases it."
        return f"{' and '.join(parts)} {still}.{way_out}"

    def _holding(self) -> list[Place]:
        """Return the columns in which the value was found."""
        found = []
        for row in self._first:
            node = self._related.lineage.nodes.get(row.get("node") or "")
            names = {name.lower(): name for name in node.columns} if node else {}
            if node and (row["column"] or "").lower() in names:
                found.append(Place(node.id, names[row["column"].lower()]))
        return found

    def _beside(self) -> dict[str, list[str]]:
        """Return the other personal columns of tables whose rows hold the value as a whole."""
        found = {}
        holding = {*self._holding()}
        for place in sorted(holding & self._related.same):
            node = self._related.lineage.nodes[place.node]
            others = [
                name
                for name, column in node.columns.items()
                if PERSONAL in column.marks and Place(node.id, name) not in holding
            ]
            if others:
                found[node.label] = others
        return found


def _number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _plain(rows: list[dict]) -> list[dict]:
    return [{name: value for name, value in row.items() if name != "look"} for row in rows]
