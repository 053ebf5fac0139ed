"""The column lineage of one model, from its plan."""

from collections.abc import Iterable, Mapping
from typing import Any

from dbt_spark_contracts.errors import explain
from dbt_spark_contracts.lineage.project import EPHEMERAL
from dbt_spark_contracts.lineage.record import Column, Derivation, Model
from dbt_spark_contracts.lineage.relations import relations_of
from dbt_spark_contracts.plan.nodes import analyzed_plan
from dbt_spark_contracts.plan.origins import Column as PlanColumn
from dbt_spark_contracts.plan.origins import PlanReader
from dbt_spark_contracts.plan.values import (
    AGGREGATED,
    COMPUTED,
    CONDITION,
    COPY,
    DIRECT,
    WINDOW,
    Origin,
    Value,
    digest,
)

# If a value comes from one column in several ways, the first of these counts.
_STRONGEST = (COPY, AGGREGATED, COMPUTED, CONDITION, WINDOW)


def trace(
    frame: Any,
    model: dict,
    names: Mapping[str, str],
    volatile: Iterable[str] = (),
    files: Mapping[int, str] | None = None,
    collected: str = "",
    views: set[str] | None = None,
) -> Model:
    """Trace the columns of a staged model through its analyzed plan. No Spark job.

    Args:
        frame: Its DataFrame.
        model: dbt's model.
        names: The dbt nodes by their names in plans: `Project.names`.
        volatile: Texts that differ in each run.
        files: See PlanReader.
        collected: See PlanReader.
        views: Collects the names of the temporary views that it reads.

    Returns:
        Its columns and rows. An incremental model's own earlier rows are not listed as origins,
        because they have the same ones.
    """
    # Rows inside a query's plan can only be its literals. A program may have collected them.
    is_query = model.get("language") != "python"
    own = model["unique_id"]
    checksum = (model.get("checksum") or {}).get("checksum", "")  # a source has none
    try:
        reader = PlanReader(
            names, relations_of(frame), files or {}, is_query, collected, tuple(volatile), EPHEMERAL
        )
        table = reader.read(analyzed_plan(frame))
        if views is not None:
            views |= reader.views
        columns, rows = table.columns, table.rows
        found = [column.name for column in columns]
        if found != frame.columns:
            raise ValueError(f"it has the columns {', '.join(found)}")
    except Exception as error:
        # This must neither stop the build, nor let the columns count as clean.
        reason = f"a plan that cannot be read ({explain(error)})"
        unknown = Value(untraced=frozenset([reason]))
        columns, rows = [PlanColumn(name, unknown) for name in frame.columns], unknown
    made = {
        field.name: _column(field, column, own, checksum)
        for field, column in zip(frame.schema.fields, columns, strict=True)
    }
    chosen = Derivation(
        _origins("", rows.whole(), own), sorted(rows.untraced), _fingerprint(rows, checksum)
    )
    relation = next((n for n, node in names.items() if node == own), model["relation_name"])
    return Model(relation, checksum, made, chosen)


def _column(field, column: PlanColumn, own: str, checksum: str) -> Column:
    return Column(
        list(_parts(field.dataType, column.value, own, field.name)),
        sorted(column.value.whole().untraced),
        _fingerprint(column.value, checksum),
        field.dataType.simpleString(),
    )


def _fingerprint(value: Value, checksum: str) -> str:
    """Return a digest that changes with the way the value is made.

    For an untraced value it also changes with the model's file.
    """
    return digest(value.recipe, checksum if value.whole().untraced else "")


def _parts(data_type, value: Value, own: str, name: str, path: str = "") -> Iterable[Origin]:
    """Yield the origins of a column, or of each field of a struct."""
    while hasattr(data_type, "elementType"):  # an array has the origins of its elements
        data_type = data_type.elementType
    fields = getattr(data_type, "fields", None)
    if value.fields is None or fields is None or len(fields) != len(value.fields):
        yield from _origins(path, value.whole(), own, name)
        return
    yield from _origins(path, Value(value.origins), own, name)
    for field, part in zip(fields, value.fields, strict=True):
        yield from _parts(field.dataType, part, own, name, f"{path}.{field.name}".strip("."))


def _origins(path: str, value: Value, own: str, name: str = "") -> list[Origin]:
    found: dict[tuple, Origin] = {}
    for origin in value.origins:
        if origin.node == own and name.lower() in ("", origin.column.lower()):
            continue  # the same column of earlier rows, or what chose those rows
        # One kind counts per column. But rows may be both filtered and grouped by it.
        key = (origin.node, origin.column, *(() if origin.kind in _STRONGEST else (origin.kind,)))
        if key not in found or _strength(origin) < _strength(found[key]):
            found[key] = origin
    return [origin._replace(field=path) for origin in sorted(found.values())]


def _strength(origin: Origin) -> tuple[bool, int]:
    is_known = origin.kind in _STRONGEST
    is_indirect = is_known and origin.kind not in DIRECT
    rank = _STRONGEST.index(origin.kind) if is_known else len(_STRONGEST)
    return origin.masking or is_indirect, rank
