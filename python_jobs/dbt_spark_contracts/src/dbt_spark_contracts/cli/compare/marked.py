"""Finds the columns whose values are hidden, because they are marked `pii` or `silver_only`."""

from collections.abc import Iterable

from dbt_spark_contracts.lineage.marks import with_inherited
from dbt_spark_contracts.lineage.project import Project, marks_of


def marks(project: Project, nodes: Iterable[dict | None], columns: Iterable[str]) -> dict[str, str]:
    """Return the marks of each marked column.

    A column that a compared model names has the marks of that model. Any other column has the marks
    that any node of the project gives to its name.

    Args:
        project: The nodes of the project.
        nodes: The nodes of the tables. None for a table without a node.
        columns: The names of the columns of both tables.

    Returns:
        The marks in words, by column name in lower case.
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
    """Return the node. A snapshot gets the marks that it inherits."""
    is_snapshot = node["resource_type"] == "snapshot"
    return with_inherited(node, None, project.nodes) if is_snapshot else node


def _names(node: dict, column: str) -> bool:
    return column.lower() in (each["name"].lower() for each in node["columns"].values())
