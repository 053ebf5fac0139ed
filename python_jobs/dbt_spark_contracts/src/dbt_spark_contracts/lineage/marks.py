"""Checks column lineage against the marks in the columns' meta. See docs/contracts.md.

- `stays_in: …`: a model elsewhere may only hold what does not reveal the value: a hash, a count, a
  test. `silver_only: true` means `stays_in: schema`.
- `pii: true`: a model elsewhere may hold nothing of the column, unless its meta allows it and gives
  the reason.

Inside the allowed place, a column that is computed from a marked column must have the mark too, so
that the mark cannot be lost on the way.

An unknown is a no: in a project with marks, a column that cannot be traced may be marked.
"""

from collections.abc import Iterator, Mapping

from dbt_spark_contracts.lineage.artifact import short_name
from dbt_spark_contracts.lineage.memory import Made, Memory, Part
from dbt_spark_contracts.lineage.places import (
    SILVER_ONLY,
    STAYS_IN,
    Place,
    Places,
    place_of,
    schema,
    told,
    with_fields,
)
from dbt_spark_contracts.lineage.project import (
    MARKS,
    PII,
    made_of_others,
    marked,
    marks_of,
    meta_of_marks,
    with_marks,
)
from dbt_spark_contracts.lineage.record import Column, Model
from dbt_spark_contracts.nodes import is_enforced, why_unguarded
from dbt_spark_contracts.plan.tree import names
from dbt_spark_contracts.plan.values import COPY, DIRECT, Origin

SNAPSHOT = "snapshot"
# In a model's meta: the columns that may be computed from personal data, and the columns that need
# not be traced, each with the reason.
PII_ALLOWED, UNTRACED_ALLOWED = ALLOWANCES = ("pii_allowed", "untraced_allowed")

# Metadata columns of Iceberg that describe a row and contain no value of its columns.
FACTS_OF_A_ROW = names("""
    _spec_id _pos _deleted _row_id _last_updated_sequence_number
    _change_type _change_ordinal _commit_snapshot_id
""")

WAY_OUT = (
    "Remove them. A hash, a count or a test (is null, =) of a column marked stays_in or "
    "silver_only is allowed. Nothing of a column marked pii is allowed, unless "
    f"{PII_ALLOWED} in the model's meta gives the reason."
)
WAY_OUT_OF_UNTRACED = (
    "Compute them from refs and sources in a way that Spark's plan shows, or give a reason in the "
    f"model's yml: `config: {{meta: {{{UNTRACED_ALLOWED}: {{%s: the reason}}}}}}`."
)

Nodes = Mapping[str, dict]
Memories = Mapping[str, Memory | None]


def leaks(model: dict, entry: Model, nodes: Nodes) -> list[tuple[str, str]]:
    """Return the leaks of marked columns in a model, and the errors in its allowances.

    Args:
        model: The model, as dbt describes it.
        entry: Its column lineage.
        nodes: All nodes, as dbt's graph has them.

    Returns:
        Pairs of the column (or "" for an allowance) and one line about it.
    """
    wrong = (("", line) for line in _wrong_allowances(model, entry))
    return [*wrong, *leaks_of_columns(model, entry, nodes)]


def leaks_of_columns(model: dict, entry: Model, nodes: Nodes) -> list[tuple[str, str]]:
    """Return the leaks of a model's columns, without checking its allowances: see `leaks`."""
    found = [
        (column, line)
        for column, lineage in entry.columns.items()
        for origin in lineage.origins
        if (line := _leak(model, column, origin, nodes))
    ]
    return list(dict.fromkeys(found))


def untraced(model: dict, entry: Model, nodes: Nodes) -> dict[str, str]:
    """Return the columns that cannot be traced, with one line each.

    Columns that the model's meta allows are left out. So are columns that are marked as personal
    and stay in their place.
    """
    return {
        column: f"{model['name']}.{column} cannot be traced, because of {', '.join(reasons)}"
        for column, lineage in entry.columns.items()
        if (reasons := _unknown(model, lineage, nodes))
        and not _is_allowed(model, UNTRACED_ALLOWED, column)
        and not (PII in marks_of(model, column) and _stays_in_place(model, nodes, column))
    }


