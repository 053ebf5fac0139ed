"""What may not leave its layer, by the marks in the columns' meta: docs/contracts.md

`silver_only: true`: no model of another schema may hold a plain copy of the column, under whatever
name. `pii: true`: nor anything made of it, unless the model's meta allows it, with a reason.
A copy within the schema carries the mark on, so that it cannot be lost on the way.
"""

from collections.abc import Iterable

from dbt_spark_contracts.lineage.artifact import short_name
from dbt_spark_contracts.lineage.values import DIRECT

SILVER_ONLY, PII = "silver_only", "pii"
SNAPSHOT = "snapshot"
# In a model's meta: which of its columns may be made of personal data, and why.
ALLOWED = "pii_allowed"


def leaks(model: dict, entry: dict, nodes: dict[str, dict]) -> list[str]:
    """What the model hands on of marked columns and may not, a line each; and what an allowance
    lacks. In: the model and all nodes, as dbt's graph has them; the model's column lineage."""
    found = [
        line
        for column, lineage in entry["columns"].items()
        for origin in lineage["origins"]
        if (line := _leak(model, column, origin, nodes))
    ]
    return list(dict.fromkeys([*_wrong_allowances(model), *found]))


def inherited(model: dict, entry: dict, nodes: dict[str, dict]) -> dict[str, list[str]]:
    """The marks that the columns of a snapshot take over from those that they come from.

    A snapshot holds what it is given, and its yml often names no column. Of what is made of a
    column, as the key's hash is, pii alone goes on. Out: of each column, also of those without.
    """
    found: dict[str, list[str]] = {}
    if model["resource_type"] != SNAPSHOT:
        return found
    for column, lineage in entry["columns"].items():
        marks: set[str] = set()
        for origin in lineage["origins"]:
            if origin["kind"] in DIRECT and origin["node"] in nodes:
                of_parent = _marks(nodes[origin["node"]], origin["column"])
                marks |= of_parent if origin["kind"] == DIRECT[0] else of_parent & {PII}
        found[column] = sorted(marks - ({PII} if column in _allowances(model) else set()))
    return found


def with_inherited(
    snapshot: dict, kept: "dict[str, list[str]] | None", nodes: dict[str, dict]
) -> dict:
    """The snapshot with the marks that its columns have taken over, besides those of its yml.

    In: what `inherited` found when it was written; None, for one that the guard did not write: then
    a column has the marks of those of its name that the snapshot reads.
    """
    if kept is None:
        kept = {}
        for parent in snapshot["depends_on"]["nodes"]:
            for column in nodes[parent]["columns"].values() if parent in nodes else ():
                kept[column["name"]] = sorted(_marks(nodes[parent], column["name"]))
    columns = {column["name"].lower(): column for column in snapshot["columns"].values()}
    for name, marks in kept.items():
        column = columns.get(name.lower(), {"name": name, "meta": {}})
        meta = column["meta"] | dict.fromkeys(marks, True)
        columns[name.lower()] = {**column, "meta": meta}
    return {**snapshot, "columns": columns}


def untraced(model: dict, entry: dict, nodes: dict[str, dict]) -> list[str]:
    """The columns that may hide a marked one, a line each: they cannot be traced, and a model that
    this one refers to has marked columns."""
    parents = sorted(
        nodes[parent]["name"]
        for parent in model["depends_on"]["nodes"]
        if parent in nodes and any(_marks(nodes[parent], name) for name in nodes[parent]["columns"])
    )
    return [
        f"{model['name']}.{column} cannot be traced, because of {', '.join(lineage['untraced'])}: "
        f"it may hold a marked column of {', '.join(parents)}"
        for column, lineage in entry["columns"].items()
        if parents and lineage["untraced"]
    ]


def _leak(model: dict, column: str, origin: dict, nodes: dict[str, dict]) -> str:
    parent = nodes.get(origin["node"])
    marks = _marks(parent, origin["column"]) if parent else set()
    is_copy = origin["kind"] == DIRECT[0]
    if not marks or origin["kind"] not in DIRECT:
        return ""
    is_allowed = PII not in marks or column in _allowances(model)
    if not (is_copy and SILVER_ONLY in marks) and is_allowed:
        return ""
    path = f"{model['name']}.{column}" + (f".{origin['field']}" if "field" in origin else "")
    whole = f"{short_name(origin['node'])}.{origin['column']}"
    if is_copy:
        name = path.rpartition(".")[2].lower()
        renamed = "" if name == origin["column"].lower() else " under another name"
        line = f"{path} is {whole}{renamed}"
    else:
        line = f"{path} is made of {whole}, which is personal ({PII})"
    if parent is None or _schema(model) != _schema(parent):
        return line
    if model["resource_type"] == SNAPSHOT:
        return ""  # takes the marks over
    lacking = sorted((marks if is_copy else {PII}) - _marks(model, column))
    return f"{line}, and is not marked {' and '.join(lacking)}" if lacking else ""


def _marks(node: dict, column: str) -> set[str]:
    """The marks of a node's column."""
    columns: Iterable[dict] = node["columns"].values()
    meta: dict = next((c["meta"] for c in columns if c["name"].lower() == column.lower()), {})
    return {mark for mark in (SILVER_ONLY, PII) if meta.get(mark)}


def _schema(node: dict) -> tuple:
    return node.get("database"), node["schema"]


def _allowances(model: dict) -> dict:
    return model["config"]["meta"].get(ALLOWED) or {}


def _wrong_allowances(model: dict) -> Iterable[str]:
    allowances = _allowances(model)
    if not isinstance(allowances, dict):
        yield f"{model['name']}: meta {ALLOWED} has to be a column and a reason, a line each"
        return
    for column, reason in allowances.items():
        if not isinstance(reason, str) or not reason.strip():
            yield f"{model['name']}: meta {ALLOWED} of {column} gives no reason"
