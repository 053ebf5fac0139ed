"""Executes Athena's SQL, as dbt-athena sends it, on the tables."""

import re
from dataclasses import dataclass, field

from sqlglot import exp

from tests.support.athena_double import hive, trino
from tests.support.athena_double.analysis import UNNAMED, Analysis, Columns, Scope
from tests.support.athena_double.errors import NotInTheDouble, QueryFailed
from tests.support.athena_double.tables import Tables, spark_name
from tests.support.athena_double.types import (
    as_text,
    check_iceberg_column,
    column_info,
    goes_for,
    spark_type,
    trino_type,
)

# Iceberg's partition transforms: as Athena spells them, and Spark.
TRANSFORMS = {
    r"(\w+)": r"`\1`",
    r"(year|month|day|hour)\((\w+)\)": r"\1s(`\2`)",
    r"(bucket|truncate)\((\w+), ?(\d+)\)": r"\1(\3, `\2`)",
}

# The temporary view of what a statement writes.
ROWS = "athena_rows"

# What Athena makes of an Iceberg table.
ICEBERG_PROPERTIES = {
    "format-version": "2",
    **{f"write.{what}.mode": "merge-on-read" for what in ("merge", "update", "delete")},
}


@dataclass
class Result:
    """What a query gives: its kind in Athena's words and, of a select, its columns and rows."""

    kind: str
    statement: str
    columns: list[dict] = field(default_factory=list)
    rows: list[list[str | None]] = field(default_factory=list)
    update_count: int | None = None


def execute(sql: str, database: str, tables: Tables) -> Result:
    """Execute one statement; `database` is where tables without one are looked for.

    Raises QueryFailed: Athena's name of the error, NOT_IN_THE_DOUBLE or SPARK.
    """
    # dbt's own, at the start or end; Hive's statements have none within.
    sql = re.sub(r"(?m)^-- /\*.*\*/$", "", sql).strip().removesuffix(";")
    with tables.strictly():
        if hive.STARTS.match(sql):
            return Result("DDL", hive.execute(sql, tables))
        return _Query(tables, database).execute(trino.read(sql))


