"""Statements that Athena parses as Hive's dialect. They are translated for Trino or for Glue."""

import re

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError

from tests.support.athena_front.errors import NotInTheFront, QueryFailed

STARTS = re.compile(r"(?i)\s*(create\s+(external|schema|database)\b|alter\s+table\b|drop\b|msck\b)")

# The SerDe of the table that dbt-athena uploads a seed to.
CSV_SERDE = "org.apache.hadoop.hive.serde2.OpenCSVSerde"


def execute(sql: str, trino, glue) -> str:
    """Execute a statement.

    Args:
        sql: The statement.
        trino: A function that runs a statement in Trino's dialect.
        glue: Glue's client.

    Returns:
        The statement's type.

    Raises:
        QueryFailed: If Trino refuses it, or if the front does not know it.
    """
    try:
        statement = sqlglot.parse_one(sql, dialect="hive")
    except ParseError as error:
        raise QueryFailed("SYNTAX_ERROR", str(error)) from error
    match statement:
        case exp.Create() if statement.find(exp.ExternalProperty):
            _create_external(statement, glue)
        case (
            exp.Create(args={"kind": "SCHEMA"})
            | exp.Drop(args={"kind": "SCHEMA" | "TABLE" | "VIEW"})
            | exp.Alter(args={"kind": "TABLE", "actions": [exp.AlterRename()]})
        ):
            trino(_quoted(statement))
        case exp.Alter(args={"kind": "TABLE", "actions": [exp.Schema() as added]}):
            # Hive adds several columns at once, Trino one at a time.
            for column in added.expressions:
                one = statement.copy()
                one.set("actions", [column])
                trino(_quoted(one))
        case _:
            raise NotInTheFront(f"the statement: {sql.strip()}")
    return type(statement).__name__.upper()


def _quoted(statement: exp.Expression) -> str:
    """Return a statement in Trino's dialect with quoted identifiers."""
    return statement.sql("trino", identify=True)


def _create_external(statement: exp.Create, glue) -> None:
    """Create Glue's entry for CSV files with string columns. Trino's Hive connector reads it."""
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
        raise NotInTheFront(f"the external table: {statement.sql('hive')}")
    table = statement.this.this
    glue.create_table(
        DatabaseName=table.db,
        TableInput={
            "Name": table.name,
            "TableType": "EXTERNAL_TABLE",
            "Parameters": {"EXTERNAL": "TRUE", **parameters},
            "PartitionKeys": [],
            "StorageDescriptor": {
                "Columns": columns,
                "Location": properties[exp.LocationProperty].name,
                "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
                "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
                "SerdeInfo": {"SerializationLibrary": CSV_SERDE},
            },
        },
    )
