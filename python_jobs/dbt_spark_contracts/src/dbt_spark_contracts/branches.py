"""The branches of Iceberg tables, and which tables a run has written, by Iceberg's own API.

A state is a dict of table_name, from_snapshot_id (main's) and to_snapshot_id: a move of main that
is about to be made, or that was.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from dbt_spark_contracts import tables

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Iceberg's property of a table that is written to the session's branch.
WRITES_TO_BRANCHES = "write.wap.enabled"

# The names of the tables to which this Java has committed: a Java set that Iceberg itself fills.
_committed = None
_earlier: set[str] = set()


def watch_commits(session: "SparkSession", earlier: Iterable[str]) -> None:
    """From here on let `written` tell the tables that are committed to, and the earlier ones.

    A model, a hook or a Python function of the user's may write any table, so that only Iceberg
    knows. Its listeners are Java objects: this one adds the table's name to a set.
    """
    global _committed, _earlier
    _earlier = set(earlier)
    if _committed is None:
        java = session._jvm.java
        loader = java.lang.Thread.currentThread().getContextClassLoader()
        events = "org.apache.iceberg.events"
        listener, snapshot = (
            java.lang.Class.forName(f"{events}.{name}", True, loader)
            for name in ("Listener", "CreateSnapshotEvent")
        )
        _committed = java.util.concurrent.ConcurrentHashMap.newKeySet()
        adds_the_name = java.beans.EventHandler.create(listener, _committed, "add", "tableName")
        session._jvm.org.apache.iceberg.events.Listeners.register(adds_the_name, snapshot)
    _committed.clear()


def written(session: "SparkSession") -> list[str]:
    """The tables that are there and were committed to since `watch_commits`, and the earlier ones.

    They are named as dbt does, without the current catalog.
    """
    prefix = f"{tables.current_catalog(session)}."
    names = {name.removeprefix(prefix) for name in _committed or ()}
    spelled = {name.replace("`", ""): tables.named(session, name) for name in names}
    spelled |= {name.replace("`", ""): name for name in _earlier if tables.exists(session, name)}
    return sorted(filter(None, spelled.values()))


def open_to_branches(session: "SparkSession", table: str) -> None:
    """Let a run write to a branch of the table: by Iceberg's property, and a main branch."""
    loaded = tables.load(session, table)
    if loaded.properties().get(WRITES_TO_BRANCHES) != "true":
        if not loaded.refs().containsKey("main"):
            loaded.manageSnapshots().createBranch("main").commit()
        loaded.updateProperties().set(WRITES_TO_BRANCHES, "true").commit()


def refs(session: "SparkSession", names: Iterable[str]) -> list[dict]:
    """Every branch and tag of the tables, as they are now, whoever has changed them.

    Returns:
        A dict for each of table_name, name and snapshot_id.
    """
    return [
        {"table_name": table, "name": name, "snapshot_id": ref.snapshotId()}
        for table in names
        for name, ref in tables.load_anew(session, table).refs().items()
    ]


def states(session: "SparkSession", branch: str, names: Iterable[str]) -> list[dict]:
    """What publishing the branch would move, of those of the tables that have it."""
    snapshots: dict[str, dict[str, int]] = {}
    for ref in refs(session, names):
        snapshots.setdefault(ref["table_name"], {})[ref["name"]] = ref["snapshot_id"]
    return [
        {"table_name": table, "from_snapshot_id": of["main"], "to_snapshot_id": of[branch]}
        # A layer's tables together, so that a reader of all sees as little in between as can be.
        for table, of in sorted(snapshots.items())
        if branch in of
    ]


def is_ahead(session: "SparkSession", state: dict) -> bool:
    """Has the state's table not been written on main since its branch was begun?"""
    history = session._jvm.org.apache.iceberg.util.SnapshotUtil
    table = tables.load(session, state["table_name"])
    return history.isAncestorOf(table, state["to_snapshot_id"], state["from_snapshot_id"])


def fast_forward(session: "SparkSession", table: str, branch: str) -> None:
    """Let main be what the branch is. Raises Iceberg's error if main is not behind it."""
    tables.load(session, table).manageSnapshots().fastForwardBranch("main", branch).commit()


def set_main(session: "SparkSession", table: str, snapshot_id: int) -> None:
    """Let main be a snapshot of the table. Raises Iceberg's error if it has none of that id."""
    tables.load(session, table).manageSnapshots().setCurrentSnapshot(snapshot_id).commit()


def drop(session: "SparkSession", table: str, branch: str) -> None:
    """Drop the branch, if it is there."""
    loaded = tables.load(session, table)
    if loaded.refs().containsKey(branch):
        loaded.manageSnapshots().removeBranch(branch).commit()
