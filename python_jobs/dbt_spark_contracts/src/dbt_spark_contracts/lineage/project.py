"""The tables and column marks in dbt's graph, by their names in plans."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from types import MappingProxyType

# dbt's prefix for an ephemeral model inside the query of another model.
EPHEMERAL = "__dbt__cte__"

SILVER_ONLY, PII = MARKS = ("silver_only", "pii")
SOURCE = "source"
# The key in a column's meta for inherited marks: the columns that they come from.
_MADE_OF = "made_of"


class Project:
    """The nodes of dbt's graph, by their names in plans. Created once per command.

    Args:
        graph: dbt's graph.
        catalog: The catalog of relations that name none.
        deferred: The relations that refs resolve to under --defer, with their nodes.

    Attributes:
        nodes: dbt's nodes and sources. If several describe one table, their marks are combined.
        names: The unique id by the name in plans, in lower case: the full name of a table or view,
            and dbt's name for an ephemeral model.
        has_marks: Whether any column of the project is marked.
    """

    def __init__(self, graph: dict, catalog: str, deferred: Mapping[str, str]) -> None:
        self.graph = graph
        self.catalog = catalog
        self.nodes: dict[str, dict] = {**graph["nodes"], **graph["sources"]}
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

    def _add_marks_of_sources(self) -> None:
        """Give the node of a table the marks of sources that describe the same table."""
        for source in self.graph["sources"].values():
            unique_id = self.names.get(self.full_name(source.get("relation_name") or ""))
            if unique_id and unique_id != source["unique_id"]:
                marks = {name: marked(column) for name, column in source["columns"].items()}
                self.nodes[unique_id] = with_marks(self.nodes[unique_id], marks)


def marked(column: dict) -> set[str]:
    """Return the marks that a column's yml sets."""
    return {mark for mark in MARKS if column["meta"].get(mark) is True}


def marks_of(node: dict, column: str) -> set[str]:
    """Return the marks of a node's column, including those of its fields."""
    wanted = column.lower()
    found: set[str] = set()
    for each in node["columns"].values():
        name = each["name"].lower()
        if name == wanted or name.startswith(f"{wanted}."):
            found |= marked(each)
    return found


def made_of_others(node: dict, column: str) -> list[str]:
    """Return the columns from which a node's column inherits marks."""
    found = {each["name"].lower(): each for each in node["columns"].values()}
    return found.get(column.lower(), {"meta": {}})["meta"].get(_MADE_OF, [])


def with_marks(
    node: dict,
    marks: Mapping[str, Iterable[str]],
    made_of: Mapping[str, Iterable[str]] = MappingProxyType({}),
) -> dict:
    """Return the node with additional marks by column, and the columns they come from."""
    columns = {column["name"].lower(): column for column in node["columns"].values()}
    for name, more in marks.items():
        column = columns.get(name.lower(), {"name": name, "meta": {}})
        meta = column["meta"] | dict.fromkeys(more, True)
        if name in made_of:
            meta[_MADE_OF] = sorted(made_of[name])
        columns[name.lower()] = {**column, "meta": meta}
    return {**node, "columns": columns}
