"""Find what a statement would change past the run's branch, from Spark's parsed plan."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dbt_spark_contracts import tables
from dbt_spark_contracts.compat.pyspark import (
    elements,
    java_classes,
    java_session,
    kind_of_java,
    sql_parser,
)
from dbt_spark_contracts.publish.command import is_run_name
from dbt_spark_contracts.schemas import plain, quoted
from dbt_spark_contracts.spark.session import BRANCH

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Spark's plan nodes for statements that write rows. Those go to the run's branch.
_WRITES = (
    *("InsertIntoStatement", "AppendData", "OverwriteByExpression", "OverwritePartitionsDynamic"),
    *("DeleteFromTable", "UpdateTable", "MergeIntoTable", "TruncateTable"),
)

# Plan nodes for commands that change neither visible rows nor columns.
_HARMLESS = (
    *("CreateTable", "CreateTableAsSelect", "CommentOnTable", "RefreshTable", "AnalyzeTable"),
    *("SetTableProperties", "UnsetTableProperties", "SetWriteDistributionAndOrdering"),
    *("SetIdentifierFields", "DropIdentifierFields", "CreateOrReplaceTag", "DropTag"),
    *("AddPartitionField", "DropPartitionField", "ReplacePartitionField"),
)

# Iceberg's procedures that do not change them either.
_HARMLESS_PROCEDURES = re.compile(
    r"rewrite_\w+|compute_\w+|expire_snapshots|remove_orphan_files|ancestors_of|create_changelog_view"
)

# Properties that control branch writes, and those of pending schema changes.
_OUR_PROPERTIES = re.compile(r"write\.wap\.enabled|contracts\..*")

# Spark's syntax for a computed name, which is only known when the statement runs.
_COMPUTED_NAME = re.compile(r"\bidentifier\s*\(", re.IGNORECASE)

# The prefix of a name part that refers to a branch of the table.
_BRANCH = "branch_"

# A statement without any of these words needs no check.
_CHANGES = re.compile(r"\b(alter|drop|replace|truncate|call)\b|\bbranch_", re.IGNORECASE)
_ANY = re.compile(
    rf"{_CHANGES.pattern}|\b(insert|delete|update|merge|overwrite)\b", re.IGNORECASE
)  # fmt: skip

# Commands that a model's own code may run: they read, or only affect the session's own views.
_READS = re.compile(
    r"(Show|Describe|List)\w+|(Explain|ClearCache|RefreshFunction|CreateFunction|DropFunction|"
    r"CreateView|SetCommand|Reset|AddJars|AddFiles|AddArchives)\w*|(CacheTable|UncacheTable)\w*|"
    r"CreateTempViewUsing|RefreshTable\w*|RefreshResource"
)

# What a statement in a model's own code must not do.
WRITES, SHARED = ("writes", "changes what all models share")

COLUMNS = "Let its model return these columns"
ROWS = "`delete`, `insert`, `update` and `merge` go to the branch of the build"


@dataclass(frozen=True)
class Effect:
    """What a statement does to a table.

    Attributes:
        table: The table's name in the form of `plain`, in lower case. Empty if it is computed.
        way_out: What to do instead. Empty for a plain write, which goes to the run's branch.
    """

    table: str
    way_out: str = ""


def may_have_effects(sql: str, is_on_branch: bool) -> bool:
    """Return whether `effects` may find something in the statement, by its words alone.

    On a branch, plain writes do not count.
    """
    return (_CHANGES if is_on_branch else _ANY).search(sql) is not None


def effects(session: "SparkSession", sql: str) -> list[Effect]:
    """Return what the statement would do to tables of the current catalog.

    Nothing is returned for a statement that does not parse.
    """
    try:
        plan = sql_parser(session).parsePlan(sql)
    except Exception:  # Spark reports it when the statement runs
        return []
    if _COMPUTED_NAME.search(sql) and _names_by_expression(session, plan):
        return [Effect("", "Write the table's name itself, and not identifier(…)")]
    return [found for node in _statements(plan) for found in _effects(session, node)]


def own_effect(session: "SparkSession", sql: str) -> str:
    """Return what a statement in a model's own code does that it must not do.

    A command that is not known to read counts as a write.

    Returns:
        WRITES, SHARED, or an empty string for a statement that reads.
    """
    try:
        plan = sql_parser(session).parsePlan(sql)
    except Exception:  # Spark reports it when the statement runs
        return ""
    found = {_own_effect(session, node) for node in _statements(plan)}
    return WRITES if WRITES in found else SHARED if SHARED in found else ""


def _own_effect(session: "SparkSession", plan: Any) -> str:
    kind = kind_of_java(plan)
    if kind in ("SetCatalogAndNamespace", "SetNamespaceCommand", "SetCatalogCommand"):
        return SHARED
    if kind in ("SetCommand", "ResetCommand"):
        # without a key, `set` lists all settings and `reset` resets all
        setting = plan.productElement(0)
        if setting.isEmpty():
            return SHARED if kind == "ResetCommand" else ""
        key = setting.get() if kind == "ResetCommand" else setting.get().productElement(0)
        return SHARED if key == BRANCH else ""
    if kind == "DropView":
        return "" if _is_temporary(session, _name(plan)) else WRITES
    if kind in ("CallStatement", "Call"):
        procedure = [*elements(plan.productElement(0))][-1].lower()
        return "" if procedure == "create_changelog_view" else WRITES
    if _READS.fullmatch(kind):
        return "" if kind != "CreateView" and kind != "CreateFunction" else WRITES
    writes = kind in _WRITES or kind == "InsertIntoDir" or _is_command(session, plan)
    return WRITES if writes or kind == "PlanWithUnresolvedIdentifier" else ""


def _is_temporary(session: "SparkSession", parts: list[str]) -> bool:
    """Return whether this is the name of a temporary view of the session."""
    *schema, name = parts or [""]
    catalog = java_session(session).sessionState().catalog()
    if schema:
        return schema == ["global_temp"]
    return catalog.getTempView(name).isDefined()


def shortened(sql: str) -> str:
    """Return a statement in the length that messages use."""
    statement = " ".join(sql.split())
    return f"{statement[:120]}…" if len(statement) > 120 else statement


def _names_by_expression(session: "SparkSession", plan: Any) -> bool:
    """Return whether the statement changes a table whose name is computed."""
    return kind_of_java(plan) == "PlanWithUnresolvedIdentifier" or any(
        (kind_of_java(node) in _WRITES or _is_command(session, node)) and not _name(node)
        for node in _statements(plan)
    )


def _statements(plan: Any) -> Iterator[Any]:
    """Yield the statement, or the parts of a `with` or of a multi-insert."""
    if kind_of_java(plan) in ("UnresolvedWith", "Union"):
        for child in elements(plan.children()):
            yield from _statements(child)
    else:
        yield plan


def _effects(session: "SparkSession", plan: Any) -> Iterator[Effect]:
    kind = kind_of_java(plan)
    if kind in ("CallStatement", "Call"):
        yield from _of_procedure(session, plan)
    elif kind in _WRITES:
        if parts := _name(plan):
            yield from _of_write(session, parts)
    elif _is_command(session, plan) and (parts := _name(plan)):
        table = _table(session, parts)
        if table and (way_out := _way_out(kind, plan)):
            yield Effect(table, way_out)


def _of_write(session: "SparkSession", parts: list[str]) -> Iterator[Effect]:
    to_branch = parts[-1].lower().startswith(_BRANCH) and len(parts) > 1
    if table := _table(session, parts[:-1] if to_branch else parts):
        yield Effect(table, "Write to the table itself" if to_branch else "")


def _of_procedure(session: "SparkSession", plan: Any) -> Iterator[Effect]:
    """Yield the effect of an Iceberg procedure, which names its table in an argument."""
    if _HARMLESS_PROCEDURES.fullmatch([*elements(plan.productElement(0))][-1].lower()):
        return
    for argument in elements(plan.productElement(1)):
        value = str(argument.expr().value()) if kind_of_java(argument.expr()) == "Literal" else ""
        parts = plain(value).split(".")
        if all(parts) and (table := _table(session, parts)):
            yield Effect(table, ROWS)


def _way_out(kind: str, plan: Any) -> str:
    """Return what to do instead of a command on a table. Empty if it is harmless."""
    if kind in ("SetTableProperties", "UnsetTableProperties"):
        names = plan.productElement(1)
        names = names.keySet().toSeq() if kind == "SetTableProperties" else names
        is_ours = any(_OUR_PROPERTIES.fullmatch(name) for name in elements(names))
        return "Leave these properties alone" if is_ours else ""
    if kind in ("CreateOrReplaceBranch", "DropBranch"):
        name = plan.productElement(1)
        return f"Leave the branch {name} alone" if name == "main" or is_run_name(name) else ""
    if kind == "AlterColumn":
        changed = [plan.dataType(), plan.nullable(), plan.position(), plan.setDefaultExpression()]
        return "" if all(each.isEmpty() for each in changed) else COLUMNS
    if kind in _HARMLESS:
        return ""
    return COLUMNS if kind.endswith(("Column", "Columns")) else ROWS


def _name(plan: Any) -> list[str]:
    """Return the parts of the table name in the statement. Empty if it names no table."""
    for position in range(plan.productArity()):
        element = plan.productElement(position)
        if kind_of_java(element) == "SubqueryAlias":
            element = element.child()
        kind = kind_of_java(element)
        if kind == "UnresolvedIdentifier":
            return [*elements(element.nameParts())]
        if kind in ("UnresolvedTable", "UnresolvedTableOrView", "UnresolvedRelation"):
            return [*elements(element.multipartIdentifier())]
        if position == 0 and kind in ("$colon$colon", "ArrayBuffer", "ArraySeq", "WrappedArray"):
            parts = [*elements(element)]  # the format of Iceberg's own commands
            return parts if all(isinstance(part, str) for part in parts) else []
    return []


def _table(session: "SparkSession", parts: list[str]) -> str:
    """Return the table's name as in the project. Empty for a table of another catalog."""
    catalog, identifier = tables.located(session, ".".join(map(quoted, parts)))
    if catalog.name() != tables.current_catalog(session):
        return ""
    return ".".join([*identifier.namespace(), identifier.name()]).lower()


def _is_command(session: "SparkSession", plan: Any) -> bool:
    kind = "org.apache.spark.sql.catalyst.plans.logical.Command"
    return java_classes(session).java.lang.Class.forName(kind).isInstance(plan)
