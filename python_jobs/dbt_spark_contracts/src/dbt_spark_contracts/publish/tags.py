"""The tag `published_<run>` on each table that a run publishes: its tables, by one name.

Iceberg lets a tag expire when its snapshot is older than the tag's maximum age, whoever expires
snapshots.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from dbt_spark_contracts.publish.command import BUILD, TAG, is_run_name
from dbt_spark_contracts.publish.maintenance import settings
from dbt_spark_contracts.publish.maintenance.limits import kept


def tag_of(run: str) -> str | None:
    """Return the name of a run's tag, or None for a run that is no build: a roll back."""
    return f"{TAG}{run}" if run.startswith(f"{BUILD}_") else None


def is_tag(ref: str) -> bool:
    """Return whether `tag_of` could have made this name."""
    return ref.startswith(f"{TAG}{BUILD}_") and is_run_name(ref.removeprefix(TAG))


class Ages:
    """How long each table keeps its tags: as long as `maintain` keeps its snapshots."""

    def __init__(self, nodes: Mapping[str, dict]) -> None:
        """Take the settings of the tables from dbt's nodes."""
        self._nodes = {node.get("relation_name"): node for node in nodes.values()}

    def of(self, table: str, properties: Any) -> int | None:
        """Return the maximum age of a table's tags.

        Args:
            table: The table.
            properties: Its Iceberg properties, with `get`.

        Returns:
            The age in milliseconds, or None if the tags are kept for ever.
        """
        node = self._nodes.get(table)
        keep = kept(settings.of_node(node) if node else settings.Settings(), properties)
        return None if keep is False else max(1, keep // timedelta(milliseconds=1))