def hand_on(entry: Model, own: str, memories: Memories, nodes: Nodes) -> None:
    """Mark a column as untraced in the entry if it comes from a column of unknown origin.

    Args:
        entry: A model's column lineage. It is changed.
        own: The model's unique id. Its own earlier rows were built the same way, so they are
            ignored.
        memories: The stored origins of the tables that it reads, by node. None for a table that has
            stored nothing.
        nodes: All nodes, as dbt's graph has them.
    """
    for lineage in entry.columns.values():
        for origin in lineage.origins:
            if origin.kind in DIRECT and origin.node in memories and origin.node != own:
                node = nodes[origin.node]
                told = _not_remembered(node, origin.column, memories[origin.node], nodes)
                if told:
                    text = f"{short_name(origin.node)}.{origin.column}, {told}"
                    lineage.untraced = sorted({*lineage.untraced, text})


def _not_remembered(node: dict, column: str, memory: Memory | None, nodes: Nodes) -> str:
    """Return why the origins of a table's column are not known. Empty if they are known."""
    if column in FACTS_OF_A_ROW or _is_allowed(node, UNTRACED_ALLOWED, column):
        return ""
    if PII in marks_of(node, column):
        return ""  # it is already treated as personal data
    made = (memory or {}).get(column.lower())
    if made is None and (why := why_unguarded(node["config"])):
        told = "whose origins its table does not store, because dbt-spark writes it"
        return f"{told} ({why})"
    if made is None:
        build = f"`dbt build -s {node['name']}`"
        return f"whose origins its table does not store: run {build} to store them"
    if made.untraced:
        return "which cannot be traced"
    gone = sorted({short_name(part.node) for part in made.parts if part.node not in nodes})
    return f"which was made of {gone[0]}, a table that dbt does not know" if gone else ""


def made_of(entry: Model, memories: Memories, nodes: Nodes) -> Memory:
    """Return the origins that a table should store about its columns.

    Args:
        entry: Its model's column lineage.
        memories: See `hand_on`.
        nodes: All nodes, as dbt's graph has them.
    """
    return {
        name.lower(): Made(
            frozenset(_parts(lineage.origins, memories, nodes)), frozenset(lineage.untraced)
        )
        for name, lineage in entry.columns.items()
    }


def _parts(origins: list[Origin], memories: Memories, nodes: Nodes) -> Iterator[Part]:
    for origin in origins:
        if origin.kind not in DIRECT:
            continue
        node, column, is_masked = origin.node, origin.column, origin.masking
        yield Part(node, column, is_masked)
        made = (memories.get(node) or {}).get(column.lower())
        for part in made.parts if made else ():
            if part.node not in nodes and _is_allowed(nodes[node], UNTRACED_ALLOWED, column):
                continue
            yield part._replace(
                is_masked=part.is_masked or is_masked,
                is_allowed=part.is_allowed or _is_allowed(nodes[node], PII_ALLOWED, column),
            )


def with_memory(node: dict, memory: Memory, nodes: Nodes) -> dict:
    """Return the node, with today's marks of the stored origins added to its columns.

    If everything was built from the project as it is now, the columns have these marks already.
    `made_of` in a column's meta names the origins.
    """
    found: dict[str, set[str]] = {}
    of: dict[str, set[str]] = {}
    places: dict[str, Place] = {}
    for name, made in memory.items():
        known, place = marks_of(node, name), place_of(node, name)
        for part in made.parts:
            marks = marks_of(nodes[part.node], part.column) if part.node in nodes else set()
            marks -= {STAYS_IN} if part.is_masked else set()
            allowed = part.is_allowed or _is_allowed(node, PII_ALLOWED, name)
            marks -= {PII} if allowed else set()
            if not marks:
                continue
            narrow = place_of(nodes[part.node], part.column) or Place()
            if marks - known or place is None or not place <= narrow:
                found.setdefault(name, set()).update(marks)
                of.setdefault(name, set()).add(f"{short_name(part.node)}.{part.column}")
                places[name] = narrow & places.get(name, narrow)
    return with_marks(node, found, places, of) if found else node


def must_be_traced(model: dict, nodes: Nodes) -> bool:
    """Return whether an untraced column is an error in this model, and not only a warning."""
    if model["resource_type"] == SNAPSHOT:
        return not _stays_in_place(model, nodes)  # otherwise it inherits all marks
    if model["resource_type"] == "test":
        return True  # its rows are stored in another schema
    return is_enforced(model["config"])


def reads_marked(model: dict, nodes: Nodes) -> list[str]:
    """Return the names of the model's parents that have marked columns."""
    parents = (nodes[parent] for parent in model["depends_on"]["nodes"] if parent in nodes)
    return sorted(
        node["name"]
        for node in parents
        if any(marks_of(node, column["name"]) for column in node["columns"].values())
    )


