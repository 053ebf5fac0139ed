"""What the leaves of a plan read: which table, and which of its states.

It is read from the relation itself. A name further up in the plan is an alias, which any query can
choose.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from dbt_spark_contracts.compat.pyspark import analyzed_plan, elements

_DATA_SOURCE = "org.apache.spark.sql.execution.datasources"
_ICEBERG = "org.apache.iceberg"

# The classes of Iceberg tables whose rows are data. All others are metadata tables.
_TABLES_OF_ROWS = (f"{_ICEBERG}.BaseTable", f"{_ICEBERG}.SerializableTable")
_CHANGES = f"{_ICEBERG}.spark.source.SparkChangelogTable"


@dataclass(frozen=True)
class Relation:
    """What one leaf of a plan reads.

    Attributes:
        name: The full name of the table, in lower case.
        opaque: Why its columns are not the table's, in words. Empty if they are.
        renamed: Today's column names for an older state of the table. None marks a dropped column.
        snapshots: The states that are read. None inside means the newest, None instead of a tuple
            means all.
    """

    name: str
    opaque: str = ""
    renamed: Mapping[str, str | None] = field(default_factory=dict)
    snapshots: tuple[int | None, ...] | None = (None,)


def relations_of(frame: Any) -> dict[int, Relation]:
    """Return the relations that a DataFrame reads, by Spark's id of their first column.

    Runs no Spark job. Unnamed inputs (rows in the code, an RDD, files) are left out.
    """
    plan = analyzed_plan(frame)
    found = {}
    for part in (plan, *elements(plan.subqueriesAll())):
        for leaf in elements(part.collectLeaves()):
            if not leaf.output().isEmpty() and (relation := _relation(leaf)):
                found[leaf.output().head().exprId().id()] = relation
    return found


def column_ids(frame: Any) -> Iterator[int]:
    """Yield Spark's ids of a DataFrame's columns, and of the columns of its plan's leaves."""
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
    """Return the name of a table of Spark's own catalog."""
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
    # Iceberg's name has no branch, tag or snapshot in it, unlike the identifier.
    name = in_iceberg.name().lower()
    if in_iceberg.getClass().getName() not in _TABLES_OF_ROWS:
        return Relation(name, f"Iceberg's metadata table {name}")
    if table.snapshotId() is None:
        ref = in_iceberg.refs().get(table.branch()) if table.branch() else None
        return Relation(name, snapshots=(ref.snapshotId() if ref else None,))
    snapshot = table.snapshotId()
    return Relation(name, renamed=_renamed(in_iceberg, snapshot), snapshots=(snapshot,))


def _renamed(table: Any, snapshot: int) -> dict[str, str | None]:
    """Return today's names of the columns that the table had in a snapshot."""
    schemas = {schema.schemaId(): schema for schema in table.schemas().values()}
    then = schemas.get(table.snapshot(snapshot).schemaId(), table.schema())
    today = {column.fieldId(): column.name() for column in table.schema().columns()}
    return {column.name(): today.get(column.fieldId()) for column in then.columns()}
