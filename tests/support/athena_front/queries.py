"""Athena's SQL, as dbt-athena sends it, run by Trino."""

import base64
import re
from dataclasses import dataclass, field

from tests.support.athena_front import hive
from tests.support.athena_front.errors import NotInTheFront, QueryFailed

# What Athena and Trino both read. Others are Athena's own, or dbt-athena does not send them.
TRINOS = re.compile(
    r"(?i)(?:[\s(]|--.*\n)*(select|with|values|insert|merge|delete|update|create\s+(or\s+replace\s+)?view)\b"
)
# `create table … with (…) as …`: its properties have no brackets but in quotes.
CREATES = re.compile(
    r"(?is)(?P<create>\s*create\s+table\s+\S+\s+)"
    r"with\s*\((?P<properties>(?:[^()']|'[^']*')*)\)\s*as\s+(?P<query>.*)"
)
PROPERTY = re.compile(r"(?is)\s*(\w+)\s*=\s*('[^']*'|array\s*\[[^]]*\]|\w+)\s*(?:,|$)")

# The properties that Trino has too. Athena's others say that it is an Iceberg table.
KEPT = ("location", "format", "partitioning")
ICEBERG = {"table_type": "'iceberg'", "is_external": "false"}

TIMESTAMP = re.compile(r"timestamp\((\d+)\)")


@dataclass
class Result:
    """What a query gives: its kind in Athena's words and, of a select, its columns and rows."""

    kind: str
    statement: str
    columns: list[dict] = field(default_factory=list)
    rows: list[list[str | None]] = field(default_factory=list)
    update_count: int | None = None


def execute(sql: str, database: str, trino, glue) -> Result:
    """Execute one statement.

    Args:
        sql: The statement.
        database: Where tables without one are looked for.
        trino: A function: a statement and a database give an executed cursor.
        glue: Glue's client.

    Raises:
        QueryFailed: With the error's name and message.
    """
    # dbt's own, at the start or end; Hive's statements have none within.
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
    """The properties of `create table` in Trino's words.

    Raises:
        NotInTheFront: If it is not an Iceberg table, or has properties that are not known here.
    """
    given = {name.lower(): value for name, value in PROPERTY.findall(creates["properties"])}
    others = {name: value.lower() for name, value in given.items() if name not in KEPT}
    if others != ICEBERG or PROPERTY.sub("", creates["properties"]).strip():
        raise NotInTheFront(f"a table with {creates['properties'].strip()}")
    return ", ".join(f"{name} = {given[name]}" for name in KEPT if name in given)


def _check_columns(query) -> None:
    """Athena refuses a precision that Trino, since version 425, makes to be six digits.

    Raises:
        QueryFailed: If a column has such a type.
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
    """A result's column, as GetQueryResults tells it.

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
    """A value, not null, as the text that GetQueryResults has."""
    if kind == "varbinary":
        return base64.b64decode(value).hex(" ")
    return str(value).lower() if isinstance(value, bool) else str(value)
