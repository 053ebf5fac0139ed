"""Contracts are exported to the Open Data Contract Standard and imported again."""

import subprocess

import pytest
import yaml
from dbt_spark_contracts.cli.main import run

from tests.support.dbt_runner import ROOT, copy_project, environment
from tests.support.packages import uv

# Runs in its own environment, because its pins conflict with this project's.
LINTER = "datacontract-cli==1.2.8"

SILVER = "models/silver/_silver__models.yml"
LAYERS = {
    SILVER,
    "models/bronze/_bronze__models.yml",
    "models/gold/_gold__models.yml",
}


@pytest.fixture(scope="module")
def contract(dbt):
    """Return a function that runs `contract …` on a project and returns the exit code."""

    def call(*arguments, folder=ROOT):
        options = ("--project-dir", str(folder), "--profiles-dir", str(ROOT), "--target", "local")
        with environment(LAKEHOUSE_HOME=str(dbt.home), LAKEHOUSE_SCHEMA="ci"):
            return run(["contract", *arguments, *options])

    return call


@pytest.fixture(scope="module")
def exported(contract, tmp_path_factory):
    """Return the exported file with all contracts of this project."""
    file = tmp_path_factory.mktemp("exported") / "contracts.yml"
    assert contract("export", "--out", str(file)) == 0
    return file


def models_of(folder):
    """Return the models of the layers, each with its columns by name."""
    found = {}
    for path in LAYERS:
        for each in yaml.safe_load((folder / path).read_text(encoding="utf-8"))["models"]:
            found[each["name"]] = {c["name"]: c for c in each.get("columns", [])}, each
    return found


def promised(folder):
    """Return the columns, with the keys that ODCS covers, and the constraints of each model."""
    kept = ("data_type", "description", "constraints", "config")
    return {
        name: (
            {c: {key: column.get(key) for key in kept} for c, column in columns.items()},
            model.get("constraints"),
        )
        for name, (columns, model) in models_of(folder).items()
    }


@pytest.fixture
def stripped(dbt, tmp_path):
    """Return a copy of this project without columns, constraints and data tests."""
    folder = copy_project(dbt, tmp_path / "copy").project_dir
    for path in LAYERS:
        data = yaml.safe_load((folder / path).read_text(encoding="utf-8"))
        for model in data["models"]:
            for key in ("columns", "constraints", "data_tests"):
                model.pop(key, None)
        (folder / path).write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return folder


@pytest.mark.quick
def test_what_a_document_says(exported):
    document = yaml.safe_load(exported.read_text(encoding="utf-8"))
    assert document["apiVersion"] == "v3.1.0"
    (owner,) = document["team"]["members"]
    assert (owner["username"], owner["role"]) == ("platform@example.org", "owner")
    objects = {each["name"]: each for each in document["schema"]}
    months = objects["gold_fuel_efficiency_monthly"]["properties"]
    assert [each["name"] for each in months if each.get("primaryKeyPosition")] == [
        *("car_chassis", "year_month"),
    ]
    silver = {each["name"]: each for each in objects["silver_car_telemetry"]["properties"]}
    assert silver["insurance_policy_number"]["classification"] == "restricted"
    assert silver["event_year"] == {
        **{"name": "event_year", "logicalType": "integer", "physicalType": "int"},
        **{"description": "Year of event_timestamp, UTC.", "classification": "internal"},
        "customProperties": [{"property": "silver_only", "value": True}],
    }
    latencies = {each["element"]: each for each in document["slaProperties"]}
    assert (latencies["gold_car_current_state"]["value"]) == 7
    assert (latencies["gold_car_current_state"]["unit"]) == "d"


def test_an_import_of_what_was_exported_changes_nothing(contract, exported, capsys):
    assert contract("import", str(exported), "--check") == 0
    assert capsys.readouterr().out.splitlines() == [
        "team is not imported: dbt's groups have the owners",
        "slaProperties is not imported: dbt's sources have the freshness",
    ]


def test_an_import_gives_the_contracts_that_were_exported(contract, exported, stripped):
    assert contract("import", str(exported), folder=stripped) == 0
    assert promised(stripped) == promised(ROOT)
    assert contract("import", str(exported), "--check", folder=stripped) == 0


