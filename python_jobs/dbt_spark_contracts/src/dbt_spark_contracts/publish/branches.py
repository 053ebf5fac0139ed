"""Branches of Iceberg tables, and the tables that a run has written, with Iceberg's own API."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import IllegalArgumentException

from dbt_spark_contracts import tables
from dbt_spark_contracts.compat.pyspark import fetched, java_classes
from dbt_spark_contracts.increments.history import Unknown, back_to, changes_rows, rows_from
from dbt_spark_contracts.publish import commits, summaries
from dbt_spark_contracts.publish.command import is_run_name
from dbt_spark_contracts.publish.tags import Ages, tag_of
from dbt_spark_contracts.schemas import quoted

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

MAIN = "main"

# Iceberg's table property that makes writes go to the session's branch.
WRITES_TO_BRANCHES = "write.wap.enabled"

# Iceberg's operation of a commit that changes files but no rows, such as a compaction.
_CHANGES_NO_ROW = "replace"

# The names of the tables that this Java has committed to: a Java set that Iceberg fills. It belongs
# to the process, as Java does, because Iceberg cannot remove a listener.
_committed = None


class MovedOn(Exception):
    """A table's main or branch has changed, so a move is no longer possible."""

    def __init__(self, table: str) -> None:
        super().__init__(f"{table} has been written meanwhile")
        self.table = table


class NotUnderstood(Exception):
    """A table was written, and Iceberg's name for it matches no known table."""

    def __init__(self, committed: str) -> None:
        super().__init__(f"cannot tell which table {committed} is")
        self.committed = committed


@dataclass(frozen=True)
class Move:
    """A move of a table's main from one snapshot to another, planned or done."""

    table_name: str
    from_snapshot_id: int
    to_snapshot_id: int


def watch_commits(session: "SparkSession") -> None:
    """Start to record the tables that are committed to, for `written`.

    A model, a hook or a user's Python function may write any table, so only Iceberg knows all of
    them. Its listeners are Java objects. This one adds the table's name to a set.
    """
    global _committed
    if _committed is None:
        jvm = java_classes(session)
        loader = jvm.java.lang.Thread.currentThread().getContextClassLoader()
        events = "org.apache.iceberg.events"
        listener, snapshot = (
            jvm.java.lang.Class.forName(f"{events}.{name}", True, loader)
            for name in ("Listener", "CreateSnapshotEvent")
        )
        _committed = jvm.java.util.concurrent.ConcurrentHashMap.newKeySet()
        adds_the_name = jvm.java.beans.EventHandler.create(listener, _committed, "add", "tableName")
        jvm.org.apache.iceberg.events.Listeners.register(adds_the_name, snapshot)
    _committed.clear()


def written(session: "SparkSession", earlier: Iterable[str]) -> list[str]:
    """Return the tables that were committed to since `watch_commits`, and the earlier ones.

    Tables that no longer exist are left out.

    Args:
        session: The session.
        earlier: Tables that an earlier command of this run has written.

    Returns:
        The names as dbt has them, without the current catalog.

    Raises:
        NotUnderstood: If a table's name is ambiguous or unknown.
    """
    catalog = tables.current_catalog(session)
    found = set(earlier)
    for committed in () if _committed is None else fetched(session, _committed):
        if "/" in committed:
            raise NotUnderstood(committed)
        # Iceberg omits the catalog for a table that its first commit created.
        first, _, rest = committed.partition(".")
        name = rest if first == catalog else committed
        there = [each for each in tables.spellings(name) if find(session, each) is not None]
        is_gone = not there and (
            _is_catalog(session, first)
            or _is_in_a_schema(session, name)
            or _is_in_no_catalog(session, name)
        )
        if len(there) != 1 and not is_gone:
            raise NotUnderstood(committed)
        found.update(there)
    return sorted(found)


def _is_catalog(session: "SparkSession", name: str) -> bool:
    return session.conf.get(f"spark.sql.catalog.{name}", None) is not None


def _is_in_a_schema(session: "SparkSession", name: str) -> bool:
    schemas, parts = set(tables.list_schemas(session)), name.split(".")
    return any(".".join(parts[:end]) in schemas for end in range(1, len(parts)))


