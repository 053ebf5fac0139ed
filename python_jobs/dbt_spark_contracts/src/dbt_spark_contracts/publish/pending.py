"""Schema changes that readers see only when the branch they were made for is published.

An Iceberg table has one schema for all of its branches. So a dropped column stays for now, and a
column with a new type gets a second column, whose name ends with the branch name. A property of the
table (`contracts.pending.` and the branch) notes what becomes of them at publish. It is written in
the commit that changes the table.

Iceberg cannot hide a new column: readers see it, empty, while the branch is written. When the
branch is held back, its new columns leave the schema. The note keeps them with their ids, so they
come back with their data when the branch is retried or published.
"""

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from dbt_spark_contracts import schemas, tables
from dbt_spark_contracts.schemas import Field, plain, quoted

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# The prefix of the property. The rest is the branch.
PROPERTY = "contracts.pending."

# The property of a table that was created for a branch, until one is published.
UNPUBLISHED = "contracts.unpublished"


@dataclass
class Note:
    """What publishing a branch changes.

    Attributes:
        drop: The ids of columns to drop.
        rename: Columns that take the name of a dropped column.
        add: The names of columns that were added for the branch.
        loosened: The ids of dropped columns that were not null before.
        require: The ids of columns that are not null from then on.
        main: The snapshot of main when the first change was made, or None.
        held: The columns of `rename` and `add` that are out of the schema, in Iceberg's format.
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
        """Parse a note that `write` has made."""
        return cls(**json.loads(text))

    def write(self) -> str:
        """Return the note as the value of a property."""
        return json.dumps(asdict(self))

    def copy(self) -> "Note":
        """Return an equal note."""
        return self.read(self.write())

    def __bool__(self) -> bool:
        return bool(self.drop or self.rename or self.add)


def notes(session: "SparkSession", table: str) -> dict[str, Note]:
    """Return the notes of the table, by branch."""
    return {
        name.removeprefix(PROPERTY): Note.read(text)
        for name, text in schemas.properties(session, table).items()
        if name.startswith(PROPERTY)
    }


def hidden_name(name: str, branch: str) -> str:
    """Return the name of the column that will replace `name`."""
    return f"{name}__{branch}"


def apply(session: "SparkSession", table: str, branch: str) -> None:
    """Apply the branch's schema change, because the branch is published.

    May be repeated, and called for a table without a note. Notes of other branches are removed,
    because none of those branches can be published any more.
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
    """Return whether no run has published the table and this run has not written it.

    Nobody has read a row of it, so it may be changed freely.
    """
    return (
        UNPUBLISHED in schemas.properties(session, table)
        and not tables.was_written(session, table, None)
        and (branch is None or tables.newest_snapshot(session, table, branch) is None)
    )


def _published(session: "SparkSession", table: str, note: Note) -> list[dict]:
    """Return the columns of the table after the note's branch is published."""
    return [
        written
        | {"name": note.rename.get(written["name"], written["name"])}
        | ({"required": True} if written["id"] in note.require else {})
        for written in _with_held(session, table, note)
        if written["id"] not in note.drop
    ]


def clash(session: "SparkSession", table: str, branch: str) -> str | None:
    """Return a column that the branch would add and that already exists, or None."""
    note = notes(session, table).get(branch)
    names: set[str] = set()
    for written in _published(session, table, note) if note else ():
        name = written["name"].lower()
        if name in names:
            return written["name"]
        names.add(name)
    return None


def discard(session: "SparkSession", table: str, branch: str) -> None:
    """Undo the schema change of a branch, because the branch is dropped.

    May be repeated, and called for a table without a note. A new column stays if something else may
    have written to it since.
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
    """Remove the columns added for the branch from the schema, because it is held back.

    Does nothing for a table without a note, and keeps columns that may hold other data.
    """
    note = notes(session, table).get(branch)
    held = [own.written for own in _added_for(session, table, note)] if note else []
    if note is None or not held:
        return
    note.held = held
    left = [own.written for own in schemas.fields(session, table) if own.written not in held]
    schemas.put_fields(session, table, left, {f"{PROPERTY}{branch}": note.write()})


def hold_others(session: "SparkSession", table: str, branch: str | None) -> None:
    """Hold every other branch. None of them is being written while this command has the lease."""
    for other in notes(session, table):
        if other != branch:
            hold(session, table, other)


def of_others(session: "SparkSession", table: str, branch: str | None) -> set[int]:
    """Return the ids of the columns that `hold_others` would remove."""
    found = notes(session, table)
    return {
        own.id
        for other, note in found.items()
        if other != branch
        for own in _added_for(session, table, note)
    }


def _added_for(session: "SparkSession", table: str, note: Note) -> list[Field]:
    """Return the columns in the schema that exist only for the note's branch.

    There are none once they are held. Excluded are new columns that main may have values in, and
    partition columns, which Iceberg cannot drop.
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
    """Put the branch's columns back into the schema, because the run is retried."""
    note = notes(session, table).get(branch)
    if note is None or not note.held:
        return
    columns = _with_held(session, table, note)
    note.held = []
    schemas.put_fields(session, table, columns, {f"{PROPERTY}{branch}": note.write()})


def _with_held(session: "SparkSession", table: str, note: Note) -> list[dict]:
    """Return the table's columns, including the held ones."""
    columns = [own.written for own in schemas.fields(session, table)]
    return columns + [written for written in note.held if written not in columns]


class Unpublished:
    """The tables of this dbt command whose columns change when its branch is published.

    Within this command, readers of such a table get a view with the future columns.

    Attributes:
        views: The view of each table, by its name in the form of `plain`.
        columns: The select list of each view.
    """

    def __init__(self) -> None:
        self.views: dict[str, str] = {}
        self.columns: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._branches: dict[str, str] = {}

    def show(self, session: "SparkSession", table: str, branch: str | None) -> None:
        """Let readers of the table see its future columns.

        Without a branch, the columns of held-back branches are hidden.
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
        # A view of SQL text, which also reads rows that are written later.
        session.sql(
            f"create or replace global temporary view {quoted(name)} as "
            f"select {selected} from {table}"
        )
        self._names[plain(table)] = name
        self.columns[plain(table)] = selected
        self.views[plain(table)] = f"global_temp.{quoted(name)}"

    def _name(self, session: "SparkSession", table: str) -> str:
        """Return the view's name: the table's own, so that queries can qualify columns with it."""
        name = tables.located(session, table)[1].name()
        taken = {other for of, other in self._names.items() if of != plain(table)}
        return name if name not in taken else plain(table)

    def forget(self, session: "SparkSession", table: str) -> None:
        """Drop the view: the table has its future columns, or will not get them."""
        if self.views.pop(plain(table), None):
            session.catalog.dropGlobalTempView(self._names.pop(plain(table)))
        self._branches.pop(plain(table), None)

    @property
    def view_names(self) -> set[str]:
        """The names of the views, in lower case and without their schema."""
        return {self._names[table].lower() for table in self.views}

    @property
    def tables(self) -> list[str]:
        """The tables whose columns are about to change, in the form of `plain`."""
        return list(self._branches)

    def __bool__(self) -> bool:
        return bool(self._branches or self.views)

    def settle(self, session: "SparkSession") -> None:
        """Hold back what was neither published nor given up, because the command ends."""
        for name, branch in self._branches.items():
            if table := tables.named(session, name):
                hold(session, table, branch)
        for name in self._names.values():
            session.catalog.dropGlobalTempView(name)
        for kept in (self.views, self._names, self.columns, self._branches):
            kept.clear()