def told_by(model: dict, entry: Model, nodes: Nodes) -> list[str]:
    """Return the marked or unknown columns that the rows of a DataFrame reveal, one text each.

    The model's own earlier rows are ignored. So are columns that the model may hold, because an
    incremental model queries its parent for times to filter by.
    """
    found = []
    for column, lineage in entry.columns.items():
        found += [f"{column} ({reason})" for reason in _unknown(model, lineage, nodes)]
        for origin in lineage.origins:
            marks = _passing(origin, nodes)
            if marks and _is_in_place(model, nodes[origin.node], origin.column):
                marks -= {STAYS_IN}
            if origin.node != model["unique_id"] and marks:
                found.append(f"{short_name(origin.node)}.{origin.column}")
    return list(dict.fromkeys(found))


def to_carry(model: dict, column: str, lineage: Column, nodes: Nodes) -> dict[str, object]:
    """Return the marks that a column must have, because its origins have them.

    Only origins that the model may hold count. For the others, see `leaks`.

    Args:
        model: The model.
        column: The column's name.
        lineage: Its origins.
        nodes: All nodes, as dbt's graph has them.

    Returns:
        The marks, as in `meta`.
    """
    found: dict[str, object] = {}
    for origin in lineage.origins:
        passing = _passing(origin, nodes)
        if not passing or not _is_in_place(model, nodes[origin.node], origin.column):
            continue
        for each in with_fields(nodes[origin.node], origin.column):
            said = meta_of_marks(each)
            kept = {PII} if PII in passing else set()
            kept |= {STAYS_IN, SILVER_ONLY} if STAYS_IN in passing else set()
            found |= {name: value for name, value in said.items() if name in kept}
    if _is_allowed(model, PII_ALLOWED, column):
        found.pop(PII, None)
    return dict(sorted(found.items()))


def inherited(model: dict, entry: Model, nodes: Nodes) -> dict[str, list[str]]:
    """Return the marks that the columns of a snapshot inherit from their origins.

    A snapshot stores its query's columns, and its yml often names none of them. A column that
    cannot be traced inherits all marks.

    Returns:
        The marks of each column, also of columns without marks. Empty for other resources.
    """
    found: dict[str, list[str]] = {}
    if model["resource_type"] != SNAPSHOT:
        return found
    for column, lineage in entry.columns.items():
        marks: set[str] = set()
        for origin in lineage.origins:
            marks |= _passing(origin, nodes)
        if _unknown(model, lineage, nodes) and not _is_allowed(model, UNTRACED_ALLOWED, column):
            marks |= set(MARKS)
        found[column] = sorted(
            marks - ({PII} if _is_allowed(model, PII_ALLOWED, column) else set())
        )
    return found


def with_inherited(snapshot: dict, kept: dict[str, list[str]] | None, nodes: Nodes) -> dict:
    """Return the snapshot with its inherited marks, in addition to those in its yml.

    Args:
        snapshot: The snapshot.
        kept: What `inherited` returned when the table was written. None if the guard did not write
            it; then a column has the marks of the columns of the same name that the snapshot reads.
        nodes: All nodes, as dbt's graph has them.
    """
    read = [
        (nodes[parent], column["name"])
        for parent in snapshot["depends_on"]["nodes"]
        if parent in nodes
        for column in nodes[parent]["columns"].values()
    ]
    if kept is None:
        kept = {name: sorted(marks_of(parent, name)) for parent, name in read}
    # A table written by an older version has `silver_only`.
    marks = {
        name: {STAYS_IN if mark == SILVER_ONLY else mark for mark in kept[name]} for name in kept
    }
    # The origin of each inherited mark is not stored, so each column may only be where all may be.
    places = [place for parent, name in read if (place := place_of(parent, name)) is not None]
    place = Place.intersection(*places) if places else _of_schema(snapshot, nodes)
    place |= {snapshot["unique_id"]}
    return with_marks(snapshot, marks, {name: place for name in marks if marks[name]})


def _passing(origin: Origin, nodes: Nodes) -> set[str]:
    """Return the marks that an origin passes on to a column computed from it."""
    if origin.node not in nodes or origin.kind not in DIRECT:
        return set()
    marks = marks_of(nodes[origin.node], origin.column)
    return marks - {STAYS_IN} if origin.masking else marks


