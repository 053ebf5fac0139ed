"""The experiment of docs/why-columns-leak.md: the table on the page, and each of its claims."""

from dataclasses import replace
from itertools import product

import pytest
import yaml
from dbt_spark_contracts.spark.checkpoints import Checkpoints

from python_jobs import leak_experiment
from python_jobs.leak_experiment import CHECKPOINTS, GOLD, PROJECTIONS, SILVER_ONLY, TARGETS, WAYS
from tests.support.dbt_runner import ROOT

# Hundreds of writes. The results depend only on the versions of Spark and Iceberg.
pytestmark = pytest.mark.full

REPLACING = ["createOrReplace", "saveAsTable, overwrite"]
BY_POSITION = ["INSERT INTO", "INSERT OVERWRITE"]
BY_NAME = ["INSERT BY NAME", "append"]
LISTED = "MERGE, listed"
STRICT = "MERGE, listed, no nulls"
PROJECTED = ["drop", "select", "drop + select"]


@pytest.fixture(scope="module")
def settings(spark):
    """Return the original values of the session settings that the experiment changes."""
    names = {**leak_experiment.FOR_SMALL_DATA, **leak_experiment.NO_NULLS}
    return {name: spark.conf.get(name) for name in names}


@pytest.fixture(scope="module")
def outcomes(spark, settings):
    Checkpoints().use()
    return leak_experiment.run(spark, "leak_experiment")


@pytest.fixture(scope="module")
def select(outcomes):
    """Return a function that selects outcomes by way, target and projection."""

    def select(ways=WAYS, targets=TARGETS, projections=PROJECTIONS):
        writes = product(ways, targets, projections, CHECKPOINTS)
        return [outcomes[write] for write in writes]

    return select


def test_the_page_has_what_the_experiment_prints(spark, outcomes):
    page = (ROOT / "docs" / "why-columns-leak.md").read_text(encoding="utf-8")
    assert f"\n\n{leak_experiment.markdown(spark, outcomes)}\n\n" in page


def test_every_write_was_tried(outcomes):
    assert len(outcomes) == len(WAYS) * len(TARGETS) * len(PROJECTIONS) * len(CHECKPOINTS) == 216


@pytest.mark.quick
def test_its_columns_are_those_of_this_project():
    columns = {
        layer: yaml.safe_load((ROOT / f"models/{layer}/_{layer}__models.yml").read_text())["models"]
        for layer in ("silver", "gold")
    }
    gold = next(m for m in columns["gold"] if m["name"] == "gold_car_current_state")["columns"]
    silver = next(m for m in columns["silver"] if m["name"] == "silver_car_telemetry")["columns"]
    marked = [c["name"] for c in silver if c.get("config", {}).get("meta", {}).get("silver_only")]
    assert [column["name"] for column in gold] == GOLD
    assert set(SILVER_ONLY) < set(marked)
    names = [column["name"] for column in silver]
    assert names.index("model") < names.index("manufacturer")


def test_the_checkpoint_makes_no_difference(outcomes):
    for write in product(WAYS, TARGETS, PROJECTIONS):
        assert outcomes[(*write, "with")] == outcomes[(*write, "without")]


def test_a_projected_dataframe_lets_nothing_through(select):
    assert not any(outcome.leak for outcome in select(projections=PROJECTED))


def test_a_replaced_table_has_the_columns_of_the_dataframe(select):
    for outcome in select(REPLACING, projections=["select", "drop + select"]):
        assert outcome.columns == GOLD
    for outcome in select(REPLACING, projections=["drop"]):
        assert sorted(outcome.columns) == sorted(GOLD)
        assert outcome.columns != GOLD


def test_an_unprojected_dataframe_leaks_where_the_table_is_replaced(select):
    for outcome in select(REPLACING, projections=["as it is"]):
        assert len(outcome.columns) == 19
        assert outcome.leak == SILVER_ONLY


def test_nothing_else_pollutes_a_clean_table(select):
    others = [way for way in WAYS if way not in REPLACING]
    assert all(outcome.columns == GOLD for outcome in select(others, ["clean"]))
    refused = select(BY_POSITION + BY_NAME, ["clean"], ["as it is"])
    assert all("TOO_MANY_DATA_COLUMNS" in outcome.error for outcome in refused)
    merged = select(["MERGE, *", LISTED, STRICT], ["clean"])
    assert not any(o.error or o.leak or o.stay or o.wrong for o in merged)


def test_an_unprojected_dataframe_leaks_into_a_polluted_table(select):
    others = [way for way in WAYS if way not in (LISTED, STRICT)]
    for outcome in select(others, ["polluted"], ["as it is"]):
        assert outcome.leak == SILVER_ONLY


@pytest.mark.parametrize(
    ("ways", "error"),
    [
        (BY_POSITION, "INSERT_COLUMN_ARITY_MISMATCH.NOT_ENOUGH_DATA_COLUMNS"),
        (BY_NAME, "INCOMPATIBLE_DATA_FOR_TABLE.CANNOT_FIND_DATA"),
        (["MERGE, *"], "UNRESOLVED_COLUMN.WITH_SUGGESTION"),
    ],
)
def test_a_polluted_table_refuses_a_projected_dataframe(select, ways, error):
    for outcome in select(ways, ["polluted"], PROJECTED):
        assert error in outcome.error
        assert len(outcome.columns) == 19


def test_a_listed_merge_leaves_a_polluted_table_polluted(select):
    for outcome in select([LISTED], ["polluted"]):
        assert not outcome.error
        assert outcome.stay == SILVER_ONLY
        assert not outcome.leak
        assert not outcome.wrong


def test_without_made_up_nulls_it_is_refused_as_in_the_incident(select):
    for outcome in select([STRICT], ["polluted"]):
        assert outcome.error.endswith("No assignment for 'event_id'")


def test_drop_and_insert_by_position_swap_columns(select):
    for outcome in select(BY_POSITION, ["clean"], ["drop"]):
        assert outcome.wrong == ["manufacturer", "model"]
    assert sum(bool(outcome.wrong) for outcome in select()) == 4


def test_write_that_needs_a_table_creates_none(select):
    for outcome in select([way for way in WAYS if way not in REPLACING], ["absent"]):
        assert "TABLE_OR_VIEW_NOT_FOUND" in outcome.error
        assert outcome.columns == []


def test_difference_caused_by_a_checkpoint_would_be_reported(spark, outcomes):
    write = ("MERGE, *", "clean", "select", "with")
    other = {**outcomes, write: replace(outcomes[write], leak=["event_id"])}
    told = leak_experiment.markdown(spark, other)
    assert "107 of the 108 ended the same both times" in told
    assert "| MERGE, * | clean | clean | clean | clean; checkpointed leak 1 | clean |" in told
    assert "| MERGE, * | nothing | leak: select | leak: as it is |" in told


def test_the_session_is_as_it_was(spark, settings, outcomes):
    assert {name: spark.conf.get(name) for name in settings} == settings
    assert not spark.sql("show namespaces like 'leak_experiment'").collect()
