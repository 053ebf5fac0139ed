"""Find which macros a project's on-run-start and on-run-end hooks call. Knows no Spark."""

from collections.abc import Collection, Mapping

# dbt's tags for the hooks of a run.
_TAGS = {"on-run-start", "on-run-end"}


def calls_any(nodes: Mapping[str, dict], macros: Mapping, names: Collection[str]) -> bool:
    """Return whether a hook of a run calls one of these macros, directly or indirectly.

    A hook counts as calling every macro that its text names, even in a branch that is not taken.

    Args:
        nodes: dbt's nodes by unique id, as in its graph. Hooks are among them.
        macros: dbt's macros by unique id.
        names: The names of the macros.

    Returns:
        Whether there is such a call.
    """
    called = [
        macro
        for node in nodes.values()
        if node["resource_type"] == "operation" and _TAGS & set(node.get("tags") or ())
        for macro in node["depends_on"]["macros"]
    ]
    seen = set()
    while called:
        unique_id = called.pop()
        if unique_id in seen:
            continue
        seen.add(unique_id)
        if unique_id.rpartition(".")[2] in names:
            return True
        if macro := macros.get(unique_id):
            called += macro.depends_on.macros
    return False