def _leak(model: dict, column: str, origin: Origin, nodes: Nodes) -> str:
    marks = _passing(origin, nodes)
    if PII in marks and _is_allowed(model, PII_ALLOWED, column):
        marks -= {PII}
    if not marks:
        return ""
    parent = nodes[origin.node]
    path = f"{model['name']}.{column}" + (f".{origin.field}" if origin.field else "")
    whole = f"{short_name(origin.node)}.{origin.column}"
    if sources := made_of_others(parent, origin.column):
        whole = f"{whole} (made of {', '.join(sources)})"
    if origin.kind == COPY and not origin.masking:
        name = path.rpartition(".")[2].lower()
        renamed = "" if name == origin.column.lower() else " under another name"
        line = f"{path} is {whole}{renamed}"
    elif PII in marks:
        line = f"{path} is made of {whole}, which is personal ({PII})"
    else:
        line = f"{path} is made of {whole}, which is {told(parent, origin.column)}, and reveals it"
    if not _is_in_place(model, parent, origin.column):
        mark = told(parent, origin.column)
        return f"{line} ({mark})" if ":" in mark and mark not in line else line
    if model["resource_type"] == SNAPSHOT:
        return ""  # it inherits the marks
    own = nodes.get(model["unique_id"], model)
    if lacking := sorted(marks - marks_of(own, column)):
        said = [told(parent, origin.column) if mark == STAYS_IN else mark for mark in lacking]
        return f"{line}, and is not marked {' and '.join(said)}"
    place = place_of(own, column)
    if place is None or not place <= (place_of(parent, origin.column) or Place()):
        return f"{line}, but its mark names a larger place: mark it {told(parent, origin.column)}"
    return ""


def _unknown(model: dict, lineage: Column, nodes: Nodes) -> list[str]:
    """Return the reasons why a column's content is not known. Empty if it is known."""
    reasons = list(lineage.untraced)
    for origin in lineage.origins:
        node, name = nodes.get(origin.node), origin.column
        if origin.kind not in DIRECT or origin.node == model["unique_id"]:
            continue
        if node is None:
            reasons.append(f"{origin.node}, a table that dbt does not know: make it a source")
        elif _lacks(node, name) and name not in FACTS_OF_A_ROW:
            reasons.append(f"{short_name(origin.node)}.{name}, which its contract does not name")
    return list(dict.fromkeys(reasons))


def _lacks(node: dict, column: str) -> bool:
    """Return whether the node has a contract that does not name this column."""
    names = {each["name"].lower() for each in node["columns"].values()}
    return is_enforced(node["config"]) and column.lower() not in names


def _is_in_place(model: dict, parent: dict, column: str) -> bool:
    """Return whether the model may hold the parent's column."""
    return model["unique_id"] in (place_of(parent, column) or ())


def _stays_in_place(model: dict, nodes: Nodes, column: str = "") -> bool:
    """Return whether the model reads only its own schema, and may hold all marked columns there.

    Args:
        model: The model.
        nodes: All nodes, as dbt's graph has them.
        column: If given, this column of the model must also be limited to where all those marked
            columns may be.
    """
    parents = [nodes[parent] for parent in model["depends_on"]["nodes"] if parent in nodes]
    places = [
        place_of(parent, each["name"]) or Place()
        for parent in parents
        for each in parent["columns"].values()
        if marked(each)
    ]
    own = {model["unique_id"]}
    if column:
        own |= place_of(nodes.get(model["unique_id"], model), column) or set(nodes)
    is_in_schema = all(schema(parent) == schema(model) for parent in parents)
    return bool(parents) and is_in_schema and all(own <= place for place in places)


def _of_schema(node: dict, nodes: Nodes) -> Place:
    """Return the nodes in the same schema as a node's table."""
    return Places(nodes, lambda _: ()).of(node, {"meta": {}})


def _allowances(model: dict, key: str) -> dict:
    return model["config"]["meta"].get(key) or {}


def _is_allowed(model: dict, key: str, column: str) -> bool:
    allowances = _allowances(model, key)
    return column.lower() in map(str.lower, allowances if isinstance(allowances, dict) else ())


def _wrong_allowances(model: dict, entry: Model) -> Iterator[str]:
    there = {column.lower() for column in entry.columns}
    for key in ALLOWANCES:
        allowances = _allowances(model, key)
        if not isinstance(allowances, dict):
            yield f"{model['name']}: meta {key} must be a mapping of columns to reasons"
            continue
        for column, reason in allowances.items():
            if not isinstance(reason, str) or not reason.strip():
                yield f"{model['name']}: meta {key} of {column} gives no reason"
            if column.lower() not in there:
                yield f"{model['name']}: meta {key} names {column}, a column that does not exist"
