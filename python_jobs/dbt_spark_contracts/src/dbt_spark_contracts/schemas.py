"""A table's columns, partitioning and properties, by Spark's and Iceberg's Java interfaces.

Nothing here is a statement of SQL, so that no name, comment or property can break one.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pyspark.errors import ParseException
from pyspark.sql.types import StructField, StructType

from dbt_spark_contracts import tables
from dbt_spark_contracts.compat.pyspark import (
    fetched,
    java_array,
    java_classes,
    java_session,
    sql_parser,
)
from dbt_spark_contracts.errors import explain

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Iceberg's property for its own version of the table's format.
FORMAT_VERSION = "format-version"


@dataclass(frozen=True)
class Field:
    """A column of a table.

    Attributes:
        id: Iceberg's id of it, which is never given again.
        name: Its name.
        data_type: Its type, as Spark spells it in full.
        nullable: Whether it may hold a null.
        comment: Its comment; empty without one.
        written: The column as Iceberg writes it down.
    """

    id: int
    name: str
    data_type: str
    nullable: bool
    comment: str
    written: dict[str, Any] = field(compare=False)


@dataclass
class Change:
    """What is to become of a table, in one commit.

    Attributes:
        add: Columns to add, as optional ones: name to type and comment, as a Spark schema.
        drop: Names of columns to drop.
        rename: New names by old ones.
        loosen: Names of columns that may hold nulls from now on.
        comments: New comments of columns, by name; an empty one takes it away.
        properties: Properties to set, or, where they are None, to take away.
        partition_by: Transforms in Spark's words, to partition by from now on; None: as it is.
    """

    add: StructType = field(default_factory=StructType)
    drop: list[str] = field(default_factory=list)
    rename: dict[str, str] = field(default_factory=dict)
    loosen: list[str] = field(default_factory=list)
    comments: dict[str, str] = field(default_factory=dict)
    properties: dict[str, str | None] = field(default_factory=dict)
    partition_by: list[str] | None = None

    def __bool__(self) -> bool:
        return bool(
            self.add or self.drop or self.rename or self.loosen or self.comments or self.properties
        ) or (self.partition_by is not None)


def quoted(name: str) -> str:
    """A name as it stands in SQL, whatever is in it."""
    return f"`{name.replace('`', '``')}`"


def plain(name: str) -> str:
    """The name of a table without what quotes it, for one that may be written either way."""
    return name.replace("`", "")


def parse_types(session: "SparkSession", types: Mapping[str, str]) -> StructType:
    """A schema of columns of these types, in Spark's words.

    Raises ValueError, in one line, for the first type that Spark does not know.
    """
    parser = sql_parser(session)
    parsed: dict[str, Any] = {}
    for name, text in types.items():
        if text in parsed:
            continue
        try:
            parsed[text] = json.loads(parser.parseDataType(text).json())
        except ParseException as error:
            raise ValueError(f"{name}: Spark knows no type {text!r}") from error
    fields = [
        {"name": name, "type": parsed[text], "nullable": True, "metadata": {}}
        for name, text in types.items()
    ]
    return StructType.fromJson({"fields": fields})


def stored(session: "SparkSession", schema: StructType) -> StructType:
    """The schema that a table has which is made of this one: Iceberg has fewer types than Spark.

    Raises ValueError, in one line, for the first column that Iceberg cannot hold.
    """
    converter = java_classes(session).org.apache.iceberg.spark.SparkSchemaUtil
    try:
        kept = converter.convert(converter.convert(_java(session, schema)))
    except Exception as error:
        if len(schema.fields) == 1:
            column = schema.fields[0]
            raise ValueError(
                f"{column.name}: Iceberg cannot hold the type {column.dataType.simpleString()}; "
                "cast it to another"
            ) from error
        for column in schema.fields:
            stored(session, StructType([column]))
        raise
    return StructType.fromJson(json.loads(kept.json()))


def fields(session: "SparkSession", table: str) -> list[Field]:
    """The table's columns, in order."""
    return _fields_of(session, tables.load(session, table).schema())


