"""What a table remembers about the origins of its columns at the time of writing.

The command that reads a table may not have built it. Another command did, with another `target/`
and with the models and marks of that time. So each table stores its origins in a property per
snapshot. Branches, roll-backs and publishes find the origins of their own rows. The property holds
all columns on the way, not only those of the parents, so that today's marks apply to them whatever
has been rebuilt in between. docs/contracts.md
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from dbt_spark_contracts import tables
from dbt_spark_contracts.compat.pyspark import fetched, java_classes

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# The prefix of the property. The rest is the snapshot id.
PROPERTY = "contracts.made_of."


class Part(NamedTuple):
    """A column that values of another column were made of.

    Attributes:
        node: The dbt node, or the table if there is none.
        column: The column.
        is_masked: Whether its values are hidden: docs/contracts.md
        is_allowed: Whether a model on the way was allowed to pass it on although it is personal.
    """

    node: str
    column: str
    is_masked: bool = False
    is_allowed: bool = False


@dataclass(frozen=True)
class Made:
    """What is known about the values of one column.

    Attributes:
        parts: The columns they were made of, including those on the way.
        untraced: Why the parts are incomplete, in words.
    """

    parts: frozenset[Part] = frozenset()
    untraced: frozenset[str] = frozenset()

    def or_of(self, other: "Made") -> "Made":
        """Return what is known if the values come from both."""
        return Made(self.parts | other.parts, self.untraced | other.untraced)


# By column names, in lower case.
Memory = Mapping[str, Made]


def united(memories: Iterable[Memory]) -> Memory:
    """Return what is known about rows that come from all of these memories."""
    found: dict[str, Made] = {}
    for memory in memories:
        for name, made in memory.items():
            found[name] = found[name].or_of(made) if name in found else made
    return found


def recall(
    session: "SparkSession", table: str, branch: str | None, snapshots: Iterable[int | None] | None
) -> Memory | None:
    """Return what a table remembers about the rows that are read. Reads metadata only.

    Args:
        session: The session.
        table: The table.
        branch: The branch that is read, or None for main.
        snapshots: The states that are read. None inside means the branch's newest one. None instead
            of a list means all of them.

    Returns:
        The columns, or None if the table does not know.
    """
    loaded = tables.load(session, table)
    records = _records(session, loaded)
    newest = tables.newest_snapshot(session, table, branch)
    if newest is None:
        newest = tables.newest_snapshot(session, table, None)
    if snapshots is None:
        snapshots = [each.snapshotId() for each in loaded.snapshots()]
    found = []
    for each in dict.fromkeys(snapshots):
        snapshot = newest if each is None else each
        if snapshot is None or _is_empty(loaded, snapshot):
            continue
        memory = _of_snapshot(session, loaded, records, snapshot)
        if memory is None:
            return None
        found.append(memory)
    if not found:  # an empty table has no values
        return {field.name().lower(): Made() for field in loaded.schema().columns()}
    return united(found)


def keep(
    session: "SparkSession",
    table: str,
    branch: str | None,
    memory: Memory,
    is_of_all_rows: bool,
) -> None:
    """Store what the table's newest rows were made of. Commits only if there is news.

    If nothing is known about earlier rows, they are assumed to have the same origins, as those of
    an incremental model have.

    Args:
        session: The session.
        table: The table, as this run has just written it.
        branch: The branch that was written, or None for main.
        memory: What is known about the written rows.
        is_of_all_rows: Whether these are all rows of the table.
    """
    snapshot = tables.newest_snapshot(session, table, branch)
    if snapshot is None:
        return
    loaded = tables.load(session, table)
    records = _records(session, loaded)
    before = _of_snapshot(session, loaded, records, snapshot)
    if before is not None and not is_of_all_rows:
        memory = united([before, memory])
    if before == memory:
        return
    gone = {number for number in records if loaded.snapshot(number) is None}
    update = loaded.updateProperties()
    if len(gone) > 1:  # merge the records of expired snapshots into one
        last = max(gone, key=lambda number: records[number][0])
        every = united(records[number][1] for number in gone)
        update.set(f"{PROPERTY}{last}", _written(records[last][0], every))
        for number in gone - {last}:
            update.remove(f"{PROPERTY}{number}")
    order = 1 + max((order for order, _ in records.values()), default=0)
    update.set(f"{PROPERTY}{snapshot}", _written(order, memory)).commit()


def _is_empty(loaded: Any, snapshot: int) -> bool:
    """Return whether the snapshot has no data files. The first one of an audited table has none.

    The summary is not enough: Iceberg counts from 0 in a commit that creates a branch.
    """
    there = loaded.snapshot(snapshot)
    if there is None or there.summary().get("total-records") != "0":
        return False
    files = there.dataManifests(loaded.io())
    return not any(file.hasAddedFiles() or file.hasExistingFiles() for file in files)


def _of_snapshot(
    session: "SparkSession", loaded: Any, records: Mapping, snapshot: int
) -> Memory | None:
    """Return the record of a snapshot, or else of its nearest ancestor with one.

    If the ancestors have expired, it is the union of all expired records.
    """
    if not records:
        return None
    is_ancestor = java_classes(session).org.apache.iceberg.util.SnapshotUtil.isAncestorOf
    for number in sorted(records, key=lambda number: records[number][0], reverse=True):
        if number == snapshot or is_ancestor(loaded, snapshot, number):
            return records[number][1]
    gone = [memory for number, (_, memory) in records.items() if loaded.snapshot(number) is None]
    return united(gone) if gone else None


def _records(session: "SparkSession", loaded: Any) -> dict[int, tuple[int, Memory]]:
    """Return the records in a table's properties by snapshot id, each with its order."""
    return {
        int(name.removeprefix(PROPERTY)): _read(text)
        for name, text in fetched(session, loaded.properties()).items()
        if name.startswith(PROPERTY)
    }


def _written(order: int, memory: Memory) -> str:
    """Return a record as a property. Nodes are listed once, and parts refer to them."""
    nodes = sorted({part.node for made in memory.values() for part in made.parts})
    number = {node: position for position, node in enumerate(nodes)}
    columns = {
        name: [
            [number[part.node], part.column, int(part.is_masked), int(part.is_allowed)]
            for part in sorted(made.parts)
        ]
        for name, made in memory.items()
    }
    untraced = {name: sorted(made.untraced) for name, made in memory.items() if made.untraced}
    told = {"order": order, "nodes": nodes, "columns": columns, "untraced": untraced}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _read(text: str) -> tuple[int, Memory]:
    told = json.loads(text)
    nodes = told["nodes"]
    return told["order"], {
        name: Made(
            frozenset(
                Part(nodes[node], column, bool(is_masked), bool(is_allowed))
                for node, column, is_masked, is_allowed in parts
            ),
            frozenset(told["untraced"].get(name, ())),
        )
        for name, parts in told["columns"].items()
    }
