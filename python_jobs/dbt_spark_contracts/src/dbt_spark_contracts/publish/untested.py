"""Which of the written tables no data test has seen, or not all of theirs. Knows no Spark."""

from collections.abc import Collection
from hashlib import sha256

from dbt_spark_contracts.schemas import plain

# How many tables a line names.
NAMED = 10

# A test that ended so was run, and holds nothing back.
RAN = ("pass", "warn", "success")


def mark(unique_id: str) -> str:
    """A short text that tells a test from others; a run's summary remembers these."""
    return sha256(unique_id.encode()).hexdigest()[:10]


def untested(written: Collection[str], nodes: dict[str, dict], ran: Collection[str]) -> list[str]:
    """Those of the written tables that have data tests of which not all ran, by their nodes' names.

    Args:
        written: The tables' names.
        nodes: dbt's nodes by unique id, as its graph has them.
        ran: The marks of the tests that ran.
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
    """A part of a sentence that names them; empty without any."""
    if not untested:
        return ""
    more = f" and {len(untested) - NAMED} more" if len(untested) > NAMED else ""
    return (
        f", untested: {', '.join(untested[:NAMED])}{more} "
        "(not all data tests of theirs ran; `dbt build` runs them before it publishes)"
    )
