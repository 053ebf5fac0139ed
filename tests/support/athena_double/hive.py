"""The statements that Athena reads as Hive's: schemas, external tables, what alters a table."""

import csv
import io
import re

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError

from tests.support.athena_double.errors import NotInTheDouble, QueryFailed
from tests.support.athena_double.tables import Tables

STARTS = re.compile(r"(?i)\s*(create\s+(external|schema|database)\b|alter\b|drop\b)")

# What dbt-athena uploads a seed as.
CSV_SERDE = "org.apache.hadoop.hive.serde2.OpenCSVSerde"


def execute(sql: str, tables: Tables) -> str:
    """Execute the statement. Return its kind. Raises QueryFailed, also for an unknown one."""
    try:
        statement = sqlglot.parse_one(sql, dialect="hive")
    except ParseError as error:
        raise QueryFailed("SYNTAX_ERROR", str(error)) from error
    match statement:
        case exp.Create(args={"kind": "SCHEMA", "exists": True}):
            tables.create_schema(statement.this.db)
        case exp.Create() if statement.find(exp.ExternalProperty):
            _create_external(statement, tables)
        case exp.Alter(args={"kind": "TABLE", "actions": [exp.AlterRename() as rename]}):
            tables.rename(*(_place(table) for table in (statement.this, rename.this)))
        case _:
            raise NotInTheDouble(f"the statement: {sql.strip()}")
    return type(statement).__name__.upper()


def _place(table: exp.Table) -> tuple[str, str]:
    return table.db.lower(), table.name.lower()


def _create_external(statement: exp.Create, tables: Tables) -> None:
    """Of CSV files, all texts: Glue's entry is all there is to it."""
    columns = [
        {"Name": column.name.lower(), "Type": column.kind.sql("hive").lower()}
        for column in statement.this.expressions
    ]
    properties = {type(one): one for one in statement.args["properties"].expressions}
    rest = properties.keys() - {exp.ExternalProperty, exp.LocationProperty, exp.Property}
    parameters = {
        one.name: one.args["value"].name
        for one in statement.args["properties"].expressions
        if type(one) is exp.Property
    }
    if (
        rest != {exp.RowFormatSerdeProperty}
        or properties[exp.RowFormatSerdeProperty].name != CSV_SERDE
        or parameters.keys() - {"skip.header.line.count"}
        or {one["Type"] for one in columns} != {"string"}
    ):
        raise NotInTheDouble(f"the external table: {statement.sql('hive')}")
    table = statement.this.this
    tables.glue.create_table(
        DatabaseName=table.db,
        TableInput={
            "Name": table.name,
            "TableType": "EXTERNAL_TABLE",
            "Parameters": {"EXTERNAL": "TRUE", **parameters},
            "PartitionKeys": [],
            "StorageDescriptor": {
                "Columns": columns,
                "Location": properties[exp.LocationProperty].name,
                "SerdeInfo": {"SerializationLibrary": CSV_SERDE},
            },
        },
    )


def is_csv(entry: dict) -> bool:
    """Is it Glue's entry of a table that `_create_external` made?"""
    serde = entry["StorageDescriptor"].get("SerdeInfo", {})
    return serde.get("SerializationLibrary") == CSV_SERDE


def read_csv(entry: dict, tables: Tables) -> str:
    """Create a temporary view of an external table's files. Return its name."""
    storage = entry["StorageDescriptor"]
    names = [column["Name"] for column in storage["Columns"]]
    rows = []
    for file in sorted(tables.bucket.path(storage["Location"]).rglob("*")):
        text = file.read_text(encoding="utf-8")
        lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
        rows += lines[int(entry["Parameters"].get("skip.header.line.count", 0)) :]
    for row in rows:
        if len(row) != len(names) or re.search(r"[\\\n]", "".join(row)):
            raise NotInTheDouble(f"how Athena's CSV reader takes the row {row}")
    view = f"csv_{entry['DatabaseName']}_{entry['Name']}"
    schema = ", ".join(f"`{name}` string" for name in names)
    tables.spark.createDataFrame(rows, schema).createOrReplaceTempView(view)
    return view