def _is_in_no_catalog(session: "SparkSession", name: str) -> bool:
    """Is it the name of a table without a schema, that no catalog has (any more)?"""
    if "." in name:
        return False
    begin = "spark.sql.catalog."
    set_up = {key.removeprefix(begin) for key, _ in session.sparkContext.getConf().getAll()}
    catalogs = [each for each in set_up if "." not in each and _is_catalog(session, each)]
    return not any(find(session, f"{quoted(each)}.{quoted(name)}") for each in catalogs)


def find(session: "SparkSession", table: str):
    """Load a table in its current state. Return None if it does not exist or is not Iceberg."""
    try:
        tables.forget(session, table)
        return tables.find(session, table)
    except IllegalArgumentException:
        return None  # Spark has a table of another format with that name, in its own catalog
    except Py4JJavaError as error:
        # The same, in another one.
        if error.java_exception.getClass().getName() == "java.lang.IllegalArgumentException":
            return None
        raise


def open_to_branches(session: "SparkSession", table: str) -> None:
    """Enable branch writes to the table: set Iceberg's property and create a main branch."""
    loaded = tables.load(session, table)
    if not loaded.refs().containsKey(MAIN):
        loaded.manageSnapshots().createBranch(MAIN).commit()
    if loaded.properties().get(WRITES_TO_BRANCHES) != "true":
        loaded.updateProperties().set(WRITES_TO_BRANCHES, "true").commit()


def refs(session: "SparkSession", names: Iterable[str]) -> dict[str, dict[str, int]]:
    """Return the current branches and tags (name to snapshot id) of the tables that exist."""
    found = {name: find(session, name) for name in names}
    return {name: _refs(session, table) for name, table in found.items() if table is not None}


def moves(session: "SparkSession", branch: str, names: Iterable[str]) -> list[Move]:
    """Return the moves that publishing the branch would make.

    Tables without the branch, and missing tables, are left out. The order keeps the tables of one
    layer together, so that a reader of all of them sees as few mixed states as possible.

    Args:
        session: The session.
        branch: The branch.
        names: The names of tables that may have it.

    Returns:
        One move per table that has the branch.

    Raises:
        MovedOn: If a table has the branch and no main.
    """
    of = refs(session, sorted(set(names)))
    for name, ids in of.items():
        if branch in ids and MAIN not in ids:
            raise MovedOn(name)
    return [Move(name, ids[MAIN], ids[branch]) for name, ids in of.items() if branch in ids]


def can_move(session: "SparkSession", branch: str, move: Move) -> bool:
    """Return whether the move changes main by the branch's own rows only. See `began_at`."""
    return began_at(session, branch, move) is not None


def began_at(session: "SparkSession", branch: str, move: Move) -> int | None:
    """Return when main was committed that the branch began from, or None if main is not there now.

    Main may have been written since, or rolled back: then rows that readers no longer see lie
    between main and the branch's own. Commits that changed no rows, such as a compaction, make no
    difference. If the move loses them, they can be repeated. The snapshot is needed until then:
    without it, nobody can tell.

    Args:
        session: The session.
        branch: The branch.
        move: The move.

    Returns:
        The time in milliseconds since 1970.
    """
    table = tables.load(session, move.table_name)
    same_rows = {each.snapshotId() for each in _of_same_rows(table, move.from_snapshot_id)}
    for snapshot in _history(table, move.to_snapshot_id):
        if snapshot.snapshotId() in same_rows:
            return snapshot.timestampMillis()
        if snapshot.operation() != _CHANGES_NO_ROW and not _was_made_on(branch, table, snapshot):
            return None
    return None


def _of_same_rows(table, snapshot_id: int) -> Iterator:
    """Yield a snapshot and its ancestors back to the one that made its rows."""
    for snapshot in _history(table, snapshot_id):
        yield snapshot
        if snapshot.operation() != _CHANGES_NO_ROW:
            return


