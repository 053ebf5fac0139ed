"""The effects of a change, computed from the lineage before and after it."""

import copy

import pytest
from dbt_spark_contracts.cli.blast_radius import State, blast_radius, report
from dbt_spark_contracts.cli.check_pull_request.manifest import Manifest
from dbt_spark_contracts.lineage.record import Column, Model, Origin

pytestmark = pytest.mark.quick


def column(*origins: tuple[str, str, str], fingerprint: str = "1") -> Column:
    return Column([Origin(*origin) for origin in origins], [], fingerprint, "string")


SILVER, GOLD, OTHER = (f"model.p.{name}" for name in ("silver_t", "gold_x", "gold_y"))
MODELS = {
    SILVER: Model(
        columns={"a": column(), "b": column(), "unused": column()},
        rows=column(),
    ),
    GOLD: Model(
        columns={"a": column((SILVER, "a", "copy")), "c": column((SILVER, "b", "condition"))},
        rows=column(),
    ),
    OTHER: Model(
        columns={"d": column((GOLD, "a", "computed"))},
        rows=column((SILVER, "b", "filter")),
    ),
}
EXPOSURES = {
    "exposure.p.desk": {
        "name": "desk",
        "owner": {"name": "The desk", "email": "desk@example.org"},
        "depends_on": {"nodes": [GOLD]},
    },
    "exposure.p.board": {
        "name": "board",
        "owner": {"name": None, "email": "board@example.org"},
        "depends_on": {"nodes": [GOLD, OTHER]},
    },
}
MANIFEST = {
    "nodes": {
        SILVER: {"resource_type": "model", "fqn": ["p", "silver", "silver_t"]},
        GOLD: {"resource_type": "model", "fqn": ["p", "gold", "gold_x"]},
        OTHER: {"resource_type": "model", "fqn": ["p", "gold", "gold_y"]},
    },
    "sources": {},
    "exposures": EXPOSURES,
}


@pytest.fixture
def states():
    """Return the states before and after. They are equal until a test changes the second one."""
    return State(Manifest(MANIFEST), MODELS), State(Manifest(MANIFEST), copy.deepcopy(MODELS))


def rows(before: State, after: State) -> list[list[str]]:
    lines = [*report(blast_radius(before, after))]
    return [line.strip("| ").split(" | ") for line in lines if line.startswith("| gold")]


def test_nothing(states):
    assert [*report(blast_radius(*states))] == [
        "### What the change touches\n",
        "- nothing that a model computes",
    ]


def test_column_that_is_computed_differently(states):
    states[1].models[SILVER].columns["a"].fingerprint = "2"
    assert blast_radius(*states).changes == ["silver_t.a is computed differently"]
    assert rows(*states) == [
        ["gold_x", "a", "the same", "board (board@example.org), desk (The desk)"],
        ["gold_y", "d", "the same", "board (board@example.org)"],
    ]


def test_column_that_filters_others(states):
    states[1].models[SILVER].columns["b"].data_type = "int"
    assert blast_radius(*states).changes == ["silver_t.b is int, and was string"]
    assert [row[:3] for row in rows(*states)] == [
        ["gold_x", "c", "the same"],
        ["gold_y", "none", "may differ"],
    ]


def test_rows_that_are_selected_differently(states):
    states[1].models[SILVER].rows.fingerprint = "2"
    assert blast_radius(*states).changes == ["the rows of silver_t are selected differently"]
    assert [row[:3] for row in rows(*states)] == [
        ["gold_x", "none", "may differ"],
        ["gold_y", "none", "may differ"],
    ]


def test_column_that_is_gone(states):
    """A model that read it before the change is touched, although it no longer reads it."""
    del states[1].models[SILVER].columns["a"]
    states[1].models[GOLD].columns["a"] = column(fingerprint="2")
    told = blast_radius(*states)
    assert told.changes == ["gold_x.a is computed differently", "silver_t.a is gone"]
    assert [touched.columns for touched in told.touched] == [["a"], ["d"]]


def test_column_that_nobody_reads(states):
    states[1].models[SILVER].columns["unused"].fingerprint = "2"
    assert [*report(blast_radius(*states))][-1] == "\nNo column of Gold, and no exposure."


def test_model_that_is_new_or_gone(states):
    states[1].models["model.p.gold_z"] = states[1].models.pop(OTHER)
    manifest = copy.deepcopy(MANIFEST)
    manifest["nodes"]["model.p.gold_z"] = manifest["nodes"].pop(OTHER)
    told = blast_radius(states[0], State(Manifest(manifest), states[1].models))
    assert told.changes == ["gold_y is gone", "gold_z is new"]
    assert [touched.model for touched in told.touched] == ["gold_z"]


def test_what_cannot_be_traced_is_reported(states):
    states[1].models[OTHER].columns["d"].untraced = ["the Python function f"]
    states[1].models[SILVER].columns["unused"].fingerprint = "2"
    assert [*report(blast_radius(*states))][-1] == "- gold_y.d: the Python function f"
