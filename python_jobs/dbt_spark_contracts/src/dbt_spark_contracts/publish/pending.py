"""Changes of a table's columns that readers see when the branch they were made for is published.

A table of Iceberg's has one schema for all of its branches. So a column that goes stays, and one
that gets another type stays beside a new one, whose name ends with the branch's. What is to become
of them when the branch is published is noted in a property of the table, `contracts.pending.` and
the branch, in the commit that changes the table.

Iceberg cannot hide a column that is new: readers see it, empty, while the branch is written. When
the branch is held back, the columns that were added for it leave the schema. The note keeps them,
by their ids, so that they come back with their data when the branch is retried or published.
"""

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from dbt_spark_contracts import schemas, tables
from dbt_spark_contracts.schemas import Field, plain, quoted

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# What the name of the property begins with, of which the rest is the branch.
PROPERTY = "contracts.pending."

# The property of a table that was made for a branch, until one is published.
UNPUBLISHED = "contracts.unpublished"


@dataclass
class Note:
    """What publishing a branch changes.

    Attributes:
        drop: The ids of columns that go.
        rename: Columns that get another name: the place of one that goes.
        add: The names of those that were added for the branch.
        loosened: The ids of those that go, and held no null before.
        require: The ids of those that hold no null from then on.
        main: The snapshot that readers saw when the first change was made; None if there was none.
        held: Those of `rename` and `add` that are out of readers' sight, as Iceberg writes them
            down.
    """

    drop: list[int] = field(default_factory=list)
    rename: dict[str, str] = field(default_factory=dict)
    add: list[str] = field(default_factory=list)
    loosened: list[int] = field(default_factory=list)
    require: list[int] = field(default_factory=list)
    main: int | None = None
    held: list[dict] = field(default_factory=list)

    @classmethod
    def read(cls, text: str) -> "Note":
        """A note as `write` has written it down."""
        return cls(**json.loads(text))

    def write(self) -> str:
        """The note as a property's value."""
        return json.dumps(asdict(self))

    def copy(self) -> "Note":
        """Another one that says the same."""
        return self.read(self.write())

    def __bool__(self) -> bool:
        return bool(self.drop or self.rename or self.add)


def notes(session: "SparkSession", table: str) -> dict[str, Note]:
    """What is noted of the table, by branch."""
    return {
        name.removeprefix(PROPERTY): Note.read(text)
        for name, text in schemas.properties(session, table).items()
        if name.startswith(PROPERTY)
    }


def hidden_name(name: str, branch: str) -> str:
    """What a column is called that is to take the place of `name`."""
    return f"{name}__{branch}"


def apply(session: "SparkSession", table: str, branch: str) -> None:
    """Let readers see the columns that the branch was written with. The branch is published.

    May be called again, and for a table of which nothing is noted. Notes of other branches go: none
    of them can be published any more.
    """
    found = notes(session, table)
    is_new = UNPUBLISHED in schemas.properties(session, table)
    if not found and not is_new:
        return
    note = found.pop(branch, Note())
    theirs = {name for other in found.values() for name in other.rename}
    columns = [
        written for written in _published(session, table, note) if written["name"] not in theirs
    ]
    gone = {UNPUBLISHED: None} | {f"{PROPERTY}{name}": None for name in (*found, branch)}
    schemas.put_fields(session, table, columns, gone)


def was_never_published(session: "SparkSession", table: str, branch: str | None) -> bool:
    """Was the table made by a run that published nothing, and has this one not written to it?

    Nobody has read a row of it, so it may become another one.
    """
    return (
        UNPUBLISHED in schemas.properties(session, table)
        and not tables.was_written(session, table, None)
        and (branch is None or tables.newest_snapshot(session, table, branch) is None)
    )


def _published(session: "SparkSession", table: str, note: Note) -> list[dict]:
    """The columns that the table has once the note's branch is published."""
    return [
        written
        | {"name": note.rename.get(written["name"], written["name"])}
        | ({"required": True} if written["id"] in note.require else {})
        for written in _with_held(session, table, note)
        if written["id"] not in note.drop
    ]


def clash(session: "SparkSession", table: str, branch: str) -> str | None:
    """The name of a column that the branch would bring, and that something else has added since."""
    note = notes(session, table).get(branch)
    names: set[str] = set()
    for written in _published(session, table, note) if note else ():
        name = written["name"].lower()
        if name in names:
            return written["name"]
        names.add(name)
    return None


def discard(session: "SparkSession", table: str, branch: str) -> None:
    """Let the table be as it was before the branch was written. The branch is dropped.

    May be called again, and for a table of which nothing is noted. A column that was new stays if
    anything else may have been written to it since.
    """
    others = notes(session, table)
    note = others.pop(branch, None)
    if note is None:
        return
    is_alone = not others and _is_main_as_noted(session, table, note)
    gone = {own.id for own in _added_for(session, table, note)}
    columns = [
        own.written | ({"required": True} if is_alone and own.id in note.loosened else {})
        for own in schemas.fields(session, table)
        if own.id not in gone
    ]
    schemas.put_fields(session, table, columns, {f"{PROPERTY}{branch}": None})


