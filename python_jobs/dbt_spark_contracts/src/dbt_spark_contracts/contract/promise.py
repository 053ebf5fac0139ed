"""What a model, snapshot or seed promises of its table: columns, checks, layout, properties."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from dbt.events.types import JinjaLogWarning
from dbt_common.events.functions import warn_or_error
from dbt_common.exceptions import CompilationError
from pyspark.sql.types import CharType, DataType, StringType, StructField, StructType, VarcharType

from dbt_spark_contracts import schemas
from dbt_spark_contracts.contract import constraints
from dbt_spark_contracts.contract.constraints import Check
from dbt_spark_contracts.nodes import is_enforced
from dbt_spark_contracts.schemas import Field

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Properties that Spark keeps for itself, and takes from other parts of a statement.
RESERVED = ("provider", "location", "owner", "external", "is_managed_location", "comment")


@dataclass(frozen=True)
class Column:
    """A column as it is promised.

    Attributes:
        name: Its name.
        data_type: Its type, as Spark spells it.
        nullable: Whether it may hold a null.
        comment: Its comment; None if the table's is left as it is.
        kept: Its type in a table: Iceberg has no smallint, for one.
    """

    name: str
    data_type: str
    nullable: bool
    comment: str | None
    kept: DataType

    @property
    def kept_type(self) -> str:
        """The type in a table, as Spark spells it."""
        return self.kept.simpleString()


# What dbt's on_schema_change can be.
POLICIES = ("ignore", "fail", "append_new_columns", "sync_all_columns")


@dataclass
class Promise:
    """What a node promises of its table.

    Attributes:
        table: The table's name.
        node: The node's name.
        staged: The staged view; empty if nothing is staged.
        columns: Its columns, in the contract's order.
        enforced: Whether a contract says so; else they are those of the staged view.
        checks: What holds for each row.
        policy: What may become of a table whose columns are others: see `schema_change_policy`.
        replaces: Whether the table's whole content is this run's.
        full_refresh: Whether it was asked for by --full-refresh.
        way_to_refresh: How to ask for it, in words.
        keys: The columns that rows are merged on.
        is_merged_in_part: Whether a merge may write some columns of a row only.
        partition_by: Transforms in Spark's words.
        properties: The table's properties, by its config.
        comment: The table's comment; None if it is left as it is.
        location: Where it is to lie, if its config says so.
        kept_as_found: Columns whose type is the table's, in lower case: dbt's own of a snapshot are
            of the type that they were made with, and a merge casts.
        fields: The table's columns once it has been prepared.
        require: The ids of those that hold no null once it is written.
    """

    table: str
    node: str
    staged: str
    columns: list[Column]
    enforced: bool
    checks: list[Check]
    policy: str
    replaces: bool
    full_refresh: bool
    way_to_refresh: str
    keys: list[str]
    is_merged_in_part: bool
    partition_by: list[str]
    properties: dict[str, str]
    comment: str | None
    location: str | None
    kept_as_found: set[str] = field(default_factory=set)
    fields: list[Field] = field(default_factory=list)
    require: list[int] = field(default_factory=list)

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)


def promise(
    session: "SparkSession",
    model: dict,
    table: str,
    staged: str,
    full_refresh: bool,
    internal: Collection[str] = (),
) -> Promise:
    """What dbt's `model` promises of its table.

    Args:
        session: The session.
        model: dbt's node.
        table: Its table.
        staged: Its staged view, which may be empty if a contract is enforced.
        full_refresh: Whether all of it is made anew.
        internal: Columns of the view that are not the table's, in lower case.

    Raises:
        CompilationError: In one line, for what cannot be kept.
    """
    config = model["config"]
    enforced = is_enforced(config)
    columns = _promised(session, model) if enforced else _found(session, model, staged)
    columns = [column for column in columns if column.name.lower() not in internal]
    if config["materialized"] == "snapshot":
        # What is never null today may be later, and nothing makes its history anew.
        columns = [replace(column, nullable=True) for column in columns]
        full_refresh = False
    documented = config.get("persist_docs") or {}
    return Promise(
        table=table,
        node=model["name"],
        staged=staged,
        columns=columns,
        enforced=enforced,
        checks=constraints.checks(model) if enforced else [],
        policy=schema_change_policy(model["name"], config, full_refresh),
        replaces=full_refresh or config["materialized"] in ("table", "seed"),
        full_refresh=full_refresh,
        way_to_refresh=way_to_refresh(config),
        keys=[schemas.plain(key).lower() for key in listed(config.get("unique_key"))],
        is_merged_in_part=bool(
            config.get("merge_update_columns") or config.get("merge_exclude_columns")
        ),
        partition_by=listed(config.get("partition_by")),
        properties=_properties(model),
        comment=(model.get("description") or "").strip() if documented.get("relation") else None,
        location=_location(model),
    )


def way_to_refresh(config: dict) -> str:
    """How all of a table is made anew: by dbt's flag, which a config can forbid."""
    is_forbidden = config.get("full_refresh") is False
    first = " (its config says `full_refresh: false`: take that out first)" if is_forbidden else ""
    return f"`--full-refresh`{first}"


