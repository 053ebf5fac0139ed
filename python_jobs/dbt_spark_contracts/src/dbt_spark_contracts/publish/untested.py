"""Find written tables whose data tests have not all run. Knows no Spark."""

from collections.abc import Collection
from hashlib import sha256

from dbt_spark_contracts.schemas import plain

# The maximum number of tables in a message.
NAMED = 10

# The statuses of a test that was run and holds nothing back.
RAN = ("pass", "warn", "success")


def mark(unique_id: str) -> str:
    """Return a short id of a test, which a run's summary stores."""
    return sha256(unique_id.encode()).hexdigest()[:10]


def untested(written: Collection[str], nodes: dict[str, dict], ran: Collection[str]) -> list[str]:
    """Find the written tables with data tests that did not run.

    Args:
        written: The tables' names.
        nodes: dbt's nodes by unique id, as in its graph.
        ran: The marks of the tests that ran.

    Returns:
        The names of the nodes.
    """
    tables = set(map(plain, written))
    names = {
        unique_id: node["name"]
        for unique_id, node in nodes.items()
        if plain(node.get("relation_name") or "") in tables and node["resource_type"] != "test"
    }
    found = set()
    for unique_id, node in nodes.items():
        if node["resource_type"] == "test" and mark(unique_id) not in ran:
            found |= {names[parent] for parent in node["depends_on"]["nodes"] if parent in names}
    return sorted(found)


def told(untested: list[str]) -> str:
    """Return a phrase that names them. Empty if there are none."""
    if not untested:
        return ""
    more = f" and {len(untested) - NAMED} more" if len(untested) > NAMED else ""
    return (
        f", untested: {', '.join(untested[:NAMED])}{more} "
        "(not all data tests of theirs ran; `dbt build` runs them before it publishes)"
    )
