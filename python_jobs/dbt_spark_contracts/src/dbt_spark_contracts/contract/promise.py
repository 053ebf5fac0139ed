"""What a model, snapshot or seed promises: columns, checks, partitioning, properties."""

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

# Properties that Spark reserves. It sets them from other parts of a statement.
RESERVED = ("provider", "location", "owner", "external", "is_managed_location", "comment")


@dataclass(frozen=True)
class Column:
    """A promised column.

    Attributes:
        name: Its name.
        data_type: Its type, in Spark's spelling.
        nullable: Whether it may be null.
        comment: Its comment, or None to keep the table's.
        kept: Its type in the table. Iceberg has no smallint, for example.
    """

    name: str
    data_type: str
    nullable: bool
    comment: str | None
    kept: DataType

    @property
    def kept_type(self) -> str:
        """The type in the table, in Spark's spelling."""
        return self.kept.simpleString()


# The values of dbt's on_schema_change.
POLICIES = ("ignore", "fail", "append_new_columns", "sync_all_columns")


@dataclass
class Promise:
    """What a node promises about its table.

    Attributes:
        table: The table's name.
        node: The node's name.
        staged: The staged view. Empty if nothing is staged.
        columns: The columns, in the contract's order.
        enforced: Whether the columns come from an enforced contract, or else from the staged view.
        checks: The conditions that each row must satisfy.
        policy: How a table with other columns may change: see `schema_change_policy`.
        replaces: Whether this run replaces the table's whole content.
        full_refresh: Whether --full-refresh was given.
        way_to_refresh: How to ask for a full refresh, in words.
        keys: The columns that rows are merged on.
        is_merged_in_part: Whether a merge may write only some columns of a row.
        partition_by: Partition transforms, in Spark's syntax.
        properties: The table properties from the config.
        comment: The table's comment, or None to keep the existing one.
        location: The table's location, if the config has one.
        kept_as_found: Columns, in lower case, that keep the table's type. dbt's own columns of a
            snapshot keep their first type, and a merge casts to it.
        fields: The table's columns after it is prepared.
        require: The ids of the columns that become not null after the write.
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
    """Return what dbt's `model` promises about its table.

    Args:
        session: The session.
        model: dbt's node.
        table: Its table.
        staged: Its staged view. It may be empty if a contract is enforced.
        full_refresh: Whether the whole table is rebuilt.
        internal: Columns of the view that the table does not have, in lower case.

    Returns:
        The promise.

    Raises:
        CompilationError: For what cannot be kept. The message is one line.
    """
    config = model["config"]
    enforced = is_enforced(config)
    columns = _promised(session, model) if enforced else _found(session, model, staged)
    columns = [column for column in columns if column.name.lower() not in internal]
    if config["materialized"] == "snapshot":
        # A column without nulls today may have some later, and a snapshot's history is never
        # rebuilt.
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
    """Return how to rebuild a whole table: with dbt's flag, which a config can forbid."""
    is_forbidden = config.get("full_refresh") is False
    first = " (its config says `full_refresh: false`: take that out first)" if is_forbidden else ""
    return f"`--full-refresh`{first}"


def schema_change_policy(name: str, config: dict, full_refresh: bool) -> str:
    """Return how a table with other columns may change, as a value of dbt's on_schema_change.

    A contract means `fail`, unless the model says `append_new_columns`. Without a contract, a
    `table` and a --full-refresh replace the whole content, so the columns follow
    (`sync_all_columns`). For an incremental model the config means what it means in dbt. A snapshot
    keeps its columns.

    Args:
        name: The node's name, for the message.
        config: The node's config.
        full_refresh: Whether the whole table is rebuilt.

    Returns:
        The policy.

    Raises:
        CompilationError: For a value that dbt does not have. dbt itself treats it as `ignore`.
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
    """Return the columns of an enforced contract."""
    described = model["columns"]
    if without := [name for name, column in described.items() if not column.get("data_type")]:
        raise CompilationError(
            f"{model['name']}: the contract has no data_type for {', '.join(without)}."
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
        # A query returns a string for a varchar.
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
    """Check that no varchar is nested in another type, where its length would not be enforced.

    Raises:
        ValueError: If there is one.
    """
    for column in schema.fields:
        is_text = isinstance(column.dataType, CharType | VarcharType)
        if not is_text and re.search(r"\b(var)?char\(", column.dataType.simpleString()):
            raise ValueError(
                f"{column.name}: Iceberg cannot hold the type {column.dataType.simpleString()}; "
                "use string, and a check for the length"
            )


def _found(session: "SparkSession", model: dict, staged: str) -> list[Column]:
    """Return the columns of the staged view, with the model's descriptions."""
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
        # A column that is copied from another table keeps that table's comment.
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
    """Return a config value, one text or a list, as a list."""
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
            f"{model['name']}: tblproperties must not contain {', '.join(reserved)}, which Spark "
            "reserves: use location_root, persist_docs or file_format."
        )
    return wanted


def _location(model: dict) -> str | None:
    root = model["config"].get("location_root")
    return f"{root}/{model['alias']}" if root else None
