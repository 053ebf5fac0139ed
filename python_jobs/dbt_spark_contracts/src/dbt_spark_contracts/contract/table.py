"""Bring a table in line with its model's promise: create it, or change it as allowed."""

from typing import TYPE_CHECKING

from dbt.events.types import JinjaLogWarning
from dbt_common.events.functions import warn_or_error
from dbt_common.exceptions import CompilationError
from pyspark.sql import functions as F
from pyspark.sql.types import StructField, StructType

from dbt_spark_contracts import schemas, tables
from dbt_spark_contracts.contract import check, constraints
from dbt_spark_contracts.contract.check import Drift
from dbt_spark_contracts.contract.constraints import Check
from dbt_spark_contracts.contract.promise import Column, Promise
from dbt_spark_contracts.publish import branches, pending
from dbt_spark_contracts.schemas import Change, Field, quoted

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def prepare(session: "SparkSession", found: Drift, branch: str | None) -> list[str]:
    """Prepare the table so that the staged view can be written to it.

    Creates the table, or changes it as far as the promise allows. Afterwards the staged view has
    the table's columns. It returns null for columns that it lacks, and raises an error for a row
    that violates a check.

    Args:
        session: The session.
        found: The differences between the table and the promise.
        branch: The branch that the run writes to, or None for main.

    Returns:
        The names of the table's columns, in its order.
    """
    promise = found.promise
    # The table's column stays nullable until the rows without nulls are published.
    promise.checks += [Check(f"{quoted(own.name)} is not null") for own in found.tightened]
    promise.require = [own.id for own in found.tightened]
    rows = session.table(promise.staged)
    constraints.require_conditions(rows, promise.table, promise.checks)
    wanted = _wanted_partitioning(session, promise)
    note = pending.Note()
    if found.is_there and not found.is_anew:
        note = _follow(session, found, branch, wanted)
    else:
        _create(session, found, branch)
    promise.fields = schemas.fields(session, promise.table)
    _shape(session, found, note)
    return [existing.name for existing in promise.fields]


def _create(session: "SparkSession", found: Drift, branch: str | None) -> None:
    promise = found.promise
    properties = dict(promise.properties)
    if branch:
        properties[pending.UNPUBLISHED] = "true"
    if promise.comment:
        properties["comment"] = promise.comment
    if promise.location:
        properties["location"] = promise.location
    schema = StructType([_added(column, nullable=column.nullable) for column in promise.columns])
    schemas.create(
        session, promise.table, schema, promise.partition_by, properties, anew=found.is_anew
    )
    if found.is_anew:
        branches.drop_all(session, promise.table)


def _added(column: Column, nullable: bool = True, name: str = "") -> StructField:
    return schemas.spark_field(name or column.name, column.kept, nullable, column.comment or "")


def _follow(
    session: "SparkSession", found: Drift, branch: str | None, wanted: set[tuple[str, str]]
) -> pending.Note:
    """Change the table in one commit.

    Returns:
        What publishing the branch will change.
    """
    promise = found.promise
    pending.hold_others(session, promise.table, branch)
    change = Change()
    before = pending.notes(session, promise.table).get(branch or "", pending.Note())
    note = before.copy()
    going = found.stray if promise.policy == "sync_all_columns" else []
    going, staying = _by_partitioning(session, promise, going)
    if promise.policy == "append_new_columns":
        staying = found.stray
    held = {existing.id for existing in found.held}
    note.drop = [column for column in note.drop if column in held]
    for existing in found.withdrawn:
        change.drop.append(existing.name)
        note.rename.pop(existing.name, None)
    withdrawn = {existing.name for existing in found.withdrawn}
    note.add = [name for name in note.add if name not in withdrawn]
    if check.may_retype(promise):
        going += _retype(session, found, branch, change, note)
    if promise.policy in ("append_new_columns", "sync_all_columns"):
        for column in found.missing:
            change.add.add(_added(column))
            note.add.append(column.name)
        change.rename |= {} if promise.enforced else {o.name: n.name for o, n in found.renamed}
    change.comments = {old.name: new.comment or "" for old, new in found.commented}
    note.require += promise.require
    loosened = [*found.loosened, *staying]
    for existing in going:
        if not branch or existing.name in note.rename:
            change.drop.append(existing.name)
            change.comments.pop(existing.name, None)
        else:
            note.drop.append(existing.id)
            loosened.append(existing)
    for existing in loosened:
        if not existing.nullable:
            change.loosen.append(existing.name)
            note.loosened.append(existing.id)
    if not branch:
        note = pending.Note()
    elif note != before:
        note.main = before.main if before else tables.newest_snapshot(session, promise.table, None)
        change.properties[f"{pending.PROPERTY}{branch}"] = note.write()
    change.properties |= _properties(session, promise)
    change.partition_by = _partitioning(session, promise, wanted)
    schemas.change(session, promise.table, change)
    return note