def hold(session: "SparkSession", table: str, branch: str) -> None:
    """Take the columns that were added for the branch out of readers' sight. It is held back.

    Does nothing for a table of which nothing is noted, and for columns that may hold other data.
    """
    note = notes(session, table).get(branch)
    held = [own.written for own in _added_for(session, table, note)] if note else []
    if note is None or not held:
        return
    note.held = held
    left = [own.written for own in schemas.fields(session, table) if own.written not in held]
    schemas.put_fields(session, table, left, {f"{PROPERTY}{branch}": note.write()})


def hold_others(session: "SparkSession", table: str, branch: str | None) -> None:
    """The same for each other branch: none of them is being written while we have the lease."""
    for other in notes(session, table):
        if other != branch:
            hold(session, table, other)


def of_others(session: "SparkSession", table: str, branch: str | None) -> set[int]:
    """The ids of the columns that `hold_others` would take out of sight."""
    found = notes(session, table)
    return {
        own.id
        for other, note in found.items()
        if other != branch
        for own in _added_for(session, table, note)
    }


def _added_for(session: "SparkSession", table: str, note: Note) -> list[Field]:
    """The columns in the table's schema that are there for the note's branch alone.

    None once they are held. Not a new one that main may have values of, nor one that the table is
    partitioned by, which Iceberg cannot drop.
    """
    if note.held or not (note.rename or note.add):
        return []
    names = set(note.rename)
    if _is_main_as_noted(session, table, note):
        names.update(note.add)
    partitioned_by = schemas.columns_of_any_partitioning(session, table)
    return [
        own
        for own in schemas.fields(session, table)
        if own.name in names and own.id not in partitioned_by
    ]


def _is_main_as_noted(session: "SparkSession", table: str, note: Note) -> bool:
    return tables.newest_snapshot(session, table, None) == note.main


def resume(session: "SparkSession", table: str, branch: str) -> None:
    """Let the branch be written and read with its columns again. The run is retried."""
    note = notes(session, table).get(branch)
    if note is None or not note.held:
        return
    columns = _with_held(session, table, note)
    note.held = []
    schemas.put_fields(session, table, columns, {f"{PROPERTY}{branch}": note.write()})


def _with_held(session: "SparkSession", table: str, note: Note) -> list[dict]:
    """The table's columns, with those that are out of readers' sight."""
    columns = [own.written for own in schemas.fields(session, table)]
    return columns + [written for written in note.held if written not in columns]


class Unpublished:
    """The tables of this dbt command whose columns are to change when its branch is published.

    Who reads one in this command reads a view of it, which has the columns to come.

    Attributes:
        views: The views, each by its table's name as `plain` has it.
        columns: What each selects.
    """

    def __init__(self) -> None:
        self.views: dict[str, str] = {}
        self.columns: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._branches: dict[str, str] = {}

    def show(self, session: "SparkSession", table: str, branch: str | None) -> None:
        """Let what reads the table read the columns that it is to have.

        For no branch, those of a branch that is held back are left out.
        """
        note = notes(session, table).get(branch or "", Note())
        others = of_others(session, table, branch)
        if branch and note:
            self._branches[plain(table)] = branch
        there = schemas.fields(session, table)
        columns = [own for own in there if own.id not in note.drop and own.id not in others]
        if columns == there and not note.rename:
            return
        name = self._name(session, table)
        selected = ", ".join(
            f"{quoted(own.name)} as {quoted(note.rename.get(own.name, own.name))}"
            for own in columns
        )
        # A view of the SQL text, which reads what is written later too.
        session.sql(
            f"create or replace global temporary view {quoted(name)} as "
            f"select {selected} from {table}"
        )
        self._names[plain(table)] = name
        self.columns[plain(table)] = selected
        self.views[plain(table)] = f"global_temp.{quoted(name)}"

    def _name(self, session: "SparkSession", table: str) -> str:
        """The view's name: the table's own, by which a query may name its columns."""
        name = tables.located(session, table)[1].name()
        taken = {other for of, other in self._names.items() if of != plain(table)}
        return name if name not in taken else plain(table)

    def forget(self, session: "SparkSession", table: str) -> None:
        """The table has the columns to come, or is not to get them: read it itself again."""
        if self.views.pop(plain(table), None):
            session.catalog.dropGlobalTempView(self._names.pop(plain(table)))
        self._branches.pop(plain(table), None)

    @property
    def tables(self) -> list[str]:
        """The tables whose columns are to change, as `plain` names them."""
        return list(self._branches)

    def __bool__(self) -> bool:
        return bool(self._branches or self.views)

    def settle(self, session: "SparkSession") -> None:
        """The command ends: what is not published, and not given up, is held back."""
        for name, branch in self._branches.items():
            if table := tables.named(session, name):
                hold(session, table, branch)
        for name in self._names.values():
            session.catalog.dropGlobalTempView(name)
        for kept in (self.views, self._names, self.columns, self._branches):
            kept.clear()