def _fields_of(session: "SparkSession", schema) -> list[Field]:
    iceberg = java_classes(session).org.apache.iceberg
    spark_schema = json.loads(iceberg.spark.SparkSchemaUtil.convert(schema).json())
    written = json.loads(iceberg.SchemaParser.toJson(schema))["fields"]
    return [
        Field(
            id=own["id"],
            name=own["name"],
            data_type=column.dataType.simpleString(),
            nullable=not own["required"],
            comment=own.get("doc") or "",
            written=own,
        )
        for own, column in zip(written, StructType.fromJson(spark_schema).fields, strict=True)
    ]


def properties(session: "SparkSession", table: str) -> dict[str, str]:
    """The table's properties, and the version of its format."""
    loaded = tables.load(session, table)
    version = str(loaded.operations().current().formatVersion())
    return {**fetched(session, loaded.properties()), FORMAT_VERSION: version}


def create(
    session: "SparkSession",
    table: str,
    schema: StructType,
    partition_by: Iterable[str],
    properties: Mapping[str, str],
    anew: bool = False,
) -> None:
    """Create an Iceberg table, by Spark's catalog, as `create table` does.

    Args:
        session: The session.
        table: Its name, quoted where it has to be.
        schema: Its columns, with their comments.
        partition_by: Transforms in Spark's words.
        properties: Its properties; `comment` and `location` among them.
        anew: Whether it is there, and is to be as if it were made now: its snapshots are on no
            branch any more but those of runs. Its other properties stay.
    """
    catalog, identifier = tables.located(session, table)
    written = {
        "provider": "iceberg",
        "owner": session.sparkContext.sparkUser(),
        **properties,
    }
    java_properties = java_classes(session).java.util.HashMap()
    for name, value in written.items():
        java_properties.put(name, value)
    transforms = _transforms(session, partition_by)
    arguments = (identifier, _java(session, schema), transforms, java_properties)
    if anew:
        catalog.stageReplace(*arguments).commitStagedChanges()
        tables.forget(session, table)
    else:
        catalog.createTable(*arguments)


def partitioning(session: "SparkSession", table: str) -> set[tuple[str, str]]:
    """What the table is partitioned by: columns, each with Iceberg's name of a transform."""
    loaded = tables.load(session, table)
    return _spec(session, loaded.spec(), loaded.schema())


def as_partitioning(
    session: "SparkSession", columns: StructType, partition_by: Iterable[str]
) -> set[tuple[str, str]]:
    """The same, of a table of these columns that is partitioned by transforms in Spark's words.

    Raises ValueError, in one line, if it cannot be.
    """
    spark = java_classes(session).org.apache.iceberg.spark
    schema = spark.SparkSchemaUtil.convert(_java(session, columns))
    try:
        spec = spark.Spark3Util.toPartitionSpec(schema, _transforms(session, partition_by))
    except Exception as error:  # Spark's parser and Iceberg have a class for each way to be wrong
        raise ValueError(explain(error).strip().splitlines()[0]) from error
    return _spec(session, spec, schema)


def columns_of_any_partitioning(session: "SparkSession", table: str) -> set[int]:
    """The ids of the columns that the table is, or ever was, partitioned by."""
    specs = tables.load(session, table).specs().values()
    return {part["source-id"] for spec in specs for part in _parts(session, spec)}


def _spec(session: "SparkSession", spec, schema) -> set[tuple[str, str]]:
    return {
        (schema.findColumnName(part["source-id"]), part["transform"])
        for part in _parts(session, spec)
    }


def _parts(session: "SparkSession", spec) -> list[dict]:
    written = json.loads(java_classes(session).org.apache.iceberg.PartitionSpecParser.toJson(spec))
    return [part for part in written["fields"] if part["transform"] != "void"]


