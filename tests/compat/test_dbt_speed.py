"""What is replaced in dbt to save time gives the results of dbt's own code."""

import gc
from datetime import datetime, timezone
from decimal import Decimal
from importlib import util
from weakref import ref

import pytest
from dbt.artifacts.schemas import base
from dbt_common import behavior_flags
from dbt_common.clients.system import write_json
from dbt_spark_contracts.compat import dbt_speed

pytestmark = pytest.mark.quick

FLAG = {"name": "some_flag", "default": False, "description": "Some flag."}
# Values that JSON knows, and values that only dbt's encoder does.
ARTIFACT = {
    "text": 'é "\n\u2028\U0001f697',
    "numbers": [1, 2.5, 1e300, 10**40, Decimal("1.50"), float("nan")],
    "others": {"none": None, "true": True, "empty": {}, "1": ()},
    "time": datetime(2026, 1, 1, tzinfo=timezone.utc),
}


@pytest.fixture(autouse=True)
def replaced():
    dbt_speed.quicken()


def source_of_a_flag(module) -> str:
    """Return what dbt takes for the source of a flag that does not name one."""
    return module.Behavior([FLAG], {})._flags[0]._behavior_change_event.flag_source


def test_the_source_of_a_flag_is_the_module_that_declares_it():
    spec = util.find_spec(behavior_flags.__name__)
    stock = util.module_from_spec(spec)
    spec.loader.exec_module(stock)
    ours = behavior_flags.BehaviorFlagRendered
    assert ours._default_source is dbt_speed.calling_module
    assert stock.BehaviorFlagRendered._default_source is not dbt_speed.calling_module
    assert source_of_a_flag(behavior_flags) == source_of_a_flag(stock) == __name__


def test_an_artifact_is_the_same_byte_for_byte(tmp_path):
    assert base.write_json is dbt_speed.write_at_once
    assert base.write_json(str(tmp_path / "new" / "ours.json"), ARTIFACT)
    write_json(str(tmp_path / "stock.json"), ARTIFACT)
    ours, stock = tmp_path / "new" / "ours.json", tmp_path / "stock.json"
    assert ours.read_bytes() == stock.read_bytes()


def test_a_collection_leaves_out_what_dbt_has_imported():
    assert gc.get_freeze_count() > 100_000


def test_garbage_is_looked_for_less_often_and_still_found():
    assert gc.get_threshold() == dbt_speed.GARBAGE

    def garbage(): ...

    garbage.itself, left = garbage, ref(garbage)
    del garbage
    assert left()
    kept = [[] for _ in range(dbt_speed.GARBAGE[0] * 2)]
    assert not left()
    assert kept
