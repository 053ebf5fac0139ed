"""`maintain`: measure the tables of a project, and do what is due, the worst table first."""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from dbt_common.exceptions import DbtRuntimeError

from dbt_spark_contracts import tables
from dbt_spark_contracts.connection import explained
from dbt_spark_contracts.publish import branches, tell
from dbt_spark_contracts.publish.command import Command, is_run_name
from dbt_spark_contracts.publish.maintenance import actions, held, settings
from dbt_spark_contracts.publish.maintenance.actions import ACTIONS, Action
from dbt_spark_contracts.publish.maintenance.limits import Limits
from dbt_spark_contracts.publish.maintenance.measure import Measured, measure
from dbt_spark_contracts.publish.maintenance.settings import Settings
from dbt_spark_contracts.publish.maintenance.wanted import Wanted
from dbt_spark_contracts.publish.ownership import Ownership
from dbt_spark_contracts.publish.tags import is_tag
from dbt_spark_contracts.schemas import plain
from dbt_spark_contracts.spark import session

# The lease removes its own old snapshots, and no other commit may come between two of its own.
# Only its files are left over.
OF_THE_LEASE = Settings(keep_days=False, metadata_files=False)

# A command of another project may still use younger checkpoints. Iceberg's orphan files have the
# same margin.
CHECKPOINTS_AFTER = timedelta(days=3)


@dataclass
class Table:
    """A table in maintenance.

    Attributes:
        name: Its name.
        limits: Its limits.
        before: Its state at first.
        now: Its state after the last action.
        refs: The branches and tags that are dropped.
        orphans: The number of its orphan files that were deleted, or would be.
        steps: The actions that were due: name, reason, and whether they were done.
        seconds: How long the actions took.
    """

    name: str
    limits: Limits
    before: Measured
    now: Measured
    refs: list[str] = field(default_factory=list)
    orphans: int = 0
    steps: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0

    def row(self) -> dict[str, Any]:
        """Return the result, as the command line prints it."""
        counted: dict[str, Any] = {}
        for name in ("files", "delete_files", "manifests", "snapshots", "metadata_files"):
            counted[f"{name}_before"] = getattr(self.before, name)
            counted[f"{name}_after"] = getattr(self.now, name)
        counted["metadata_kb_before"] = round(self.before.metadata_bytes / 1024, 1)
        counted["metadata_kb_after"] = round(self.now.metadata_bytes / 1024, 1)
        return {
            "table": self.name,
            "branches_dropped": sum(not is_tag(ref) for ref in self.refs),
            **counted,
            "orphan_files": self.orphans,
            "actions": self.steps,
            "seconds": round(self.seconds, 1),
        }


def maintain(
    owner: Ownership, command: Command, nodes: dict[str, dict], wanted: Wanted
) -> list[dict]:
    """Drop old branches of failed runs, and do Iceberg's actions where they are due.

    All settings are checked and all tables are measured before anything is changed.

    Args:
        owner: What this command owns.
        command: This command.
        nodes: dbt's nodes.
        wanted: What to do.

    Returns:
        One row per table, with its counts before and after and its actions. A dry run changes
        nothing and returns the expected numbers.

    Raises:
        DbtRuntimeError: If a build runs, a setting is wrong, or a named table does not exist.
    """
    declared = _declared(nodes, wanted)
    if wanted.dry_run:
        owner.look(command, nodes)
    else:
        owner.lock(command, nodes, "maintain")
    with explained():
        found = _measured(owner, declared, wanted)
        for number, table in enumerate(found, start=1):
            _look_after(owner, table, wanted, f"{number}/{len(found)}")
        folders = [] if wanted.only else _delete_checkpoints(owner, wanted)
    _tell_what_is_left(found, wanted)
    rows = [table.row() for table in found]
    if folders:
        rows.append({"table": "checkpoints", "folders": folders})
    return rows


def _declared(nodes: Mapping[str, dict], wanted: Wanted) -> dict[str, Settings]:
    """Return the settings of each table that has a node.

    Raises:
        DbtRuntimeError: If the settings of any node are wrong, also of one without a table.
    """
    found = {node.get("relation_name"): settings.of_node(node) for node in nodes.values()}
    return {name: _overridden(each, wanted) for name, each in found.items() if name}


def _overridden(declared: Settings, wanted: Wanted) -> Settings:
    return declared if wanted.keep_days is None else replace(declared, keep_days=wanted.keep_days)


def _measured(owner: Ownership, declared: Mapping[str, Settings], wanted: Wanted) -> list[Table]:
    """Return the tables to look after, the worst first."""
    spark = session.get()
    of_ops = [owner.log.table, *owner.record_tables]
    own = [
        name
        for name in [*owner.project_tables(), *of_ops, owner.lock_table]
        if branches.find(spark, name) is not None
    ]
    chosen = _chosen(own, wanted.only)
    # A table outside the project only loses branches, no files.
    others = () if wanted.only else owner.tables_with_branches()
    refs = branches.refs(spark, {*others, *own})
    default = _overridden(Settings(), wanted)
    limits = {
        name: Limits.of(declared.get(name, default), tables.load(spark, name).properties())
        for name in refs
    }
    # The log's snapshots remember what was held back, as long as a branch may be published.
    kept = [each.keep for each in limits.values()]
    for name in {*of_ops} & {*limits}:
        limits[name] = replace(limits[name], keep=False if False in kept else max(kept))
    if owner.lock_table in limits:
        limits[owner.lock_table] = Limits.of(OF_THE_LEASE, {})
    dead = held.dead(spark, refs, limits)
    found = []
    for name in chosen:
        since = held.needed_since(spark, name, refs[name], dead[name])
        limit = replace(limits[name], needed_since=since)
        state = measure(spark, name, limit, dead[name])
        found.append(Table(name, limit, state, state, dead[name]))
    if not wanted.dry_run:
        _drop(owner, {name: dead[name] for name in {*others, *chosen} if name in dead})
    return sorted(found, key=lambda table: (-table.before.untidy, table.name))