def change(session: "SparkSession", table: str, wanted: Change) -> None:
    """Change the table, in one commit; not at all if nothing is wanted.

    Raises Iceberg's error for what it cannot do.
    """
    if not wanted:
        return
    iceberg = java_classes(session).org.apache.iceberg
    loaded = tables.load(session, table)
    transaction = loaded.newTransaction()
    update = transaction.updateSchema()
    for name in wanted.loosen:
        update = update.makeColumnOptional(name)
    for name in wanted.drop:
        update = update.deleteColumn(name)
    for old, new in wanted.rename.items():
        update = update.renameColumn(old, new)
    for name, comment in wanted.comments.items():
        update = update.updateColumnDoc(name, comment or None)
    converted = iceberg.spark.SparkSchemaUtil.convert(_java(session, wanted.add))
    for column in wanted.add.fields:
        found = converted.findField(column.name).type()
        told = column.metadata.get("comment") or None
        update = update.addColumn(None, column.name, found, told)
    update.commit()
    if wanted.partition_by is not None:
        _repartition(session, transaction, wanted.partition_by)
    if wanted.properties:
        update = transaction.updateProperties()
        for name, value in wanted.properties.items():
            update = update.remove(name) if value is None else update.set(name, value)
        update.commit()
    transaction.commitTransaction()


def put_fields(
    session: "SparkSession",
    table: str,
    written: list[dict],
    properties: Mapping[str, str | None] = {},
) -> None:
    """Let the table have exactly these columns, in one commit: by their ids, with their data.

    Args:
        session: The session.
        table: The table.
        written: The columns as Iceberg writes them down (`Field.written`).
        properties: Properties to set, or, where they are None, to take away.
    """
    iceberg = java_classes(session).org.apache.iceberg
    operations = tables.load(session, table).operations()
    base = operations.current()
    builder = iceberg.TableMetadata.buildFrom(base)
    if written != [own.written for own in _fields_of(session, base.schema())]:
        schema = iceberg.SchemaParser.fromJson(json.dumps({"type": "struct", "fields": written}))
        newest = max(base.lastColumnId(), schema.highestFieldId())
        builder = builder.setCurrentSchema(schema, newest)
    if gone := [name for name, value in properties.items() if value is None]:
        builder = builder.removeProperties(_java_set(session, gone))
    if kept := {name: value for name, value in properties.items() if value is not None}:
        java_properties = java_classes(session).java.util.HashMap()
        for name, value in kept.items():
            java_properties.put(name, value)
        builder = builder.setProperties(java_properties)
    operations.commit(base, builder.build())
    tables.load(session, table).refresh()


def _java_set(session: "SparkSession", names: Iterable[str]):
    found = java_classes(session).java.util.HashSet()
    for name in names:
        found.add(name)
    return found


def _repartition(session: "SparkSession", transaction, partition_by: list[str]) -> None:
    update = transaction.updateSpec()
    for part in transaction.table().spec().fields():
        if not part.transform().isVoid():
            update = update.removeField(part.name())
    spark = java_classes(session).org.apache.iceberg.spark.Spark3Util
    for transform in _transforms(session, partition_by):
        update = update.addField(spark.toIcebergTerm(transform))
    update.commit()


def _transforms(session: "SparkSession", partition_by: Iterable[str]):
    """A Java array of Spark's transforms. Raises pyspark's ParseException for what is none."""
    jvm = java_classes(session)
    found = []
    if listed := ", ".join(partition_by):
        parser = sql_parser(session)
        plan = parser.parsePlan(f"create table t (c int) partitioned by ({listed})")
        found = [plan.partitioning().apply(n) for n in range(plan.partitioning().size())]
    kind = jvm.org.apache.spark.sql.connector.expressions.Transform
    transforms = java_array(session, kind, len(found))
    for position, transform in enumerate(found):
        transforms[position] = transform
    return transforms


def _java(session: "SparkSession", schema: StructType):
    return java_session(session).parseDataType(schema.json())


def spark_field(name: str, data_type, nullable: bool, comment: str) -> StructField:
    """A column of a Spark schema."""
    return StructField(name, data_type, nullable, {"comment": comment} if comment else {})
