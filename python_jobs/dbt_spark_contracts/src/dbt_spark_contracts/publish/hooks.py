"""Which macros a project's on-run-start and on-run-end hooks call. Knows no Spark."""

from collections.abc import Collection, Mapping

# What dbt tags the hooks of a run with.
_TAGS = {"on-run-start", "on-run-end"}


def calls_any(nodes: Mapping[str, dict], macros: Mapping, names: Collection[str]) -> bool:
    """Does a hook of a run call a macro of one of these names, itself or through others?

    What a hook calls is what its text names, also in a branch that is not taken.

    Args:
        nodes: dbt's nodes by unique id, as its graph has them; hooks are among them.
        macros: dbt's macros by unique id.
        names: The names.
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