def schema_change_policy(name: str, config: dict, full_refresh: bool) -> str:
    """What may become of a table whose columns are not the model's: one of dbt's on_schema_change.

    A contract is kept (fail), unless it says append_new_columns. Without one, the whole content is
    the model's own for a `table` and with --full-refresh, so the columns are too
    (sync_all_columns); to an incremental model it means what it means to dbt, and a snapshot's
    columns stay. Raises CompilationError, in one line, for a value that dbt does not have, which
    dbt itself takes for `ignore`.
    """
    asked = config.get("on_schema_change") or "ignore"
    if asked not in POLICIES:
        raise CompilationError(
            f"{name}: on_schema_change is {asked}, and can be {', '.join(POLICIES)}."
        )
    if is_enforced(config):
        return "append_new_columns" if asked == "append_new_columns" else "fail"
    if config["materialized"] == "snapshot":
        return "append_new_columns"
    return (
        asked
        if config["materialized"] == "incremental" and not full_refresh
        else "sync_all_columns"
    )


def _promised(session: "SparkSession", model: dict) -> list[Column]:
    """The columns of an enforced contract."""
    described = model["columns"]
    if without := [name for name, column in described.items() if not column.get("data_type")]:
        raise CompilationError(
            f"{model['name']}: the contract says no data_type of {', '.join(without)}."
        )
    types = {name: str(column["data_type"]).strip() for name, column in described.items()}
    if naked := [n for n, text in types.items() if text.lower() in ("numeric", "decimal", "dec")]:
        warn_or_error(
            JinjaLogWarning(
                msg="Detected columns with numeric type and unspecified precision/scale, this can "
                f"lead to unintended rounding: {naked}"
            )
        )
    try:
        written = schemas.parse_types(session, types)
        _require_no_nested_text(written)
        # As a query has them, to which a varchar is a string.
        asked = StructType([StructField(c.name, _as_queried(c.dataType)) for c in written.fields])
        kept = schemas.stored(session, asked)
    except ValueError as error:
        raise CompilationError(f"{model['name']}: {error}.") from error
    never_null = constraints.not_null(model)
    persists = (model["config"].get("persist_docs") or {}).get("columns")
    return [
        Column(
            name=column.name,
            data_type=column.dataType.simpleString(),
            nullable=column.name not in never_null,
            comment=_description(described[column.name]) if persists else None,
            kept=in_table.dataType,
        )
        for column, in_table in zip(asked.fields, kept.fields, strict=True)
    ]


def _as_queried(data_type: DataType) -> DataType:
    return StringType() if isinstance(data_type, CharType | VarcharType) else data_type


def _require_no_nested_text(schema: StructType) -> None:
    """Raises ValueError for a varchar inside another type, whose length nothing would hold."""
    for column in schema.fields:
        is_text = isinstance(column.dataType, CharType | VarcharType)
        if not is_text and re.search(r"\b(var)?char\(", column.dataType.simpleString()):
            raise ValueError(
                f"{column.name}: Iceberg cannot hold the type {column.dataType.simpleString()}; "
                "say string, and a check for the length"
            )


def _found(session: "SparkSession", model: dict, staged: str) -> list[Column]:
    """The columns of the staged view, with the descriptions that the model has of them."""
    schema = session.table(staged).schema
    try:
        kept = schemas.stored(session, schema)
    except ValueError as error:
        raise CompilationError(f"{model['name']}: {error}.") from error
    persists = (model["config"].get("persist_docs") or {}).get("columns")
    described = {name.lower(): column for name, column in model["columns"].items()}
    found = {column.name.lower() for column in schema.fields}
    if persists and (absent := [name for name in described if name not in found]):
        warn_or_error(
            JinjaLogWarning(
                msg=f"In {model['name']}: The following columns are specified in the schema but "
                f"are not present in the database: {', '.join(absent)}"
            )
        )
    columns = []
    for column, in_table in zip(schema.fields, kept.fields, strict=True):
        # One that it takes from another table has the comment that it has there.
        comment = column.metadata.get("comment") or None
        if persists and (own := described.get(column.name.lower())):
            comment = _description(own) or comment or ""
        columns.append(
            Column(
                name=column.name,
                data_type=column.dataType.simpleString(),
                nullable=column.nullable,
                comment=comment,
                kept=in_table.dataType,
            )
        )
    return columns


def _description(column: dict) -> str:
    return (column.get("description") or "").strip()


def listed(value: Any) -> list[str]:
    """What a config says as one text, or as a list; nothing, if it says nothing."""
    if not value:
        return []
    return [value] if isinstance(value, str) else [str(part) for part in value]


def _properties(model: dict) -> dict[str, str]:
    told = model["config"].get("tblproperties") or {}
    if not isinstance(told, Mapping):
        raise CompilationError(
            f"{model['name']}: tblproperties must be a mapping, `{{name: value}}`, and is {told!r}."
        )
    wanted = {
        str(name): str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in told.items()
    }
    if reserved := [name for name in wanted if name in RESERVED]:
        raise CompilationError(
            f"{model['name']}: tblproperties may not hold {', '.join(reserved)}, which Spark keeps "
            "for itself: say it by location_root, persist_docs or file_format."
        )
    return wanted


def _location(model: dict) -> str | None:
    root = model["config"].get("location_root")
    return f"{root}/{model['alias']}" if root else None
