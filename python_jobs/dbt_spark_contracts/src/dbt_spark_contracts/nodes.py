"""Questions about the nodes of dbt's graph. Independent of Spark."""

from collections.abc import Iterable, Mapping

ICEBERG = "iceberg"
# In the meta of an Iceberg model: the reason why dbt-spark should write it.
UNGUARDED = "unguarded"

# Materializations without a table: a reader of the model reads the model's parents.
WITHOUT_TABLE = ("view", "ephemeral")

# Materializations whose tables are written to branches.
MATERIALIZED = ("table", "incremental", "seed", "snapshot")


def is_enforced(config: Mapping) -> bool:
    """Return whether the contract of a node with this config is enforced."""
    return bool((config.get("contract") or {}).get("enforced"))


def has_guard(config: Mapping) -> bool:
    """Return whether the guard writes the table of a node with this config, or else dbt-spark."""
    return not why_unguarded(config)


def has_branches(config: Mapping) -> bool:
    """Return whether runs write the table of a node with this config to their branches."""
    return config.get("materialized") in MATERIALIZED and has_guard(config)


def why_unguarded(config: Mapping) -> str:
    """Return why dbt-spark writes the table of a node with this config. Empty if the guard does."""
    if (config.get("meta") or {}).get(UNGUARDED):
        return f"meta {UNGUARDED}"
    file_format = config.get("file_format")
    if str(file_format or "").lower() == ICEBERG:
        return ""
    return f"file_format {file_format}" if file_format else "no file_format"


def touched_tables(nodes: dict[str, dict], selected: Iterable[str]) -> set[str]:
    """Return the tables that the selected nodes read or write when they run.

    Args:
        nodes: dbt's nodes and sources by unique id, as in its graph.
        selected: The unique ids of the selected nodes.

    Returns:
        The names of the tables. Some of them may not exist.
    """
    names = set()
    seen = set()
    # Nodes to visit, each with whether its parents' tables are read, too.
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
