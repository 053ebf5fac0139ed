"""A table's columns, partitioning and properties, through the Java API of Spark and Iceberg.

Nothing here is an SQL statement, so no name, comment or property can break one.
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

# Iceberg's property for the format version of the table.
FORMAT_VERSION = "format-version"


@dataclass(frozen=True)
class Field:
    """A column of a table.

    Attributes:
        id: Iceberg's id, which is never reused.
        name: Its name.
        data_type: Its full type, in Spark's spelling.
        nullable: Whether it may be null.
        comment: Its comment. Empty if there is none.
        written: The column in Iceberg's JSON format.
    """

    id: int
    name: str
    data_type: str
    nullable: bool
    comment: str
    written: dict[str, Any] = field(compare=False)


@dataclass
class Change:
    """A change of a table, in one commit.

    Attributes:
        add: Columns to add as nullable ones, as a Spark schema.
        drop: Names of columns to drop.
        rename: New names by old ones.
        loosen: Names of columns to make nullable.
        comments: New comments by column name. An empty one removes the comment.
        properties: Properties to set. None removes a property.
        partition_by: New partition transforms, in Spark's syntax. None keeps the current ones.
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
    """Return a name quoted for SQL, whatever characters it has."""
    return f"`{name.replace('`', '``')}`"


def plain(name: str) -> str:
    """Return a table's name without quotes, to compare names that may be quoted or not."""
    return name.replace("`", "")


def parse_types(session: "SparkSession", types: Mapping[str, str]) -> StructType:
    """Return a schema of columns with these types, in Spark's syntax.

    Raises:
        ValueError: For the first type that Spark does not know. The message is one line.
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
    """Return the schema that an Iceberg table with these columns has. Iceberg has fewer types.

    Raises:
        ValueError: For the first column that Iceberg cannot store. The message is one line.
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
    """Return the table's columns, in order."""
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
    """Return the table's properties, and its format version."""
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
    """Create an Iceberg table through Spark's catalog, as `create table` does.

    Args:
        session: The session.
        table: Its name, quoted where needed.
        schema: Its columns, with their comments.
        partition_by: Partition transforms, in Spark's syntax.
        properties: Its properties, including `comment` and `location`.
        anew: Whether an existing table is reset, as if it were created now. Its snapshots then
            remain only on branches of runs. Its other properties stay.
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
    """Return the table's partitioning: columns, each with Iceberg's name of a transform."""
    loaded = tables.load(session, table)
    return _spec(session, loaded.spec(), loaded.schema())


def as_partitioning(
    session: "SparkSession", columns: StructType, partition_by: Iterable[str]
) -> set[tuple[str, str]]:
    """Return the partitioning of a table with these columns and transforms in Spark's syntax.

    Raises:
        ValueError: If it is invalid. The message is one line.
    """
    spark = java_classes(session).org.apache.iceberg.spark
    schema = spark.SparkSchemaUtil.convert(_java(session, columns))
    try:
        spec = spark.Spark3Util.toPartitionSpec(schema, _transforms(session, partition_by))
    except Exception as error:  # Spark's parser and Iceberg have many exception classes
        raise ValueError(explain(error).strip().splitlines()[0]) from error
    return _spec(session, spec, schema)


def columns_of_any_partitioning(session: "SparkSession", table: str) -> set[int]:
    """Return the ids of the columns that the table is, or ever was, partitioned by."""
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
    """Change the table in one commit. Does nothing without a change.

    Iceberg raises its own error for what it cannot do.
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
    """Set the table's columns in one commit. Columns keep their data by their ids.

    Args:
        session: The session.
        table: The table.
        written: The columns in Iceberg's JSON format (`Field.written`).
        properties: Properties to set. None removes a property.
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
    """Return a Java array of Spark's transforms.

    Raises:
        ParseException: For an invalid transform.
    """
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
    """Return a column of a Spark schema."""
    return StructField(name, data_type, nullable, {"comment": comment} if comment else {})