class _Query:
    """One statement of Trino's."""

    def __init__(self, tables: Tables, database: str) -> None:
        self.tables = tables
        self.database = database
        self.analysis = Analysis(self._columns)

    def execute(self, statement: exp.Expression) -> Result:
        match statement:
            case exp.Create(args={"kind": "TABLE", "expression": exp.Query()}):
                return self._create(statement)
            case exp.Insert():
                return self._insert(statement)
            case exp.Merge():
                return self._merge(statement)
            case exp.Query():
                return self._select(statement)
        raise NotInTheDouble(f"the statement: {statement.sql('trino')}")

    def _select(self, query: exp.Expression) -> Result:
        columns = self.analysis.query(query)
        infos = [column_info(*column) for column in columns.items()]
        if _is_for_types_alone(query):
            return Result("DML", "SELECT", infos)
        kinds = list(columns.values())
        rows = [
            [
                None if value is None else as_text(value, kinds[place])
                for place, value in enumerate(row)
            ]
            for row in self._frame(query, columns).collect()
        ]
        return Result("DML", "SELECT", infos, rows)

    def _create(self, statement: exp.Create) -> Result:
        query = statement.expression
        columns = self.analysis.query(query)
        for column, kind in columns.items():
            if column.startswith(UNNAMED):
                raise QueryFailed("MISSING_COLUMN_NAME", f"Column name not specified: {column}")
            check_iceberg_column(column, kind)
        rows = self._rows(query, columns)
        location, transforms = self._properties(statement)
        table = self._place(statement.this)
        partitioned = f"partitioned by ({', '.join(transforms)})" if transforms else ""
        properties = ", ".join(f"'{key}' = '{value}'" for key, value in ICEBERG_PROPERTIES.items())
        self.tables.spark.sql(
            f"create table {spark_name(*table)} using iceberg {partitioned} location '{location}' "
            f"tblproperties ({properties}) as select * from {rows}"
        )
        return Result("DDL", "CREATE_TABLE_AS_SELECT", update_count=self._written(table))

    def _properties(self, statement: exp.Create) -> tuple[str, list[str]]:
        """The table's location, and its partition transforms as Spark spells them.

        Raises QueryFailed if it is no Iceberg table, in a folder of its own, or has properties that
        are not known here.
        """
        given = {}
        for one in statement.args["properties"].expressions:
            name = {exp.LocationProperty: "location", exp.FileFormatProperty: "format"}.get(
                type(one)
            )
            value = one.this if name else one.args["value"]
            given[name or one.name.lower()] = value
        location = given.pop("location").name
        partitioning = given.pop("partitioning", exp.Array()).expressions
        if {name: value.sql().strip("'").lower() for name, value in given.items()} != {
            "table_type": "iceberg",
            "is_external": "false",
            "format": "parquet",
        }:
            raise NotInTheDouble(f"a table with {statement.args['properties'].sql('trino')}")
        folder = self.tables.bucket.path(location)
        if folder.exists() and any(file.is_file() for file in folder.rglob("*")):
            raise QueryFailed("ICEBERG_FILESYSTEM_ERROR", f"{location} is not empty")
        return location, [_transform(one.name) for one in partitioning]

    def _insert(self, statement: exp.Insert) -> Result:
        is_listed = isinstance(statement.this, exp.Schema)
        table = statement.this.this if is_listed else statement.this
        there = self._columns(table)
        names = [one.name.lower() for one in statement.this.expressions] if is_listed else [*there]
        query = statement.expression
        columns = self.analysis.query(query)
        if len(names) != len(columns) or {*names} != {*there}:
            raise NotInTheDouble(f"an insert of {[*columns]} as {names} into {[*there]}")
        for name, kind in zip(names, columns.values(), strict=True):
            _check_goes_for(name, kind, there)
        rows = self._rows(query, columns)
        place = self._place(table)
        listed = ", ".join(f"`{name}`" for name in names)
        self.tables.spark.sql(f"insert into {spark_name(*place)} ({listed}) select * from {rows}")
        return Result("DML", "INSERT", update_count=self._written(place))

    def _merge(self, statement: exp.Merge) -> Result:
        scope = Scope()
        there = self._columns(statement.this)
        self.analysis.relation(statement.this, scope)
        self.analysis.relation(statement.args["using"], scope)
        self.analysis.condition(statement.args["on"], scope)
        for when in statement.args["whens"].expressions:
            if condition := when.args.get("condition"):
                self.analysis.condition(condition, scope)
            match when.args["then"]:
                case exp.Update(expressions=assignments):
                    pairs = [(one.this, one.expression) for one in assignments]
                case exp.Insert(this=exp.Tuple() as names, expression=exp.Tuple() as values):
                    pairs = list(zip(names.expressions, values.expressions, strict=True))
                case then:
                    raise NotInTheDouble(f"the branch of a merge: {then.sql('trino')}")
            for column, value in pairs:
                _check_goes_for(column.name.lower(), self.analysis.type(value, scope), there)
        self.tables.spark.sql(self._spark(statement))
        return Result("DML", "MERGE", update_count=self._written(self._place(statement.this)))

    def _frame(self, query: exp.Expression, columns: Columns):
        """Spark's DataFrame of an analyzed query. Raises NotInTheDouble if its types are others."""
        frame = self.tables.spark.sql(self._spark(query))
        for (column, kind), found in zip(columns.items(), frame.schema, strict=True):
            wanted = re.sub("[ `]", "", spark_type(kind))
            if found.dataType.simpleString().lower() != wanted:
                raise NotInTheDouble(
                    f"why Spark gives {found.dataType.simpleString()} for {kind}: {column}"
                )
        return frame

    def _rows(self, query: exp.Expression, columns: Columns) -> str:
        """A view of an analyzed query's rows: Spark takes long over one of this project's."""
        self._frame(query, columns).createOrReplaceTempView(ROWS)
        return ROWS

    def _spark(self, statement: exp.Expression) -> str:
        return trino.write(statement, self._spark_table)

    def _place(self, table: exp.Table) -> tuple[str, str]:
        """The table's schema and name. Raises QueryFailed for another catalog's."""
        if table.catalog.lower() not in ("", "awsdatacatalog"):
            raise QueryFailed("CATALOG_NOT_FOUND", f"Catalog '{table.catalog}' does not exist")
        return (table.db or self.database).lower(), table.name.lower()

    def _columns(self, table: exp.Table) -> Columns:
        """The columns of a table that Glue knows. Raises QueryFailed if it knows none so named."""
        place = self._place(table)
        entry = self.tables.entry(*place)
        if entry["Parameters"].get("table_type") == "ICEBERG":
            columns = self.tables.columns(*place)
            return {name.lower(): trino_type(kind) for name, kind in columns.items()}
        if hive.is_csv(entry):
            return {column["Name"]: "varchar" for column in entry["StorageDescriptor"]["Columns"]}
        raise NotInTheDouble(
            f"the table {'.'.join(place)}, which is neither Iceberg nor a seed's file"
        )

    def _spark_table(self, table: exp.Table) -> exp.Table:
        place = self._place(table)
        entry = self.tables.entry(*place)
        name = hive.read_csv(entry, self.tables) if hive.is_csv(entry) else spark_name(*place)
        named = exp.to_table(name, dialect="spark")
        named.set(
            "alias", table.args.get("alias") or exp.TableAlias(this=exp.to_identifier(place[1]))
        )
        return named

    def _written(self, place: tuple[str, str]) -> int:
        """How many rows the last write to a table has written."""
        return int(self.tables.last_summary(*place).get("added-records", 0))


def _is_for_types_alone(query: exp.Expression) -> bool:
    """Whether it ends in `limit 0`, as dbt asks for the types of a model's query.

    Spark need not look at it too: dbt sends the same query again, to make the table of it.
    """
    limit = query.args.get("limit")
    return limit is not None and limit.expression.sql() == "0"


def _transform(text: str) -> str:
    """A partition transform as Spark spells it. Raises NotInTheDouble for one not known here."""
    for pattern, spark in TRANSFORMS.items():
        if re.fullmatch(pattern, text):
            return re.sub(pattern, spark, text)
    raise NotInTheDouble(f"the partition transform {text}")


def _check_goes_for(column: str, kind: str, there: Columns) -> None:
    if column not in there:
        raise QueryFailed("COLUMN_NOT_FOUND", f"Column '{column}' is not in the table")
    if not goes_for(kind, there[column]):
        raise QueryFailed(
            "TYPE_MISMATCH", f"Column '{column}' is {there[column]}, and what is written is {kind}"
        )
