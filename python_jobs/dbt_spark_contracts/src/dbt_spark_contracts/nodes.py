"""What dbt's graph tells of its nodes. Knows no Spark."""

from collections.abc import Iterable, Mapping

ICEBERG = "iceberg"
# In the meta of a model of Iceberg's: why dbt-spark shall write it all the same.
UNGUARDED = "unguarded"

# What has no table of its own: who reads it, reads what it reads.
WITHOUT_TABLE = ("view", "ephemeral")


def is_enforced(config: Mapping) -> bool:
    """Is the contract of a node with this config enforced?"""
    return bool((config.get("contract") or {}).get("enforced"))


def has_guard(config: Mapping) -> bool:
    """Does the guard write the table of a node with this config? dbt-spark writes all others."""
    return not why_unguarded(config)


def why_unguarded(config: Mapping) -> str:
    """Why dbt-spark writes the table of a node with this config; none, if the guard does."""
    if (config.get("meta") or {}).get(UNGUARDED):
        return f"meta {UNGUARDED}"
    file_format = config.get("file_format")
    if str(file_format or "").lower() == ICEBERG:
        return ""
    return f"file_format {file_format}" if file_format else "no file_format"


def touched_tables(nodes: dict[str, dict], selected: Iterable[str]) -> set[str]:
    """The tables that running the selected nodes reads or writes.

    Args:
        nodes: dbt's nodes and sources by unique id, as its graph has them.
        selected: The unique ids of the selected ones.

    Returns:
        The names of their tables and of those that they read, some of which may not be there.
    """
    names = set()
    seen = set()
    # Each with whether what it reads is read by a selected node.
    reached = [(unique_id, True) for unique_id in selected]
    while reached:
        unique_id, is_read_through = reached.pop()
        node = nodes.get(unique_id)
        if node is None or (unique_id, is_read_through) in seen:
            continue
        seen.add((unique_id, is_read_through))
        if node.get("relation_name"):
            names.add(node["relation_name"])
        is_read_through |= (node.get("config") or {}).get("materialized") in WITHOUT_TABLE
        if is_read_through:
            parents = (node.get("depends_on") or {}).get("nodes") or ()
            reached += ((parent, False) for parent in parents)
    return names
