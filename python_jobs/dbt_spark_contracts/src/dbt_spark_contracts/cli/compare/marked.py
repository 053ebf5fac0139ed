"""Columns whose values are not shown, because they are marked `pii` or `silver_only`."""

from collections.abc import Iterable

from dbt_spark_contracts.lineage.marks import with_inherited
from dbt_spark_contracts.lineage.project import Project, marks_of


def marks(project: Project, nodes: Iterable[dict | None], columns: Iterable[str]) -> dict[str, str]:
    """The marks of each column that has any, in words, by its name in lower case.

    A model that is compared says of the columns that it names. One that no such model names may be
    any: it has the marks that any node of the project gives to that name.

    Args:
        project: The nodes of the project.
        nodes: The nodes that make the tables; None for one of no node.
        columns: The names of the columns of both tables.
    """
    known = [_whole(project, node) for node in nodes if node]
    found = {}
    for name in columns:
        own = [node for node in known if _names(node, name)]
        all_marks: set[str] = set()
        for node in own or project.nodes.values():
            all_marks |= marks_of(node, name) if node.get("columns") else set()
        if all_marks:
            found[name.lower()] = " and ".join(sorted(all_marks))
    return found


def _whole(project: Project, node: dict) -> dict:
    """The node with what a snapshot takes over from what it reads."""
    is_snapshot = node["resource_type"] == "snapshot"
    return with_inherited(node, None, project.nodes) if is_snapshot else node


def _names(node: dict, column: str) -> bool:
    return column.lower() in (each["name"].lower() for each in node["columns"].values())
