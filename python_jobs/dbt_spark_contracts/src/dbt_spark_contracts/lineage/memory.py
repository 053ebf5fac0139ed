"""What a table remembers of its columns: what they were made of when its rows were written.

A command that reads a table need not have built it: another one has, from another `target/`, from
models and marks that were others then. So each table carries its origins in a property, by the
snapshot that they hold for, and a branch, a roll-back and a publish find those of their own rows.
They are all the columns on the way, not only those of the parents: the marks of today are held
against them, whatever has been built anew in between. docs/contracts.md
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from dbt_spark_contracts import tables
from dbt_spark_contracts.compat.pyspark import fetched, java_classes

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# What the name of the property begins with, of which the rest is the snapshot.
PROPERTY = "contracts.made_of."


class Part(NamedTuple):
    """A column that the values of another one were made of.

    Attributes:
        node: The dbt node, or else the table.
        column: The column.
        is_masked: Whether they do not tell its values: docs/contracts.md
        is_allowed: Whether a model on the way was allowed to hand it on though it is personal.
    """

    node: str
    column: str
    is_masked: bool = False
    is_allowed: bool = False


@dataclass(frozen=True)
class Made:
    """What is known of the values of one column.

    Attributes:
        parts: The columns that they were made of, those on the way among them.
        untraced: Why that is not all, in words.
    """

    parts: frozenset[Part] = frozenset()
    untraced: frozenset[str] = frozenset()

    def or_of(self, other: "Made") -> "Made":
        """What is known where some values are of one and some of the other."""
        return Made(self.parts | other.parts, self.untraced | other.untraced)


# By the columns' names, in lower case.
Memory = Mapping[str, Made]


def united(memories: Iterable[Memory]) -> Memory:
    """What is known of rows of which some are of one memory and some of another."""
    found: dict[str, Made] = {}
    for memory in memories:
        for name, made in memory.items():
            found[name] = found[name].or_of(made) if name in found else made
    return found


def recall(
    session: "SparkSession", table: str, branch: str | None, snapshots: Iterable[int | None] | None
) -> Memory | None:
    """What a table remembers of the rows that are read of it. Reads metadata.

    Args:
        session: The session.
        table: The table.
        branch: The branch that is read, or else main.
        snapshots: Which states of it are read, each None for the newest one of the branch; None
            for all.

    Returns:
        The columns; None if the table does not know.
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
    if not found:  # without a row it holds nothing of any column
        return {field.name().lower(): Made() for field in loaded.schema().columns()}
    return united(found)


def keep(
    session: "SparkSession",
    table: str,
    branch: str | None,
    memory: Memory,
    is_of_all_rows: bool,
) -> None:
    """Let the table remember what its newest rows were made of. Commits only what is new.

    Earlier rows whose table does not know came the same way, as an incremental model's do.

    Args:
        session: The session.
        table: The table, as this run has just written it.
        branch: The branch that was written, or else main.
        memory: What is known of the rows that were written.
        is_of_all_rows: Whether these are all that the table has.
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
    if len(gone) > 1:  # what is left of expired ones is one record
        last = max(gone, key=lambda number: records[number][0])
        every = united(records[number][1] for number in gone)
        update.set(f"{PROPERTY}{last}", _written(records[last][0], every))
        for number in gone - {last}:
            update.remove(f"{PROPERTY}{number}")
    order = 1 + max((order for order, _ in records.values()), default=0)
    update.set(f"{PROPERTY}{snapshot}", _written(order, memory)).commit()


def _is_empty(loaded: Any, snapshot: int) -> bool:
    """Has the snapshot no file of rows? The first one of an audited table has none.

    The summary alone does not say: Iceberg counts from 0 where a commit makes a branch.
    """
    there = loaded.snapshot(snapshot)
    if there is None or there.summary().get("total-records") != "0":
        return False
    files = there.dataManifests(loaded.io())
    return not any(file.hasAddedFiles() or file.hasExistingFiles() for file in files)


def _of_snapshot(
    session: "SparkSession", loaded: Any, records: Mapping, snapshot: int
) -> Memory | None:
    """The record of a snapshot, or else of the nearest of those that it was made from.

    Where the way there has expired, that of all that have.
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
    """What a table of Iceberg's has in its properties, by snapshot, each with its order."""
    return {
        int(name.removeprefix(PROPERTY)): _read(text)
        for name, text in fetched(session, loaded.properties()).items()
        if name.startswith(PROPERTY)
    }


def _written(order: int, memory: Memory) -> str:
    """A record as a property's value: the nodes are named once, and parts refer to them."""
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
