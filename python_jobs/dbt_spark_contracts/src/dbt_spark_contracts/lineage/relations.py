"""What the leaves of a plan read: which table, in which of its states, or none that has a name.

Read off the relation itself. What a plan calls a relation further up is an alias, and anybody's.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from dbt_spark_contracts.compat.pyspark import analyzed_plan, elements

_DATA_SOURCE = "org.apache.spark.sql.execution.datasources"
_ICEBERG = "org.apache.iceberg"

# Of these of Iceberg's tables the rows are a table's; of all others, facts about its files.
_TABLES_OF_ROWS = (f"{_ICEBERG}.BaseTable", f"{_ICEBERG}.SerializableTable")
_CHANGES = f"{_ICEBERG}.spark.source.SparkChangelogTable"


@dataclass(frozen=True)
class Relation:
    """What one leaf of a plan reads.

    Attributes:
        name: The table's name in full, in lower case.
        opaque: Why its columns are not the table's, in words; none, if they are.
        renamed: Of another state of the table, what its columns are called today; None for one that
            the table has no more.
        snapshots: The states of the table that are read, each None for the newest; None for all.
    """

    name: str
    opaque: str = ""
    renamed: Mapping[str, str | None] = field(default_factory=dict)
    snapshots: tuple[int | None, ...] | None = (None,)


def relations_of(frame: Any) -> dict[int, Relation]:
    """The relations that a DataFrame reads, by Spark's number of their first column.

    Costs no Spark job. What is not among them (rows in the code, an RDD, files) has no name.
    """
    plan = analyzed_plan(frame)
    found = {}
    for part in (plan, *elements(plan.subqueriesAll())):
        for leaf in elements(part.collectLeaves()):
            if not leaf.output().isEmpty() and (relation := _relation(leaf)):
                found[leaf.output().head().exprId().id()] = relation
    return found


def column_ids(frame: Any) -> Iterator[int]:
    """Spark's numbers of a DataFrame's columns, and of those that the leaves of its plan have."""
    yield from (column.exprId().id() for column in elements(analyzed_plan(frame).output()))
    for leaf in elements(analyzed_plan(frame).collectLeaves()):
        yield from (column.exprId().id() for column in elements(leaf.output()))


def _relation(leaf: Any) -> Relation | None:
    kind = leaf.getClass().getName()
    if kind == f"{_DATA_SOURCE}.v2.DataSourceV2Relation":
        return _of_catalog(leaf)
    if kind == f"{_DATA_SOURCE}.LogicalRelation" and leaf.catalogTable().isDefined():
        return Relation(_named(leaf.catalogTable().get()))
    if kind == "org.apache.spark.sql.catalyst.catalog.HiveTableRelation":
        return Relation(_named(leaf.tableMeta()))
    return None


def _named(catalog_table: Any) -> str:
    """The name of a table of Spark's own catalog."""
    return ".".join(elements(catalog_table.identifier().nameParts())).lower()


def _of_catalog(leaf: Any) -> Relation | None:
    if leaf.catalog().isEmpty() or leaf.identifier().isEmpty():
        return None
    identifier = leaf.identifier().get()
    parts = [leaf.catalog().get().name(), *identifier.namespace(), identifier.name()]
    table = leaf.table()
    kind = table.getClass().getName()
    if kind == _CHANGES:
        return Relation(".".join(parts[:-1]).lower(), snapshots=None)
    if kind != f"{_ICEBERG}.spark.source.SparkTable":
        return Relation(".".join(parts).lower())
    in_iceberg = table.table()
    # Its own name says no branch, tag or snapshot, as the identifier may.
    name = in_iceberg.name().lower()
    if in_iceberg.getClass().getName() not in _TABLES_OF_ROWS:
        return Relation(name, f"Iceberg's metadata table {name}")
    if table.snapshotId() is None:
        ref = in_iceberg.refs().get(table.branch()) if table.branch() else None
        return Relation(name, snapshots=(ref.snapshotId() if ref else None,))
    snapshot = table.snapshotId()
    return Relation(name, renamed=_renamed(in_iceberg, snapshot), snapshots=(snapshot,))


def _renamed(table: Any, snapshot: int) -> dict[str, str | None]:
    """What the columns that the table had in a snapshot are called today."""
    schemas = {schema.schemaId(): schema for schema in table.schemas().values()}
    then = schemas.get(table.snapshot(snapshot).schemaId(), table.schema())
    today = {column.fieldId(): column.name() for column in table.schema().columns()}
    return {column.name(): today.get(column.fieldId()) for column in then.columns()}