CONSTRAINTS = """
models:
  - name: gold_car_current_state
    config: {contract: {enforced: true}}
    constraints:
      - {type: unique, columns: [car_chassis, year]}
      - {type: check, expression: "year > 1900", name: recent}
    columns:
      - name: car_chassis
        data_type: string
        constraints: [{type: unique}, {type: check, expression: "car_chassis <> ''"}]
      - {name: year, data_type: int}
"""


def test_other_constraints_come_back(contract, stripped, tmp_path, capsys):
    gold = stripped / "models/gold/_gold__models.yml"
    gold.write_text(CONSTRAINTS, encoding="utf-8")
    (stripped / "models/gold/_gold__unit_tests.yml").unlink()
    file = tmp_path / "one.yml"
    assert contract("export", "gold_car_current_state", "--out", str(file), folder=stripped) == 0
    without = yaml.safe_load(CONSTRAINTS)
    for key in ("constraints", "columns"):
        del without["models"][0][key]
    gold.write_text(yaml.safe_dump(without, sort_keys=False), encoding="utf-8")
    assert contract("import", str(file), folder=stripped) == 0
    (model,) = yaml.safe_load(gold.read_text(encoding="utf-8"))["models"]
    assert sorted(map(str, model["constraints"])) == sorted(
        map(
            str,
            [
                {"type": "unique", "columns": ["car_chassis"]},
                {"type": "unique", "columns": ["car_chassis", "year"]},
                {"type": "check", "name": "recent", "expression": "year > 1900"},
            ],
        )
    )
    assert model["columns"][0]["constraints"] == [
        {"type": "check", "expression": "car_chassis <> ''"}
    ]
    # What the document no longer contains is reported, and stays in the yml.
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    (described,) = document["schema"]
    described["properties"] = described["properties"][:1]
    described["quality"] = []
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    capsys.readouterr()
    assert contract("import", str(file), folder=stripped) == 1
    said = capsys.readouterr().out
    assert "gold_car_current_state.year stays in the yml" in said
    assert "the key (car_chassis, year) stays" in said


@pytest.mark.quick
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "cannot be read"),
        ("kind: Other", "is not an ODCS contract"),
        ("{kind: DataContract, apiVersion: v2.2.2}", "only version 3 is supported"),
        ("{kind: DataContract, apiVersion: v3.0.2}", "has no schema"),
        (
            "{kind: DataContract, apiVersion: v3.1.0, schema: [{name: nobody}]}",
            "there is no model nobody",
        ),
        (
            "{kind: DataContract, apiVersion: v3.1.0, schema: [{name: gold_car_current_state, "
            "properties: [{name: year, logicalType: integer}]}]}",
            "gold_car_current_state.year has no physicalType",
        ),
    ],
)
def test_what_cannot_be_imported_is_one_line(contract, tmp_path, capsys, text, reason):
    file = tmp_path / "contract.yml"
    if text:
        file.write_text(text, encoding="utf-8")
    assert contract("import", str(file)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert reason in line


@pytest.mark.quick
@pytest.mark.parametrize("command", ["", "generate", "export", "import", "diff"])
def test_the_help_fits_a_screen(capsys, monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "80")
    assert run(["contract", *command.split(), "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    assert not command or "Exit codes:" in "\n".join(lines)


def test_the_standards_own_linter_takes_it(exported):
    alone = ("run", "--isolated", "--no-project", "--with", LINTER)
    linted = subprocess.run(
        [uv(), *alone, "datacontract", "lint", str(exported)],
        cwd=exported.parent,
        capture_output=True,
        text=True,
    )
    assert linted.returncode == 0, linted.stdout + linted.stderr
    assert "Data contract is valid against ODCS v3.1.0" in linted.stdout

    wrong = exported.parent / "wrong.yml"
    text = exported.read_text(encoding="utf-8")
    wrong.write_text(text.replace("logicalType: string", "logicalType: text", 1))
    refused = subprocess.run(
        [uv(), *alone, "datacontract", "lint", str(wrong)], cwd=exported.parent, capture_output=True
    )
    assert refused.returncode == 1
