"""Check a promise against a staged view, and against the existing table."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dbt.exceptions import ContractError
from dbt_common.exceptions import CompilationError

from dbt_spark_contracts import schemas, spark_plan, tables
from dbt_spark_contracts.contract.promise import Column, Promise
from dbt_spark_contracts.publish import pending
from dbt_spark_contracts.schemas import Field

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def check_staged(staged: "DataFrame", promise: Promise) -> None:
    """Check the staged view against an enforced contract. Runs the analyzer, but no Spark job.

    Args:
        staged: The staged view.
        promise: The promise.

    Raises:
        ContractError: dbt's own error, with its table of columns and reasons, if a name or type
            differs, or if a not-null column of the contract may be null.
    """
    if not promise.enforced:
        return
    found = spark_plan.columns(staged)
    # Like dbt, compare names and types in any order.
    in_model = sorted((column["name"], column["data_type"]) for column in found)
    if in_model != sorted((column.name, column.data_type) for column in promise.columns):
        raise ContractError(_as_dbt_has(promise.columns), found)

    # The type includes nullability, so that it shows in the same table of dbt's error.
    not_null = [column for column in promise.columns if not column.nullable]
    proven = spark_plan.never_null(staged, [column.name for column in not_null])
    if len(proven) < len(not_null):
        promised = [_row(column.name, f"{column.data_type} not null") for column in not_null]
        told = [
            _row(column.name, column.data_type + (" not null" if column.name in proven else ""))
            for column in not_null
        ]
        raise ContractError(promised, told)


def _as_dbt_has(columns: list[Column]) -> list[dict]:
    return [_row(column.name, column.data_type) for column in columns]


def _row(name: str, data_type: str) -> dict:
    return {"name": name, "data_type": data_type}


@dataclass
class Drift:
    """The differences between a table's columns and the promised ones.

    Attributes:
        promise: The promise.
        is_there: Whether the table exists.
        is_anew: Whether the table differs and may be recreated, because it was never published.
        stray: Columns of the table that are not promised.
        missing: Promised columns that the table lacks.
        retyped: Columns of another type or, under a contract, of other nullability.
        renamed: Columns that differ only in case, which Spark ignores.
        commented: Columns with another comment.
        loosened: Without a contract: columns that were not null and may be null now.
        tightened: With a contract, if all rows are replaced: columns that were nullable and must
            not be null now.
        held: Columns that exist only for a branch that is not published yet.
        withdrawn: Columns that were added for the branch that this run continues, and that are no
            longer promised or have another type now.
    """

    promise: Promise
    is_there: bool = True
    is_anew: bool = False
    stray: list[Field] = field(default_factory=list)
    missing: list[Column] = field(default_factory=list)
    retyped: list[tuple[Field, Column]] = field(default_factory=list)
    renamed: list[tuple[Field, Column]] = field(default_factory=list)
    commented: list[tuple[Field, Column]] = field(default_factory=list)
    loosened: list[Field] = field(default_factory=list)
    tightened: list[Field] = field(default_factory=list)
    held: list[Field] = field(default_factory=list)
    withdrawn: list[Field] = field(default_factory=list)


def drift(
    session: "SparkSession",
    promise: Promise,
    branch: str | None,
    staged: "Callable[[], DataFrame] | None" = None,
) -> Drift:
    """Compare the columns of the table, if it exists, with the promise.

    Args:
        session: The session.
        promise: The promise.
        branch: The branch that the run writes to. Its pending columns are compared.
        staged: Returns the staged view, if there is one.

    Returns:
        The differences.
    """
    found = Drift(promise, is_there=tables.exists(session, promise.table))
    if not found.is_there:
        return found
    columns = {column.name.lower(): column for column in promise.columns}
    in_table = set()
    own = pending.notes(session, promise.table).get(branch or "", pending.Note())
    replaced = {*own.rename.values()}
    others = pending.of_others(session, promise.table, branch)
    for existing in schemas.fields(session, promise.table):
        name = own.rename.get(existing.name, existing.name)
        column = columns.get(name.lower())
        # A retry may need a column again that was about to be dropped.
        goes = existing.id in own.drop and (column is None or existing.name in replaced)
        if goes or existing.id in others:
            found.held.append(existing)
            continue
        is_kept = name.lower() in promise.kept_as_found
        is_same = column is not None and (existing.data_type == column.kept_type or is_kept)
        is_new = existing.name in own.add or (existing.name in own.rename and column is None)
        if is_new and not is_same:
            found.withdrawn.append(existing)
            continue
        in_table.add(name.lower())
        if column is None:
            found.stray.append(existing)
            continue
        nullable = existing.nullable and existing.id not in own.require
        if not is_same:
            found.retyped.append((existing, column))
            continue
        if promise.enforced and nullable and not column.nullable and promise.replaces:
            found.tightened.append(existing)
        elif promise.enforced and nullable != column.nullable:
            found.retyped.append((existing, column))
            continue
        elif not nullable and column.nullable:
            found.loosened.append(existing)
        if column.name != name:
            found.renamed.append((existing, column))
        elif column.comment is not None and column.comment != existing.comment:
            found.commented.append((existing, column))
    if found.loosened and staged:
        names = {own.id: columns[own.name.lower()].name for own in found.loosened}
        proven = spark_plan.never_null(staged(), [*names.values()])
        found.loosened = [own for own in found.loosened if names[own.id] not in proven]
    found.missing = [column for column in promise.columns if column.name.lower() not in in_table]
    found.is_anew = bool(
        differences(found) and pending.was_never_published(session, promise.table, branch)
    )
    return found


def check_table(found: Drift) -> None:
    """Check the existing table against the promise, before anything is computed or written.

    Args:
        found: The differences.

    Raises:
        CompilationError: Names each difference that the policy does not allow to change, and the
            way out.
    """
    promise = found.promise
    if not found.is_there or found.is_anew:
        return
    breaches = [] if may_retype(promise) else [_retyped(*pair) for pair in found.retyped]
    missing = found.missing
    if promise.policy == "fail":
        breaches += [_stray(existing) for existing in found.stray]
    elif promise.enforced:
        breaches += [_stray(existing) for existing in found.stray]
        missing = [column for column in missing if not column.nullable]
    else:
        missing = []
    breaches += [_missing(column) for column in missing]
    if promise.enforced:
        breaches += [_renamed(*pair) for pair in found.renamed]
    if breaches:
        raise CompilationError(
            "\n".join(
                [
                    f"{promise.table} differs from what its model promises; nothing was written.",
                    *breaches,
                    _way_out(found),
                ]
            )
        )


def may_retype(promise: Promise) -> bool:
    """Return whether a column may change its type: without a contract, in a full refresh."""
    return promise.full_refresh and not promise.enforced


def _stray(existing: Field) -> str:
    return f"  {existing.name}: in the table, not in the contract"


def _missing(column: Column) -> str:
    told = f"  {column.name}: in the contract, not in the table"
    if column.nullable:
        return told
    return f"{told}, whose rows have no value for it, and it is not null"


def _retyped(existing: Field, column: Column) -> str:
    in_table = existing.data_type + ("" if existing.nullable else " not null")
    promised = column.data_type + ("" if column.nullable else " not null")
    return f"  {column.name}: {in_table} in the table, {promised} in the contract"


def _renamed(existing: Field, column: Column) -> str:
    return f"  {column.name}: {existing.name} in the table"


def _way_out(found: Drift) -> str:
    """Return one sentence per kind of drift: what to do about it."""
    promise = found.promise
    ways = []
    if found.stray and promise.enforced:
        ways.append(
            "Name the column in the contract, or drop it with `dbt run-operation "
            f"drop_stray_columns --args '{{model: {promise.node}}}'`, which keeps the table's "
            "history."
        )
    if found.missing and promise.enforced:
        ways.append("`on_schema_change: append_new_columns` adds what the contract newly names.")
    if not promise.enforced:
        ways.append(f"{promise.way_to_refresh} lets the table follow.")
    elif any(own.data_type == column.kept_type and own.nullable for own, column in found.retyped):
        ways.append(f"A column that held nulls is made not null by {promise.way_to_refresh}.")
    elif found.retyped:
        ways.append(
            "A type is changed on purpose by `alter table … alter column … type …` where Iceberg "
            "can, and by a new version of the model where it cannot."
        )
    return " ".join(ways)


def differences(found: Drift) -> list[str]:
    """Return one line per difference between a table's columns and the promise."""
    return [
        *map(_stray, found.stray),
        *map(_missing, found.missing),
        *(_retyped(*pair) for pair in found.retyped),
        *(
            f"  {own.name}: nullable in the table, not null in the contract"
            for own in found.tightened
        ),
        *(_renamed(*pair) for pair in found.renamed),
    ]


def breaches(session: "SparkSession", promise: Promise) -> list[str]:
    """Return one line per column that no longer fits the promise since the table was written."""
    expected = {existing.id: existing for existing in promise.fields}
    lines = []
    for existing in schemas.fields(session, promise.table):
        before = expected.pop(existing.id, None)
        if before is None:
            lines.append(_stray(existing))
            continue
        nullable = before.nullable and (existing.nullable or existing.id not in promise.require)
        if (before.name, before.data_type, nullable) != (
            existing.name,
            existing.data_type,
            existing.nullable,
        ):
            lines.append(f"  {before.name}: {_told(before)} was written, {_told(existing)} found")
    return lines + [f"  {gone.name}: no longer in the table" for gone in expected.values()]


def _told(existing: Field) -> str:
    return f"{existing.name} {existing.data_type}" + ("" if existing.nullable else " not null")


def broken_checks(session: "SparkSession", promise: Promise, branch: str | None) -> list[str]:
    """Return one line per check that rows of the branch or main violate. Each costs a Spark job."""
    rows = session.table(f"{promise.table}.branch_{branch}" if branch else promise.table)
    return [
        f"  {check} does not hold for each row"
        for check in promise.checks
        if rows.where(f"not ({check.expression})").head(1)
    ]
