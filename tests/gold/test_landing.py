"""The committed sample, from landing to Gold, matches a result computed by independent code."""

import ast
import base64
import json
import re
import sys
from collections import Counter
from datetime import date, timedelta

import nbformat
import pytest
from nbclient import NotebookClient

from python_jobs.fleet_page import read as read_fleet
from tests.support.dbt_runner import ROOT, environment
from tests.support.expected_landing import EXPECTED, LANDING
from tests.support.expected_landing import expected as work_out
from tests.support.published import home_of

README = (ROOT / "README.md").read_text(encoding="utf-8")
RUN_TIME = {"gold_processing_timestamp", "processing_timestamp", "alert_generated_timestamp"}


@pytest.fixture(scope="module")
def expected():
    """Return the expected result that is stored in the repository."""
    return json.loads(EXPECTED.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def build(dbt, module_schema, expected):
    """Return a function that builds the sample, data tests included."""

    def run():
        command = ("build", "--exclude-resource-type", "unit_test")
        result = dbt(*command, schema=module_schema, as_of_date=expected["as_of_date"])
        assert result.success, result.text
        return result

    return run


@pytest.fixture(scope="module")
def built(build):
    """Return the result of the first build."""
    return build()


@pytest.fixture
def gold(built, read, module_schema):
    """Return a function that reads a Gold table without its run times."""

    def rows(table):
        return [
            {name: as_json(value) for name, value in row.items() if name not in RUN_TIME}
            for row in read(f"{module_schema}_gold", table)
        ]

    return rows


def as_json(value):
    """Return a value in the form of the expected result."""
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


@pytest.fixture
def nodes(built, dbt, spark, module_schema):
    """Return the nodes of dbt's manifest for the build."""
    assert dbt("parse", schema=module_schema).success
    return json.loads((dbt.target_path / "manifest.json").read_text())["nodes"]


def test_the_fleets_page_adds_up_what_is_in_gold(nodes, spark, expected):
    fleet = read_fleet.fleet(spark, nodes)
    weeks = Counter()
    for _, day, _, kind, *_ in expected["alerts"]:
        monday = date.fromisoformat(day)
        weeks[monday - timedelta(days=monday.weekday()), kind] += 1
    assert fleet.alerts == weeks and len(weeks) > 20
    cars = expected["current"].values()
    assert fleet.insurance == Counter(car["insurance_status"] for car in cars)
    days = [(car["status"], car["last_day"].isoformat()) for car in fleet.ending]
    by_status = {
        status: sorted(
            car["insurance_valid_until"] for car in cars if car["insurance_status"] == status
        )
        for status in ("EXPIRING_IN_90_DAYS", "EXPIRED")
    }
    assert days == [
        *(("EXPIRING_IN_90_DAYS", day) for day in by_status["EXPIRING_IN_90_DAYS"]),
        *(("EXPIRED", day) for day in reversed(by_status["EXPIRED"])),
    ]
    km, fuel = Counter(), Counter()
    for month in expected["months"].values():
        if month["total_fuel_liters"] and month["total_km_driven"]:
            name = f"{month['manufacturer']} {month['model']}"
            km[name] += month["total_km_driven"]
            fuel[name] += month["total_fuel_liters"]
    assert [name for name, _, _ in fleet.efficiency] == [name for name, _ in km.most_common()]
    for name, per_liter, _ in fleet.efficiency:
        assert per_liter == pytest.approx(km[name] / fuel[name])
    assert sum(fleet.rejected.values()) == expected["rejected_rows"]
    assert all("n/a" not in reason for reason in fleet.rejected)
    rows = {each.name.rpartition(".")[2]: each.rows for each in fleet.tables}
    assert len(rows) == 8 and rows["silver_car_telemetry"] == expected["silver_rows"]
    newest = {each.name.rpartition(".")[2]: each.newest for each in fleet.tables}
    seen = max(car["event_timestamp"] for car in cars)
    assert newest["gold_car_current_state"].replace(" ", "T") + "Z" == seen


def test_a_page_of_what_is_not_built_is_not_written(nodes, spark):
    gone = next(node for node in nodes.values() if node["name"] == "gold_car_current_state")
    gone["relation_name"] = "nowhere.gold_car_current_state"
    with pytest.raises(read_fleet.NotBuilt, match=r"^there is no nowhere\.gold_car_current_state"):
        read_fleet.fleet(spark, nodes)


def test_end_of_build_shows_what_is_in_gold(built, module_schema, expected):
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
    """The sample's newest events are from January 2026."""
    command = ("test", "-s", "silver_car_telemetry,test_name:recent")
    result = dbt(*command, schema=module_schema, newest_event_within_days=days)
    told = {name: found for name, found in result.status.items() if name.startswith("recent_")}
    assert [*told.values()] == [status]


def test_the_readme_says_how_to_look_at_a_row(built, dbt, module_schema, expected, capfd):
    """The README's code runs as it is, except for the path of the tables."""
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


@pytest.mark.slow
def test_the_notebook_reads_gold_and_draws(built, dbt, module_schema, expected, tmp_path):
    """The notebook of docs/readers.md runs. It is stored without outputs."""
    home = home_of(dbt.home, module_schema, tmp_path / "home")
    notebook = nbformat.read(ROOT / "examples/read_gold.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)
    resources = {"metadata": {"path": str(ROOT / "examples")}}
    with environment(LAKEHOUSE_HOME=home, IPYTHONDIR=str(tmp_path / "ipython")):
        NotebookClient(notebook, timeout=300, resources=resources).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    told = "".join(output.get("text", "") for output in outputs)
    assert told.startswith(f"{len(expected['current'])} cars, ")
    (picture,) = (output["data"]["image/png"] for output in outputs if "data" in output)
    assert len(base64.b64decode(picture)) > 10_000