def _chosen(own: list[str], only: Iterable[str]) -> list[str]:
    """Return the tables that are asked for, or all of them.

    Raises:
        DbtRuntimeError: If a named table does not exist.
    """
    by_name = {plain(name).lower(): name for name in own}
    for name in only:
        if plain(name).lower() not in by_name:
            raise DbtRuntimeError(
                f"{name} is not a table of this project: {', '.join(sorted(by_name))}."
            )
    return [by_name[plain(name).lower()] for name in only] or own


def _drop(owner: Ownership, dead: Mapping[str, list[str]]) -> None:
    """Drop the dead branches, and the dead tags of each table in one commit."""
    for name, refs in dead.items():
        tags = [ref for ref in refs if is_tag(ref)]
        for ref in refs:
            if ref in tags:
                continue
            owner.check_lease()
            owner.drop_branch(ref, [name])
            tell.line(f"{name}: the branch {ref} is dropped: it is older than its tables keep it.")
        if tags:
            owner.check_lease()
            branches.drop(session.get(), name, *tags)
            tell.line(f"{name}: {len(tags)} tags are dropped: they are older than it keeps them.")


def _look_after(owner: Ownership, table: Table, wanted: Wanted, place: str) -> None:
    """Do what is due for a table, or in a dry run tell it."""
    tell.line(f"{place} {table.name}: {_in_words(table.before)}.")
    if table.refs and not wanted.dry_run:
        table.now = measure(session.get(), table.name, table.limits)
    for action in ACTIONS:
        why = action.why(table.now, table.limits)
        if not why:
            continue
        step = {"action": action.name, "why": why, "done": False}
        table.steps.append(step)
        if wanted.dry_run:
            tell.line(f"{place} {table.name}: would {action.name}: {why}.")
            _expect(table, action)
        elif not wanted.is_over:
            tell.line(f"{place} {table.name}: {action.name}: {why}.")
            _do(owner, table, action)
            step["done"] = True


def _do(owner: Ownership, table: Table, action: Action) -> None:
    owner.check_lease()
    tell.change(f"{table.name}: {action.name}")
    spark, began = session.get(), time.monotonic()
    deleted = action.act(spark, table.name, table.limits)
    tables.forget(spark, table.name)
    if deleted is None:
        table.now = measure(spark, table.name, table.limits)
    else:
        table.orphans = deleted
    table.seconds += time.monotonic() - began


def _expect(table: Table, action: Action) -> None:
    """Note what an action would leave."""
    now, limits = table.now, table.limits
    if action in (actions.COMPACT, actions.APPLY_DELETES):
        plan = now.small if action is actions.COMPACT else now.deleted_from
        table.now = replace(now, files=now.files - plan.files + plan.into)
    elif action is actions.MERGE_DELETES:
        left = now.delete_files - now.small_deletes.files + now.small_deletes.into
        table.now = replace(now, delete_files=left)
    elif action is actions.MERGE_MANIFESTS:
        left = now.manifests - now.small_manifests.files + now.small_manifests.into
        table.now = replace(now, manifests=left)
    elif action is actions.EXPIRE:
        table.now = replace(now, snapshots=now.snapshots - now.expirable)
    elif action is actions.TRIM_METADATA and limits.metadata_files:
        table.now = replace(now, metadata_files=min(now.metadata_files, limits.metadata_files))
    elif action is actions.DELETE_ORPHANS:
        table.orphans = actions.orphans(session.get(), table.name, limits)


def _in_words(found: Measured) -> str:
    return (
        f"{found.files} files, {found.delete_files} delete files, {found.manifests} manifests, "
        f"{found.snapshots} snapshots, {found.metadata_bytes / 1024:.0f} kB of metadata"
    )


def _delete_checkpoints(owner: Ownership, wanted: Wanted) -> list[str]:
    """Delete the checkpoints of dead runs. Return their folders."""
    if wanted.is_over and not wanted.dry_run:
        return []
    found = owner.checkpoints.unused_for(CHECKPOINTS_AFTER, is_run_name)
    if not wanted.dry_run:
        for name in found:
            owner.checkpoints.delete_those_of(name)
    if found:
        told = "would be deleted" if wanted.dry_run else "were deleted"
        tell.line(f"The checkpoints of {len(found)} dead runs {told}: {', '.join(found)}.")
    return found


def _tell_what_is_left(found: Iterable[Table], wanted: Wanted) -> None:
    if wanted.dry_run:
        return
    left = [*_undone(found)]
    if left:
        tell.line(f"The budget of {wanted.budget} is used up. Left undone: {'; '.join(left)}.")


def _undone(found: Iterable[Table]) -> Iterator[str]:
    for table in found:
        names = [step["action"] for step in table.steps if not step["done"]]
        if names:
            yield f"{table.name}: {', '.join(names)}"
