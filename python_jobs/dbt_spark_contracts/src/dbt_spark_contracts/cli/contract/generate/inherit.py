"""Finds the description that a column inherits from the column that it copies."""

from pathlib import Path

from dbt_spark_contracts.cli.contract.yml.change import ModelChange
from dbt_spark_contracts.cli.contract.yml.place import entry_of
from dbt_spark_contracts.lineage.record import Column
from dbt_spark_contracts.plan.values import COPY, DIRECT


class Descriptions:
    """The descriptions of columns as in the ymls, with `{{ doc(…) }}` unrendered.

    Args:
        root: The project's folder.
        nodes: dbt's nodes and sources.
        project: The project's name.
    """

    def __init__(self, root: Path, nodes: dict[str, dict], project: str) -> None:
        self.root = root
        self.project = project
        self.nodes = nodes
        self._known: dict[str, dict[str, str]] = {}

    def of(self, key: str) -> dict[str, str]:
        """Return the descriptions of a node's columns, by name in lower case."""
        if key not in self._known:
            node = self.nodes[key]
            is_own = node["package_name"] == self.project
            written = entry_of(self.root, node).get("columns") or () if is_own else ()
            found = {
                str(each["name"]).lower(): (each.get("description") or "").strip()
                for each in written
            }
            for name, each in node["columns"].items() if not is_own else ():
                text = (each.get("description") or "").strip()
                found[name.lower()] = "" if "{" in text else text  # it would be rendered twice
            self._known[key] = found
        return self._known[key]

    def add(self, key: str, change: ModelChange) -> None:
        """Store the descriptions that a model has just received."""
        new = {each.name.lower(): each.description for each in change.columns}
        self.of(key).update({name: text for name, text in new.items() if text})

    def inherited(self, column: Column) -> str:
        """Return the description of the column that this one copies. Empty if there is none."""
        values = [origin for origin in column.origins if origin.kind in DIRECT]
        if len(values) != 1 or column.untraced:
            return ""
        (origin,) = values
        is_copy = origin.kind == COPY and not origin.masking and not origin.field
        if not is_copy or origin.node not in self.nodes:
            return ""
        return self.of(origin.node).get(origin.column.lower(), "")