def _retype(
    session: "SparkSession",
    found: Drift,
    branch: str | None,
    change: Change,
    note: pending.Note,
) -> list[Field]:
    """Add a column for each one that gets another type.

    Returns:
        The old columns that they replace.
    """
    promise = found.promise
    partitioned_by = schemas.columns_of_any_partitioning(session, promise.table)
    for old, new in found.retyped:
        if old.id in partitioned_by:
            raise CompilationError(
                f"{promise.table}: it is partitioned by {old.name}, which is {old.data_type}, and "
                f"Iceberg cannot make it {new.data_type}: give the model another alias."
            )
        name = pending.hidden_name(new.name, branch) if branch else new.name
        change.add.add(_added(new, name=name))
        if branch:
            note.rename[name] = new.name
    return [old for old, _ in found.retyped]


def _by_partitioning(
    session: "SparkSession", promise: Promise, stray: list[Field]
) -> tuple[list[Field], list[Field]]:
    """Split columns into those that Iceberg can drop and those that it cannot, with a warning."""
    if not stray:
        return [], []
    partitioned_by = schemas.columns_of_any_partitioning(session, promise.table)
    staying = [existing for existing in stray if existing.id in partitioned_by]
    if staying:
        _warn(
            f"{promise.table}: {', '.join(own.name for own in staying)} stays in the table, and is "
            "null: the table is, or was, partitioned by it, and Iceberg cannot drop such a column."
        )
    return [existing for existing in stray if existing not in staying], staying


def _properties(session: "SparkSession", promise: Promise) -> dict[str, str | None]:
    """Return the properties to set: those of the config, and the table's comment.

    A property that the config no longer names stays, because somebody else may have set it.
    """
    in_table = schemas.properties(session, promise.table)
    wanted: dict[str, str | None] = {
        name: value for name, value in promise.properties.items() if in_table.get(name) != value
    }
    if promise.comment is not None and promise.comment != in_table.get("comment", ""):
        wanted["comment"] = promise.comment or None
    return wanted


def _wanted_partitioning(session: "SparkSession", promise: Promise) -> set[tuple[str, str]]:
    """Return the partitioning in the config.

    Raises:
        CompilationError: If it is invalid. The message is one line.
    """
    columns = StructType([_added(column) for column in promise.columns])
    try:
        return schemas.as_partitioning(session, columns, promise.partition_by)
    except ValueError as error:
        told = ", ".join(promise.partition_by)
        raise CompilationError(f"{promise.table}: partition_by is {told}: {error}.") from error


def _partitioning(
    session: "SparkSession", promise: Promise, wanted: set[tuple[str, str]]
) -> list[str] | None:
    """Return the new partitioning, or None to keep the current one.

    Existing rows of an incremental table stay where they are. So, as in dbt, a change needs
    --full-refresh.
    """
    in_table = schemas.partitioning(session, promise.table)
    if wanted == in_table:
        return None
    if promise.replaces:
        return promise.partition_by
    if wanted:
        _warn(
            f"{promise.table}: partition_by is {_told(wanted)} in the config and {_told(in_table)} "
            f"in the table: {promise.way_to_refresh} lets the table follow."
        )
    return None


def _told(partitioning: set[tuple[str, str]]) -> str:
    return (
        ", ".join(f"{transform}({column})" for column, transform in sorted(partitioning)) or "none"
    )


def _warn(line: str) -> None:
    warn_or_error(JinjaLogWarning(msg=line))


def _shape(session: "SparkSession", found: Drift, note: pending.Note) -> None:
    """Give the staged view the table's columns, and an error for rows that violate a check."""
    promise = found.promise
    staged = session.table(promise.staged)
    hidden = {name: old for old, name in note.rename.items()}
    columns = {
        hidden.get(column.name, column.name): F.col(quoted(column.name))
        for column in staged.schema.fields
    }
    if promise.checks:
        name = _checked_column(promise)
        columns[name] = F.coalesce(*_errors(promise), columns[name]).alias(name)
    # dbt's `ignore` lets a run fail if its rows lack a column of the table.
    fills = promise.policy in ("append_new_columns", "sync_all_columns") or bool(hidden)
    held = {existing.id for existing in found.held}
    there = {name.lower() for name in columns}
    for existing in promise.fields:
        if existing.name.lower() not in there and (fills or existing.id in held):
            columns[existing.name] = F.lit(None).cast(existing.data_type)
    if promise.checks or [*columns] != staged.columns:
        shaped = staged.select(*(column.alias(name) for name, column in columns.items()))
        shaped.createOrReplaceTempView(promise.staged)


def _checked_column(promise: Promise) -> str:
    """Return the column that carries the checks: one that is always written and not a key."""
    names = [column.name for column in promise.columns]
    return next((name for name in reversed(names) if name.lower() not in promise.keys), names[-1])


def _errors(promise: Promise) -> list:
    """Return an expression per check that is null, or fails the write with one clear line."""
    return [
        F.when(
            ~F.expr(f"({each.expression})"),
            F.raise_error(F.lit(f"{promise.table}: a row breaks the check {each}")),
        )
        for each in promise.checks
    ]


def finish(session: "SparkSession", promise: Promise) -> None:
    """Set columns to not null after a write to main, where the promise requires it."""
    if promise.require:
        written = [
            own.written | ({"required": True} if own.id in promise.require else {})
            for own in schemas.fields(session, promise.table)
        ]
        schemas.put_fields(session, promise.table, written)
        promise.fields = schemas.fields(session, promise.table)
        promise.require = []
