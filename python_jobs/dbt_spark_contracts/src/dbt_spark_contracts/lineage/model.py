"""The column lineage of one model, as column_lineage.json has it."""

from collections.abc import Iterable

from dbt_spark_contracts.errors import explain
from dbt_spark_contracts.lineage.plans import EPHEMERAL, Column, PlanReader, Table
from dbt_spark_contracts.lineage.values import (
    AGGREGATED,
    COMPUTED,
    CONDITION,
    COPY,
    WINDOW,
    Origin,
    Value,
    digest,
)
from dbt_spark_contracts.spark_plan import analyzed_plan

# Of several ways in which a value comes from one column, the first that is there counts.
_STRONGEST = (COPY, AGGREGATED, COMPUTED, CONDITION, WINDOW)


def trace(frame, model: dict, nodes: dict[str, str], volatile: Iterable[str] = ()) -> dict:
    """Where the columns of a staged model come from, read off its analyzed plan; no Spark job.

    In: its DataFrame; the model as dbt describes it; PlanReader's nodes; texts that differ in each
    run. Out: an entry of column_lineage.json. Of its own earlier rows, which came the same way,
    an incremental model's columns say nothing.
    """
    table = _read(frame, model["language"], nodes, tuple(volatile))
    own = model["unique_id"]
    names = (name for name, node in nodes.items() if node == own)
    checksum = model["checksum"]["checksum"]
    return {
        "relation_name": next(names, model["relation_name"]),
        "checksum": checksum,
        "columns": {
            field.name: _column(field, column, own, checksum)
            for field, column in zip(frame.schema.fields, table.columns, strict=True)
        },
        "rows": {
            "origins": _origins("", table.rows.whole(), own),
            "untraced": sorted(table.rows.untraced),
            "fingerprint": _fingerprint(table.rows, checksum),
        },
    }


def _read(frame, language: str, nodes: dict[str, str], volatile: tuple[str, ...]) -> Table:
    """The frame's columns and rows. A plan that cannot be read is no reason to stop a build, nor to
    take its columns for clean: they are untraced."""
    # A query's rows that stand in the plan can be its literals only; a program's may be collected.
    reader = PlanReader(nodes, has_literal_rows=language == "sql", volatile=volatile)
    try:
        table = reader.read(analyzed_plan(frame))
        names = [column.name for column in table.columns]
        if names != frame.columns:
            raise ValueError(f"it has the columns {', '.join(names)}")
        return table
    except Exception as error:
        reason = f"a plan that cannot be read ({explain(error)})"
        unknown = Value(untraced=frozenset([reason]))
        return Table(tuple(Column(0, name, unknown) for name in frame.columns), unknown)


def table_names(nodes: Iterable[dict], catalog: str) -> dict[str, str]:
    """The dbt nodes by the name that they have in Spark's plans, in lower case.

    In: dbt's nodes and sources; the catalog of those whose name says none. A table has its full
    name, an ephemeral model dbt's name for it, a source of files its own.
    """
    names = {}
    for node in nodes:
        if (node.get("external") or {}).get("location"):
            names[node["unique_id"].lower()] = node["unique_id"]
        elif node["config"].get("materialized") == "ephemeral":
            names[f"{EPHEMERAL}{node['alias']}".lower()] = node["unique_id"]
        elif node.get("relation_name"):
            name = node["relation_name"].replace("`", "").lower()
            names[name if name.count(".") > 1 else f"{catalog}.{name}"] = node["unique_id"]
    return names


def _column(field, column: Column, own: str, checksum: str) -> dict:
    return {
        "data_type": field.dataType.simpleString(),
        "origins": list(_parts(field.dataType, column.value, own)),
        "untraced": sorted(column.value.whole().untraced),
        "fingerprint": _fingerprint(column.value, checksum),
    }


def _fingerprint(value: Value, checksum: str) -> str:
    """Changes when the value is made in another way; what cannot be seen into, with its file."""
    return digest(value.recipe, checksum if value.whole().untraced else "")


def _parts(data_type, value: Value, own: str, path: str = "") -> Iterable[dict]:
    """The origins of a column or, field by field, of a struct."""
    while hasattr(data_type, "elementType"):  # an array is what its elements are
        data_type = data_type.elementType
    fields = getattr(data_type, "fields", None)
    if value.fields is None or fields is None or len(fields) != len(value.fields):
        yield from _origins(path, value.whole(), own)
        return
    yield from _origins(path, Value(value.origins), own)
    for field, part in zip(fields, value.fields, strict=True):
        yield from _parts(field.dataType, part, own, f"{path}.{field.name}".strip("."))


def _origins(path: str, value: Value, own: str) -> list[dict]:
    found: dict[tuple, Origin] = {}
    for origin in value.origins:
        if origin.node == own:
            continue
        # Of a column's values, one way in counts; rows may be both filtered and grouped by it.
        key = (origin.node, origin.column, *(() if origin.kind in _STRONGEST else (origin.kind,)))
        if key not in found or _strength(origin) < _strength(found[key]):
            found[key] = origin
    inside = {"field": path} if path else {}
    return [origin._asdict() | inside for origin in sorted(found.values())]


def _strength(origin: Origin) -> int:
    return _STRONGEST.index(origin.kind) if origin.kind in _STRONGEST else len(_STRONGEST)
