"""The tables and column marks in dbt's graph, by their names in plans."""

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from types import MappingProxyType

from dbt_spark_contracts.lineage.places import (
    PLACE,
    SILVER_ONLY,
    STAYS_IN,
    Place,
    Places,
    with_fields,
)

# The prefix of the CTE that an ephemeral model becomes in the query of another model.
EPHEMERAL = "__dbt__cte__"

PII = "pii"
MARKS = (STAYS_IN, PII)
SOURCE = "source"
# The key in a column's meta for inherited marks: the columns that they come from.
_MADE_OF = "made_of"


class Project:
    """The nodes of dbt's graph, by their names in plans. Created once per command.

    Args:
        graph: dbt's graph.
        catalog: The catalog of those whose relation says none.
        deferred: The relations that refs are resolved to under --defer, and of which nodes.
        select: The unique ids of the nodes that a word of dbt's node selection names.

    Attributes:
        nodes: dbt's nodes and sources. If several describe one table, their marks are combined.
        names: The unique id by the name in plans, in lower case: the full name of a table or view,
            and dbt's name for an ephemeral model.
        has_marks: Whether any column of the project is marked.
    """

    def __init__(
        self,
        graph: dict,
        catalog: str,
        deferred: Mapping[str, str],
        select: Callable[[str], Iterable[str]],
    ) -> None:
        self.graph = graph
        self.catalog = catalog
        self.nodes: dict[str, dict] = {**graph["nodes"], **graph["sources"]}
        self._add_places(Places(self.nodes, select))
        self.names: dict[str, str] = {}
        for unique_id, node in self.nodes.items():
            if node["config"].get("materialized") == "ephemeral":
                self.names[f"{EPHEMERAL}{node['alias']}".lower()] = unique_id
            elif node.get("relation_name"):
                # Sources come later. A source that names a model's table is that model.
                self.names.setdefault(self.full_name(node["relation_name"]), unique_id)
        for relation, unique_id in deferred.items():
            self.names.setdefault(self.full_name(relation), unique_id)
        self._add_marks_of_sources()
        self.has_marks = any(
            marked(column) for node in self.nodes.values() for column in node["columns"].values()
        )

    @cached_property
    def tests(self) -> dict[str, list[dict]]:
        """The generic tests of each node, by its unique id."""
        found: dict[str, list[dict]] = {}
        for node in self.nodes.values():
            if node.get("resource_type") == "test" and node.get("test_metadata"):
                parents = (node.get("depends_on") or {}).get("nodes") or []
                # A test of a source has no attached node.
                of = {node.get("attached_node"), *(parents if len(parents) == 1 else ())}
                for unique_id in of - {None}:
                    found.setdefault(unique_id, []).append(node)
        return found

    def ephemeral_parents(self, node: dict) -> set[str]:
        """Return the ephemeral models that are part of a node's query."""
        found: set[str] = set()
        left = [*node["depends_on"].get("nodes", ())]
        while left:
            parent = self.nodes.get(unique_id := left.pop())
            is_new = parent is not None and unique_id not in found
            if parent and is_new and parent["config"].get("materialized") == "ephemeral":
                found.add(unique_id)
                left += parent["depends_on"].get("nodes", ())
        return found

    def full_name(self, relation: str) -> str:
        """Return a relation's name as it appears in plans."""
        name = relation.replace("`", "").lower()
        return name if name.count(".") > 1 else f"{self.catalog}.{name}"

    def _add_places(self, places: Places) -> None:
        """Add to each marked column the nodes that may hold it."""
        for unique_id, node in self.nodes.items():
            if any(map(marked, node["columns"].values())):
                columns = {
                    name: {**column, PLACE: places.of(node, column)} if marked(column) else column
                    for name, column in node["columns"].items()
                }
                self.nodes[unique_id] = {**node, "columns": columns}

    def _add_marks_of_sources(self) -> None:
        """Give the node of a table the marks of sources that describe the same table."""
        for source in self.graph["sources"].values():
            unique_id = self.names.get(self.full_name(source.get("relation_name") or ""))
            if unique_id and unique_id != source["unique_id"]:
                columns = self.nodes[source["unique_id"]]["columns"].items()
                marks = {name: marked(column) for name, column in columns}
                places = {name: column[PLACE] for name, column in columns if marks[name]}
                self.nodes[unique_id] = with_marks(self.nodes[unique_id], marks, places)


def marked(column: dict) -> set[str]:
    """Return the marks of a column in its yml."""
    meta = column["meta"]
    found = {PII} if meta.get(PII) is True else set()
    if meta.get(SILVER_ONLY) is True or meta.get(STAYS_IN) not in (None, False):
        found.add(STAYS_IN)
    return found


def meta_of_marks(column: dict) -> dict[str, object]:
    """Return the marks of a column as in its meta."""
    meta = column["meta"]
    names = [PII if meta.get(PII) is True else ""]
    if STAYS_IN in marked(column):
        names.append(SILVER_ONLY if meta.get(SILVER_ONLY) is True else STAYS_IN)
    return {name: meta[name] for name in names if name}


def marks_of(node: dict, column: str) -> set[str]:
    """Return the marks of a node's column and of its fields."""
    return {mark for each in with_fields(node, column) for mark in marked(each)}


def made_of_others(node: dict, column: str) -> list[str]:
    """Return the columns from which a node's column inherits marks."""
    found = {each["name"].lower(): each for each in node["columns"].values()}
    return found.get(column.lower(), {"meta": {}})["meta"].get(_MADE_OF, [])


def with_marks(
    node: dict,
    marks: Mapping[str, Iterable[str]],
    places: Mapping[str, Place],
    made_of: Mapping[str, Iterable[str]] = MappingProxyType({}),
) -> dict:
    """Return the node with additional marks.

    Args:
        node: The node.
        marks: The marks, by column.
        places: The nodes that may hold these columns, in addition to the limits of the node itself.
        made_of: The columns from which they inherit the marks.
    """
    columns = {column["name"].lower(): column for column in node["columns"].values()}
    for name, more in marks.items():
        column = columns.get(name.lower(), {"name": name, "meta": {}})
        meta = column["meta"] | dict.fromkeys({*more} - marked(column), True)
        if name in made_of:
            meta[_MADE_OF] = sorted(made_of[name])
        changed = {**column, "meta": meta}
        if name in places:
            changed[PLACE] = places[name] & column.get(PLACE, places[name])
        columns[name.lower()] = changed
    return {**node, "columns": columns}
