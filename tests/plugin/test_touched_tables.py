"""The tables that a command touches, according to dbt's graph."""

import pytest
from dbt_spark_contracts.nodes import touched_tables

pytestmark = pytest.mark.quick


def node(table: str | None, *parents: str, materialized: str = "table") -> dict:
    return {
        "relation_name": table,
        "config": {"materialized": materialized},
        "depends_on": {"nodes": list(parents)},
    }


NODES = {
    "source": {"relation_name": "s.source"},
    "raw": node("s.raw", "source"),
    "view": node("s.view", "raw", materialized="view"),
    "ephemeral": node(None, "view", materialized="ephemeral"),
    "gold": node("s.gold", "ephemeral"),
    "beyond": node("s.beyond", "gold"),
    "test": node(None, "gold", "raw", materialized="test"),
}


@pytest.mark.parametrize(
    ("selected", "touched"),
    [
        ([], ""),
        (["raw"], "s.raw s.source"),
        (["beyond"], "s.beyond s.gold"),
        (["gold"], "s.gold s.view s.raw"),
        (["test"], "s.gold s.raw"),
        (["raw", "beyond"], "s.raw s.source s.beyond s.gold"),
        (["unknown"], ""),
    ],
    ids=str,
)
def test_a_table_is_touched_that_a_selected_node_writes_or_reads(selected, touched):
    """Views and ephemeral models have no table, so the search continues to their parents."""
    assert touched_tables(NODES, selected) == set(touched.split())
