"""Gold models from the scaffold command and from the documentation build and pass their tests."""

import re

import pytest
import yaml

from python_jobs import new_gold_model
from python_jobs.new_gold_model import CannotWriteError
from tests.support.dbt_runner import ROOT, copy_project

KEYS = ["manufacturer", "year"]


@pytest.fixture
def copy(dbt, tmp_path):
    """Return dbt on a copy of this project."""
    return copy_project(dbt, tmp_path / "copy")


@pytest.fixture
def project(copy):
    """Return the folder of the copy."""
    return copy.project_dir


def contents(project):
    return {file: file.read_bytes() for file in project.rglob("*") if file.is_file()}


def write_the_documented(project):
    """Write the model of docs/contracts.md, with its contract and its unit test."""
    text = (ROOT / "docs/contracts.md").read_text(encoding="utf-8")
    section = text.partition("## Writing a Gold model")[2].partition("\n### ")[0]
    (model,) = re.findall(r"```python\n(.*?)```", section, re.S)
    contract, unit_test = re.findall(r"```yaml\n(.*?)```", section, re.S)
    gold = project / "models" / "gold"
    (gold / "gold_trips_per_car.py").write_text(model, encoding="utf-8")
    (gold / "gold_trips_per_car.yml").write_text(f"models:\n{contract}\n{unit_test}")


def test_it_keeps_its_contract_and_passes_its_tests(copy, project, schema):
    new_gold_model.write("gold_events_per_model_year", KEYS, "insurance_desk", project)
    write_the_documented(project)
    exposures = yaml.safe_load((project / new_gold_model.EXPOSURES).read_text())["exposures"]
    assert [each["depends_on"][1:] for each in exposures if each["name"] == "insurance_desk"] == [
        ["ref('gold_events_per_model_year')"]
    ]
    assert [len(each["depends_on"]) for each in exposures] == [3, 2, 2]
    # The tables are empty, but unit tests bring their own rows.
    selected = ("-s", "+gold_events_per_model_year", "+gold_trips_per_car")
    others = ("--exclude", "test_type:unit,path:models/silver")
    options = ("--empty", "--indirect-selection", "cautious")
    result = copy("build", *selected, *others, *options, schema=schema)
    assert result.success, result.text
    wanted = {
        "gold_events_per_model_year": "success",
        "gold_events_per_model_year_counts_events": "pass",
        "unique_combination_gold_events_per_model_year_manufacturer__year": "pass",
        "gold_trips_per_car": "success",
        "trips_of_a_car_are_counted": "pass",
        "unique_gold_trips_per_car_car_chassis": "pass",
    }
    assert {name: result.status.get(name) for name in wanted} == wanted
    # The keys are proven, so dbt does not warn about them.
    assert "one row per" not in "\n".join(result.said)
    # The summary lists every Gold model, even one without a column for its newest event.
    summary = result.said[[line.startswith("In Gold now ") for line in result.said].index(True) :]
    assert [line for line in summary if re.search(r"gold_trips_per_car +0   -$", line)], summary


@pytest.mark.quick
@pytest.mark.parametrize(
    ("name", "keys", "words"),
    [
        ("trips", KEYS, "trips is not a valid name for a Gold model"),
        ("gold_Trips", KEYS, "gold_Trips is not a valid name"),
        ("gold_../../x", KEYS, "is not a valid name"),
        ("gold_car_current_state", KEYS, "models/gold/gold_car_current_state.py already exists"),
        ("gold_trips", ["no_such"], "silver_car_telemetry has no column no_such"),
        ("gold_trips", ["rental_customer_id"], "rental_customer_id is marked"),
    ],
)
def test_what_cannot_be_a_gold_model_is_refused(project, name, keys, words):
    before = contents(project)
    with pytest.raises(CannotWriteError, match=words):
        new_gold_model.write(name, keys, root=project)
    assert contents(project) == before


@pytest.mark.quick
def test_unknown_exposure_is_refused(project):
    before = contents(project)
    with pytest.raises(CannotWriteError, match="has no nobody: it has fleet_dashboard, insurance"):
        new_gold_model.write("gold_trips", KEYS, "nobody", project)
    assert contents(project) == before


@pytest.mark.quick
def test_the_command_says_why_in_one_line(capsys):
    assert new_gold_model.main(["gold_trips", "--key", "no_such"]) == 2
    told = capsys.readouterr()
    assert told.out == "" and told.err.count("\n") == 1
