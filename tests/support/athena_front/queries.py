"""Runs Athena's SQL, as dbt-athena sends it, on Trino."""

import base64
import re
from dataclasses import dataclass, field

from tests.support.athena_front import hive
from tests.support.athena_front.errors import NotInTheFront, QueryFailed

# The statements that Athena and Trino share.
TRINOS = re.compile(
    r"(?i)(?:[\s(]|--.*\n)*(select|with|values|insert|merge|delete|update|create\s+(or\s+replace\s+)?view)\b"
)
# `create table … with (…) as …`. The properties contain parentheses only inside quotes.
CREATES = re.compile(
    r"(?is)(?P<create>\s*create\s+table\s+\S+\s+)"
    r"with\s*\((?P<properties>(?:[^()']|'[^']*')*)\)\s*as\s+(?P<query>.*)"
)
PROPERTY = re.compile(r"(?is)\s*(\w+)\s*=\s*('[^']*'|array\s*\[[^]]*\]|\w+)\s*(?:,|$)")

# Trino has the properties in KEPT too. Athena's other properties declare an Iceberg table.
KEPT = ("location", "format", "partitioning")
ICEBERG = {"table_type": "'iceberg'", "is_external": "false"}

TIMESTAMP = re.compile(r"timestamp\((\d+)\)")


@dataclass
class Result:
    """The result of a query: its type in Athena's terms and, for a select, columns and rows."""

    kind: str
    statement: str
    columns: list[dict] = field(default_factory=list)
    rows: list[list[str | None]] = field(default_factory=list)
    update_count: int | None = None


def execute(sql: str, database: str, trino, glue) -> Result:
    """Execute one statement.

    Args:
        sql: The statement.
        database: The default database.
        trino: A function that runs a statement in a database and returns the cursor.
        glue: Glue's client.

    Raises:
        QueryFailed: With the error's name and message.
    """
    # Remove the comment that dbt adds at the start or the end.
    sql = re.sub(r"(?m)^-- /\*.*\*/$", "", sql).strip().removesuffix(";")

    def run(statement: str):
        return trino(statement, database)

    if hive.STARTS.match(sql):
        return Result("DDL", hive.execute(sql, run, glue))
    if creates := CREATES.fullmatch(sql):
        _check_columns(run(f"select * from (\n{creates['query']}\n) limit 0"))
        made = run(f"{creates['create']} with ({_properties(creates)}) as {creates['query']}")
        return Result("DDL", "CREATE_TABLE_AS_SELECT", update_count=made.rowcount)
    if not TRINOS.match(sql):
        raise NotInTheFront(f"the statement: {sql}")
    done = run(sql)
    if done.update_type:
        count = None if done.rowcount < 0 else done.rowcount
        return Result("DML", done.update_type.replace(" ", "_"), update_count=count)
    kinds = [column.type_code for column in done.description]
    rows = [
        [
            None if value is None else _text(value, kind)
            for value, kind in zip(row, kinds, strict=True)
        ]
        for row in done.fetchall()
    ]
    return Result(
        "DML", "SELECT", [_info(one.name, one.type_code) for one in done.description], rows
    )


def _properties(creates: re.Match) -> str:
    """Return the properties of `create table` in Trino's dialect.

    Raises:
        NotInTheFront: If it is not an Iceberg table, or if a property is unknown.
    """
    given = {name.lower(): value for name, value in PROPERTY.findall(creates["properties"])}
    others = {name: value.lower() for name, value in given.items() if name not in KEPT}
    if others != ICEBERG or PROPERTY.sub("", creates["properties"]).strip():
        raise NotInTheFront(f"a table with {creates['properties'].strip()}")
    return ", ".join(f"{name} = {given[name]}" for name in KEPT if name in given)


def _check_columns(query) -> None:
    """Check the precision of timestamps, as Athena does.

    Trino has converted other precisions to six digits since version 425. Athena refuses them.

    Raises:
        QueryFailed: If a timestamp column has another precision than six digits.
    """
    for column in query.description:
        for digits in TIMESTAMP.findall(column.type_code):
            if digits != "6":
                raise QueryFailed(
                    "NOT_SUPPORTED",
                    f"Timestamp precision ({digits}) not supported for Iceberg. "
                    f'Use "timestamp(6)" instead. Column: {column.name}',
                )


def _info(column: str, kind: str) -> dict:
    """Return the description of a result's column, as in GetQueryResults.

    Raises:
        NotInTheFront: For a nested type.
    """
    name = re.sub(r"\(.*?\)", "", kind)
    if name in ("array", "map", "row"):
        raise NotInTheFront(f"how Athena writes a {kind} into a result ({column})")
    info = {"Name": column, "Label": column, "Type": name, "Nullable": "UNKNOWN"}
    if name == "decimal":
        precision, scale = re.findall(r"\d+", kind)
        info |= {"Precision": int(precision), "Scale": int(scale)}
    return info


def _text(value, kind: str) -> str:
    """Return a non-null value as a string, as in GetQueryResults."""
    if kind == "varbinary":
        return base64.b64decode(value).hex(" ")
    return str(value).lower() if isinstance(value, bool) else str(value)
