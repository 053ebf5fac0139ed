"""The committed sample, from landing to Gold, against values that other code has worked out."""

import ast
import json
import re
import sys

import pytest

from tests.support.dbt_runner import ROOT
from tests.support.expected_landing import EXPECTED, LANDING
from tests.support.expected_landing import expected as work_out

README = (ROOT / "README.md").read_text(encoding="utf-8")
RUN_TIME = {"gold_processing_timestamp", "processing_timestamp", "alert_generated_timestamp"}


@pytest.fixture(scope="module")
def expected():
    """What is stored in the repository."""
    return json.loads(EXPECTED.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def build(dbt, module_schema, expected):
    """A function that builds the sample, data tests included."""

    def run():
        command = ("build", "--exclude-resource-type", "unit_test")
        result = dbt(*command, schema=module_schema, as_of_date=expected["as_of_date"])
        assert result.success, result.text
        return result

    return run


@pytest.fixture(scope="module")
def built(build):
    """The first build."""
    return build()


@pytest.fixture
def gold(built, read, module_schema):
    """A function that gives the rows of a Gold table, without the times of the run."""

    def rows(table):
        return [
            {name: as_json(value) for name, value in row.items() if name not in RUN_TIME}
            for row in read(f"{module_schema}_gold", table)
        ]

    return rows


def as_json(value):
    """A value as the expectation spells it."""
    if isinstance(value, float):
        return round(value, 6)
    return value.isoformat().replace("+00:00", "Z") if hasattr(value, "isoformat") else value


@pytest.mark.quick
def test_the_expectation_is_that_of_the_sample(expected):
    told = json.loads(json.dumps(work_out(LANDING)))
    assert told == expected, "run: python tests/support/expected_landing.py --write"


@pytest.mark.quick
def test_the_expectation_shares_no_code_with_the_project():
    program = ast.parse((ROOT / "tests/support/expected_landing.py").read_text(encoding="utf-8"))
    imported = set()
    for node in ast.walk(program):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module.partition(".")[0])
    assert imported <= sys.stdlib_module_names


def test_current_state(gold, expected):
    rows = gold("gold_car_current_state")
    assert {row.pop("car_chassis"): row for row in rows} == expected["current"]


def test_fuel_efficiency(gold, expected):
    rows = gold("gold_fuel_efficiency_monthly")
    assert len(rows) == len(expected["months"])
    found = {f"{row.pop('car_chassis')}|{row.pop('year_month')}": row for row in rows}
    assert found == expected["months"]


def test_alerts(gold, expected):
    columns = (
        *("car_chassis", "alert_date", "telemetry_timestamp"),
        *("alert_type", "alert_severity", "alert_value"),
    )
    found = [[row[name] for name in columns] for row in gold("gold_performance_alerts")]
    assert sorted(found, key=repr) == expected["alerts"]


def test_no_record_is_lost(built, read, module_schema, expected):
    tables = {
        "bronze_rows": ("bronze", "bronze_car_events"),
        "silver_rows": ("silver", "silver_car_telemetry"),
        "rejected_rows": ("silver", "silver_rejected_events"),
    }
    found = {
        name: len(read(f"{module_schema}_{layer}", table))
        for name, (layer, table) in tables.items()
    }
    assert found == {name: expected[name] for name in tables}


def test_end_of_build_tells_what_is_in_gold(built, module_schema, expected):
    table = re.compile(rf"{module_schema}_gold\.\w+ ")
    said = [line.split() for line in built.said if table.match(line)]
    assert {line[0].rpartition(".")[2]: int(line[1]) for line in said} == {
        "gold_car_current_state": len(expected["current"]),
        "gold_fuel_efficiency_monthly": len(expected["months"]),
        "gold_performance_alerts": len(expected["alerts"]),
    }


def test_a_second_build_changes_nothing(gold, build):
    tables = ("gold_car_current_state", "gold_fuel_efficiency_monthly", "gold_performance_alerts")
    before = {name: sorted(map(repr, gold(name))) for name in tables}
    build()
    assert {name: sorted(map(repr, gold(name))) for name in tables} == before


@pytest.mark.parametrize(("days", "status"), [(0, "warn"), (1_000_000, "pass")])
def test_a_build_can_warn_of_old_events(built, dbt, module_schema, days, status):
    """The events of the sample are from January 2026."""
    command = ("test", "-s", "silver_car_telemetry,test_name:recent")
    result = dbt(*command, schema=module_schema, newest_event_within_days=days)
    told = {name: found for name, found in result.status.items() if name.startswith("recent_")}
    assert [*told.values()] == [status]


def test_the_readme_says_how_to_look_at_a_row(built, dbt, module_schema, expected, capfd):
    """Its code as it stands, but for the place of the tables: for any reader of Python."""
    section = README.partition("## Look at a row")[2].partition("\n## ")[0]
    code = "\n".join(re.findall(r"```python\n(.*?)```", section, re.S))
    gold = str(dbt.home / "warehouse" / f"{module_schema}_gold")
    assert code.count(".lakehouse/warehouse/gold/") == 1
    exec(code.replace(".lakehouse/warehouse/gold", gold), names := {})
    assert names["cars"].num_rows == len(expected["current"])
    shown = capfd.readouterr().out
    assert "insurance_status" in shown and "EXPIRED" in shown

    (query,) = re.findall(r'--inline "(.*?)"', section)
    result = dbt("show", "--limit", "5", "--inline", query, schema=module_schema)
    assert result.success, result.text
    assert any(line.startswith("| car_chassis ") for line in "\n".join(result.said).splitlines())
