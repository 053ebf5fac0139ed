"""A command without a selection runs everything that dbt would, except unit tests."""

import pytest
from dbt.graph.cli import DEFAULT_INCLUDES


@pytest.fixture
def listed(dbt):
    """Return a function that returns what `dbt ls` lists."""

    def listed(*arguments: str) -> set[str]:
        result = dbt("ls", *arguments)
        assert result.success, result.text
        return {line for line in result.said if line and " " not in line}

    return listed


def is_unit_test(name: str) -> bool:
    return name.startswith("unit_test:")


def test_unit_tests_alone_are_left_out_by_default(listed):
    everything = listed("--select", *DEFAULT_INCLUDES, "test_type:unit")
    unit_tests = {name for name in everything if is_unit_test(name)}
    assert len(unit_tests) > 1
    assert listed() == everything - unit_tests
    assert listed("--select", "test_type:unit") == unit_tests


def test_selecting_a_model_runs_its_unit_tests(listed):
    assert any(map(is_unit_test, listed("--select", "stg_car_events")))
