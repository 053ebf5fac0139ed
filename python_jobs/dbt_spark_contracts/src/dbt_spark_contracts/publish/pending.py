"""Changes of a table's columns that readers see when the branch they were made for is published.

A table of Iceberg's has one schema for all of its branches. So a column that goes stays, and one
that gets another type stays beside a new one, whose name ends with the branch's. What is to become
of them when the branch is published is noted in a property of the table, `contracts.pending.` and
the branch, in the commit that changes the table.

Iceberg cannot hide a column that is new: readers see it, empty, while the branch is written.
"""

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from dbt_spark_contracts import schemas, tables
from dbt_spark_contracts.schemas import plain, quoted

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# What the name of the property begins with, of which the rest is the branch.
PROPERTY = "contracts.pending."


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
        held: Those of `rename` that are out of readers' sight, as Iceberg writes them down.
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


def with_names_to_come(told: dict, branch: str) -> dict:
    """What was told of columns, by the names that they have once the branch is published."""
    return json.loads(json.dumps(told).replace(hidden_name("", branch), ""))


def apply(session: "SparkSession", table: str, branch: str) -> None:
    """Let readers see the columns that the branch was written with. The branch is published.

    May be called again, and for a table of which nothing is noted. Notes of other branches go: none
    of them can be published any more.
    """
    found = notes(session, table)
    if not found:
        return
    note = found.pop(branch, Note())
    theirs = {name for other in found.values() for name in other.rename}
    columns = [
        written
        | {"name": note.rename.get(written["name"], written["name"])}
        | ({"required": True} if written["id"] in note.require else {})
        for written in _with_held(session, table, note)
        if written["id"] not in note.drop and written["name"] not in theirs
    ]
    gone = {f"{PROPERTY}{name}": None for name in (*found, branch)}
    schemas.put_fields(session, table, columns, gone)


def discard(session: "SparkSession", table: str, branch: str) -> None:
    """Let the table be as it was before the branch was written. The branch is dropped.

    May be called again, and for a table of which nothing is noted. A column that was new stays if
    anything else may have been written to it since.
    """
    others = notes(session, table)
    note = others.pop(branch, None)
    if note is None:
        return
    is_alone = not others and tables.newest_snapshot(session, table, None) == note.main
    gone = {*note.rename, *(note.add if is_alone else ())}
    columns = [
        own.written | ({"required": True} if is_alone and own.id in note.loosened else {})
        for own in schemas.fields(session, table)
        if own.name not in gone
    ]
    schemas.put_fields(session, table, columns, {f"{PROPERTY}{branch}": None})


def hold(session: "SparkSession", table: str, branch: str) -> None:
    """Take the columns with the branch's name out of readers' sight. The branch is held back."""
    note = notes(session, table).get(branch)
    if note is None or not note.rename or note.held:
        return
    columns = [own.written for own in schemas.fields(session, table)]
    note.held = [written for written in columns if written["name"] in note.rename]
    left = [written for written in columns if written not in note.held]
    schemas.put_fields(session, table, left, {f"{PROPERTY}{branch}": note.write()})


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
    """

    def __init__(self) -> None:
        self.views: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._branches: dict[str, str] = {}

    def show(self, session: "SparkSession", table: str, branch: str | None) -> None:
        """Let what reads the table read the columns that it is to have.

        For no branch, those of a branch that is held back are left out.
        """
        found = notes(session, table)
        note = found.get(branch or "", Note())
        others = {name for other in found.values() for name in other.rename} - set(note.rename)
        if branch and note:
            self._branches[plain(table)] = branch
        there = schemas.fields(session, table)
        columns = [own for own in there if own.id not in note.drop and own.name not in others]
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
        for kept in (self.views, self._names, self._branches):
            kept.clear()