def _was_made_on(branch: str, table, snapshot) -> bool:
    """Return whether an ancestor of the branch is the run's own, and never was main's.

    A model's snapshot names its run. A hook's may not: then Iceberg's log of main tells.
    """
    if run := snapshot.summary().get(summaries.RUN):
        return run == branch
    return all(entry.snapshotId() != snapshot.snapshotId() for entry in table.history())


def is_within_main(session: "SparkSession", table: str, snapshot_id: int) -> bool:
    """Return whether main has the rows of a snapshot, or was made from them."""
    loaded = find(session, table)
    if loaded is None:
        return False
    same_rows = {each.snapshotId() for each in _of_same_rows(loaded, snapshot_id)}
    main = _refs(session, loaded).get(MAIN)
    return any(each.snapshotId() in same_rows for each in _history(loaded, main))


def is_written_since(session: "SparkSession", table: str, micros: int) -> bool:
    """Return whether rows of main have changed after a time, in microseconds since 1970."""
    loaded = find(session, table)
    main = None if loaded is None else tables.tip(loaded, MAIN)
    if main is None:
        return False
    return loaded.snapshot(rows_from(loaded, main)).timestampMillis() * 1000 > micros


def may_be_written_between(
    session: "SparkSession", table: str, earlier: int, later: int, micros: int
) -> bool:
    """Return whether a commit between two snapshots may have changed rows before a time.

    Args:
        session: The session.
        table: The table.
        earlier: The id of the earlier snapshot, which does not count.
        later: The id of the later one, which does.
        micros: The time, in microseconds since 1970.
    """
    try:
        between = [*back_to(tables.load(session, table), later, earlier)]
    except Unknown:
        return True
    return any(changes_rows(each) and each.timestampMillis() * 1000 <= micros for each in between)


def has_moved(session: "SparkSession", branch: str, move: Move) -> bool:
    """Return whether the move was made, regardless of later writes."""
    table = tables.load(session, move.table_name)
    of = _refs(session, table)
    if branch in of:
        return of.get(MAIN) == of[branch] == move.to_snapshot_id
    for snapshot in _history(table, of.get(MAIN)):
        if snapshot.snapshotId() in (move.to_snapshot_id, move.from_snapshot_id):
            return snapshot.snapshotId() == move.to_snapshot_id
    return False


def can_be_moved(session: "SparkSession", branch: str, move: Move) -> bool:
    """Return whether main and the branch are as they were before the move."""
    of = _refs(session, tables.load(session, move.table_name))
    return (of.get(MAIN), of.get(branch)) == (move.from_snapshot_id, move.to_snapshot_id)


def move_main(session: "SparkSession", branch: str, move: Move, ages: Ages) -> None:
    """Set main to the branch's snapshot, tag it and drop the branch, in one commit.

    Does nothing if that is already done. The branch is also the proof that this build still owns
    the lease: a build that takes over a lease drops the branches of the previous owner. So a build
    that was suspended and lost its lease moves nothing.

    Args:
        session: The session.
        branch: The branch.
        move: The move.
        ages: How long the tag is kept.

    Raises:
        MovedOn: If main or the branch is no longer as `move` says.
    """
    commits.commit(session, move.table_name, _moving(session, branch, move, ages))


def move_together(
    session: "SparkSession", catalog: Any, branch: str, moves: list[Move], ages: Ages
) -> None:
    """Do what `move_main` does for all of these tables in one commit: a reader sees all, or none.

    Args:
        session: The session.
        catalog: The catalog, from `commits.transactions`.
        branch: The branch.
        moves: The moves.
        ages: How long the tags are kept.

    Raises:
        MovedOn: If main or the branch of one is no longer as its move says. Then nothing is moved.
        NotOffered: If the catalog has no such commit.
    """
    changes = {move.table_name: _moving(session, branch, move, ages) for move in moves}
    commits.commit_together(session, catalog, changes)


