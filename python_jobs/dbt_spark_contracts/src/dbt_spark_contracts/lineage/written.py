"""The rows that a statement would write, as DataFrames, one per write.

The statement is parsed by Spark and analyzed like a model. Nothing is run.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dbt_spark_contracts.compat.pyspark import (
    column_of,
    elements,
    frame_of,
    kind_of_java,
    sql_parser,
    with_child,
)
from dbt_spark_contracts.schemas import quoted

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

# A statement without any of these words needs no check.
_WORDS = re.compile(
    r"\b(insert|update|merge|call|rename)\b|\b(create|replace)\s+table\b.*\bas\b",
    re.IGNORECASE | re.DOTALL,
)

# Iceberg's procedures that give a table rows from outside of any query: files, another table.
_FROM_ELSEWHERE = re.compile("add_files|migrate|register_table|snapshot", re.IGNORECASE)


@dataclass(frozen=True)
class Write:
    """One write of a statement.

    Attributes:
        table: The table's name in SQL.
        rows: The written rows, with names of the table's columns. It may have only some of them.
    """

    table: str
    rows: "DataFrame"


def may_write(sql: str) -> bool:
    """Return whether the statement may write rows, by its words alone."""
    return _WORDS.search(sql) is not None


def taken_over(session: "SparkSession", sql: str) -> list[str]:
    """Return the tables that get rows or names from a statement without a query.

    Returns:
        Names in SQL: each argument of such a procedure, the new name of a table, and the table of a
        renamed column. An empty name stands for a computed one.
    """
    try:
        return [*_taken_over(sql_parser(session).parsePlan(sql))]
    except Exception:
        return []


def _taken_over(plan: Any) -> Iterator[str]:
    kind = kind_of_java(plan)
    if kind == "UnresolvedWith":
        yield from _taken_over(plan.child())
    elif kind in ("CallStatement", "Call"):
        if _FROM_ELSEWHERE.fullmatch([*elements(plan.productElement(0))][-1]):
            for argument in elements(plan.productElement(1)):
                value = argument.expr()
                # A computed name may be any name.
                yield str(value.value()) if kind_of_java(value) == "Literal" else ""
    elif kind == "RenameTable":
        yield _joined(plan.newName())
    elif kind == "RenameColumn":
        yield _joined(plan.table().multipartIdentifier())
    elif kind == "PlanWithUnresolvedIdentifier" or (
        kind == "InsertIntoStatement"
        and kind_of_java(plan.table()) == "PlanWithUnresolvedIdentifier"
    ):
        yield ""


def writes(session: "SparkSession", sql: str) -> list[Write]:
    """Return the writes of a statement. Empty if it does not parse, which Spark reports later."""
    try:
        return [*_writes(session, sql_parser(session).parsePlan(sql), ())]
    except Exception:
        return []


def _writes(session: "SparkSession", plan: Any, outer: tuple) -> Iterator[Write]:
    """Yield the writes of a plan, within these `with` clauses."""
    kind = kind_of_java(plan)
    if kind == "UnresolvedWith":
        yield from _writes(session, plan.child(), (*outer, plan))
    elif kind == "Union":  # a multi-insert
        for child in elements(plan.children()):
            yield from _writes(session, child, outer)
    elif kind in ("InsertIntoStatement", "OverwriteByExpression"):
        yield from _of_insert(session, plan, outer)
    elif kind in ("CreateTableAsSelect", "ReplaceTableAsSelect"):
        yield Write(_joined(plan.name().nameParts()), _within(session, outer, plan.query()))
    elif kind == "UpdateTable":
        target = plan.table()
        yield Write(_name(target), _assigned(frame_of(session, target), plan.assignments()))
    elif kind == "MergeIntoTable":
        yield from _of_merge(session, plan)


def _of_insert(session: "SparkSession", plan: Any, outer: tuple) -> Iterator[Write]:
    rows, table = _within(session, outer, plan.query()), _name(plan.table())
    names: list[str] = []
    fixed: set[str] = set()
    if kind_of_java(plan) == "InsertIntoStatement":  # `replace where` matches columns by position
        names = rows.columns if plan.byName() else [*elements(plan.userSpecifiedCols())]
        fixed = {key.lower() for key in _fixed(plan.partitionSpec())}
    if not names:
        names = [name for name in session.table(table).columns if name.lower() not in fixed]
    yield Write(table, rows.toDF(*names))


def _within(session: "SparkSession", outer: tuple, query: Any) -> "DataFrame":
    """Return the rows of a query within these `with` clauses."""
    for clause in reversed(outer):
        query = with_child(session, clause, query)
    return frame_of(session, query)


def _fixed(partitions: Any) -> Iterator[str]:
    """Yield the partition columns whose values the insert fixes."""
    for pair in elements(partitions.toSeq()):
        if pair.productElement(1).isDefined():
            yield pair.productElement(0)


def _of_merge(session: "SparkSession", plan: Any) -> Iterator[Write]:
    table = _name(plan.targetTable())
    source = frame_of(session, plan.sourceTable())
    target = frame_of(session, plan.targetTable())
    both = target.join(source, column_of(session, plan.mergeCondition()))
    for actions in (plan.matchedActions(), plan.notMatchedActions()):
        for action in elements(actions):
            kind = kind_of_java(action)
            if kind in ("UpdateStarAction", "InsertStarAction"):
                yield Write(table, source)
            elif kind == "UpdateAction":
                yield Write(table, _assigned(both, action.assignments()))
            elif kind == "InsertAction":
                yield Write(table, _assigned(source, action.assignments()))
    for action in elements(plan.notMatchedBySourceActions()):
        if kind_of_java(action) == "UpdateAction":
            yield Write(table, _assigned(target, action.assignments()))


def _assigned(rows: "DataFrame", assignments: Any) -> "DataFrame":
    """Return the assigned columns of these rows."""
    columns: list[Column] = []
    for assignment in elements(assignments):
        *_, name = elements(assignment.key().nameParts())
        columns.append(column_of(rows.sparkSession, assignment.value()).alias(name))
    return rows.select(*columns)


def _name(target: Any) -> str:
    """Return the name of the written table, which may have an alias."""
    while kind_of_java(target) == "SubqueryAlias":
        target = target.child()
    return _joined(target.multipartIdentifier())


def _joined(parts: Any) -> str:
    return ".".join(map(quoted, elements(parts)))