def _moving(session: "SparkSession", branch: str, move: Move, ages: Ages) -> Callable:
    """Return the change of `commits.commit` that makes a move.

    A REST catalog compares no more than the refs that a commit sets. So the branch is set before it
    is removed.
    """

    def change(metadata, builder):
        of = _refs(session, metadata)
        is_as_said = of.get(MAIN) in (move.from_snapshot_id, move.to_snapshot_id)
        if not is_as_said or of.get(branch) != move.to_snapshot_id:
            if has_moved(session, branch, move):
                return None
            raise MovedOn(move.table_name)
        snapshot_ref = java_classes(session).org.apache.iceberg.SnapshotRef
        compared = snapshot_ref.branchBuilder(move.to_snapshot_id).maxRefAgeMs(1).build()
        builder = builder.setRef(branch, compared).removeRef(branch)
        if tag := tag_of(branch):
            made = snapshot_ref.tagBuilder(move.to_snapshot_id)
            age = ages.of(move.table_name, metadata.properties())
            builder = builder.setRef(tag, (made if age is None else made.maxRefAgeMs(age)).build())
        return builder.setBranchSnapshot(move.to_snapshot_id, MAIN)

    return change


def take_back(session: "SparkSession", branch: str, move: Move) -> None:
    """Reset main to where it was before the move, and drop the branch, in one commit.

    If something else has moved main since, main stays as it is.
    """

    def change(metadata, builder):
        of = _refs(session, metadata)
        is_made = of.get(MAIN) == move.to_snapshot_id
        if is_made:
            builder = builder.setBranchSnapshot(move.from_snapshot_id, MAIN)
        for ref in {branch, tag_of(branch)} & {*of}:
            builder = builder.removeRef(ref)
        return builder if is_made or branch in of else None

    if find(session, move.table_name) is not None:
        commits.commit(session, move.table_name, change)


def drop(session: "SparkSession", table: str, *names: str) -> None:
    """Drop those of these branches and tags that the table has, in one commit."""
    loaded = find(session, table)
    there = {name: loaded.refs().get(name) for name in names} if loaded is not None else {}
    if not any(there.values()):
        return
    without(loaded.manageSnapshots(), there)


def without(change: Any, refs: Mapping[str, Any]) -> None:
    """Remove branches and tags in one commit.

    Args:
        change: Iceberg's ManageSnapshots of a table or of a transaction.
        refs: Iceberg's SnapshotRef by name, or None for a name that is not there.
    """
    for name, ref in refs.items():
        if ref is not None:
            change = change.removeBranch(name) if ref.isBranch() else change.removeTag(name)
    change.commit()


def drop_all(session: "SparkSession", table: str) -> None:
    """Drop the branches of all runs."""
    for name in filter(is_run_name, _refs(session, tables.load(session, table))):
        drop(session, table, name)


def changed_columns(session: "SparkSession", table: str, snapshot_id: int) -> list[str]:
    """Return the columns of a snapshot that are incompatible with the table's current schema.

    A column is incompatible if it was dropped, or if it may hold nulls in the snapshot and is
    required now. Reads of such a snapshot would miss the column, or return wrong values.
    """
    loaded = tables.load(session, table)
    snapshot = loaded.snapshot(snapshot_id)
    schema = loaded.schemas().get(snapshot.schemaId()) if snapshot else None
    now = {column.fieldId(): column for column in loaded.schema().columns()}
    return [
        column.name()
        for column in (schema.columns() if schema else ())
        if column.fieldId() not in now
        or (column.isOptional() and now[column.fieldId()].isRequired())
    ]


def add(session: "SparkSession", table: str, branch: str, snapshot_id: int) -> bool:
    """Create a branch at one of the table's snapshots.

    Returns:
        False if the table or the snapshot no longer exists.
    """
    loaded = find(session, table)
    if loaded is None or loaded.snapshot(snapshot_id) is None:
        return False
    loaded.manageSnapshots().createBranch(branch, snapshot_id).commit()
    return True


def _refs(session: "SparkSession", table_or_metadata: Any) -> dict[str, int]:
    refs = table_or_metadata.refs()
    return {name: refs.get(name).snapshotId() for name in fetched(session, refs.keySet())}


def _history(table, snapshot_id: "int | None") -> Iterator:
    """Yield a snapshot of the table and its ancestors, as far as they are kept."""
    snapshot = None if snapshot_id is None else table.snapshot(snapshot_id)
    while snapshot is not None:
        yield snapshot
        parent = snapshot.parentId()
        snapshot = None if parent is None else table.snapshot(parent)
