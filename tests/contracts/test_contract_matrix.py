"""Nothing reaches Gold that its contract does not name: every way in, on every path.

The cases are data: for each Gold contract of the project, and one with the types that those lack,
each way in is a small Python model whose clean form keeps the contract and whose breached form does
not. All models of a path run in one dbt invocation.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.support.dbt_runner import ROOT, make_project

SCHEMA = "matrix"

# What a column is retyped to: near misses first of all.
RETYPED = {
    "bigint": "int",
    "int": "bigint",
    "float": "double",
    "double": "float",
    "string": "timestamp",
    "timestamp": "string",
    "date": "timestamp",
    "boolean": "string",
    "decimal(12,2)": "decimal(10,2)",
    "struct<a:int,b:string>": "struct<a:bigint,b:string>",
    "array<int>": "array<bigint>",
    "map<string,decimal(12,2)>": "map<string,decimal(10,2)>",
}


@dataclass(frozen=True)
class Case:
    """One way in: the columns of the breached select, and what dbt's contract table must say."""

    name: str
    contract: str
    breach: list[str]
    column: str
    reason: str


def columns_of(layer: str, model: str) -> list[dict]:
    models = yaml.safe_load((ROOT / f"models/{layer}/_{layer}__models.yml").read_text())["models"]
    return next(m["columns"] for m in models if m["name"] == model)


GOLD = ["gold_car_current_state", "gold_fuel_efficiency_monthly", "gold_performance_alerts"]
CONTRACTS = {name: columns_of("gold", name) for name in GOLD}
CONTRACTS["every_type"] = [
    {"name": f"c{number}", "data_type": kind} for number, kind in enumerate(RETYPED)
]
SILVER = columns_of("silver", "silver_car_telemetry")
SILVER_ONLY = [c for c in SILVER if c.get("config", {}).get("meta", {}).get("silver_only")]


def not_null(column: dict) -> bool:
    return {"type": "not_null"} in column.get("constraints", [])


def value(column: dict, kind: str | None = None) -> str:
    """SQL of the column as its contract has it, or as `kind`; never null where that is promised."""
    kind = kind or column["data_type"]
    literals = {"string": "'x'", "timestamp": "timestamp'2026-01-15'"}
    literal = literals.get(kind, f"cast(1 as {kind})") if not_null(column) else "null"
    return f"cast({literal} as {kind}) as {column['name']}"


def cases() -> list[Case]:
    found = []
    for contract, columns in CONTRACTS.items():
        clean = {column["name"]: value(column) for column in columns}
        names = {name.lower() for name in clean}

        def add(name, breach, column, reason, contract=contract):
            found.append(Case(f"{contract}__{name}", contract, breach, column, reason))

        for extra in SILVER_ONLY:
            added = [*clean.values(), value(extra)]
            add(f"extra_{extra['name']}", added, extra["name"], "missing in contract")
        star = [value(column) for column in SILVER if column["name"] not in names]
        add("extra_all_of_silver", [*clean.values(), *star], "event_id", "missing in contract")
        for column in columns:
            name = column["name"]
            others = [sql for other, sql in clean.items() if other != name]
            add(f"missing_{name}", others, name, "missing in definition")
            renamed = value({**column, "name": f"{name}_2"})
            add(f"renamed_{name}", [*others, renamed], f"{name}_2", "missing in contract")
            retyped = value(column, RETYPED[column["data_type"]])
            add(f"retyped_{name}", [*others, retyped], name, "data type mismatch")
            if not_null(column):
                nullable = value({**column, "constraints": []})
                add(f"nullable_{name}", [*others, nullable], name, "data type mismatch")
        first = columns[0]
        respelt = value({**first, "name": first["name"].upper()})
        add(
            "other_case",
            [*list(clean.values())[1:], respelt],
            first["name"],
            "missing in definition",
        )
    return found


CASES = cases()
PATHS = ["first run", "first --empty", "next run", "--full-refresh", "--empty", "retry"]

MODEL = """
def model(dbt, spark):
    is_breached = dbt.config.get("breached")
    # The clean form is in another order: the table is as the contract says all the same.
    return spark.range(1).selectExpr(*({breached!r} if is_breached else {clean!r}[::-1]))
"""


@pytest.fixture(scope="module")
def paths(dbt, tmp_path_factory):
    """For each path: dbt's result, and each table's files before and after it."""
    files = {}
    for number, case in enumerate(CASES):
        clean = [value(column) for column in CONTRACTS[case.contract]]
        files[f"models/{case.name}.py"] = MODEL.format(breached=case.breach, clean=clean)
        config = {
            "materialized": ["table", "incremental"][number % 2],
            "on_schema_change": "fail",
            "contract": {"enforced": True},
            "breached": "{{ var('breached') }}",
        }
        model = {"name": case.name, "config": config, "columns": CONTRACTS[case.contract]}
        for column in model["columns"]:
            column.pop("data_tests", None)
        files[f"models/{case.name}.yml"] = yaml.safe_dump({"models": [model]})
    project = make_project(dbt, tmp_path_factory.mktemp("matrix"), files)
    warehouse = dbt.home / "warehouse" / SCHEMA
    results = {}

    def run(path, *command, **variables):
        before = files_of(warehouse)
        result = project(*command, schema=SCHEMA, **variables)
        results[path] = (result, before, files_of(warehouse))

    run("first run", "run", breached=True)
    run("first --empty", "run", "--empty", breached=True)
    run("clean", "run", breached=False)
    run("next run", "run", breached=True)
    run("--full-refresh", "run", "--full-refresh", breached=True)
    run("--empty", "run", "--empty", breached=True)
    run("retry", "retry", breached=True)
    return results


def files_of(warehouse: Path) -> dict[str, set]:
    """By table, each of its files and when that was written: data, snapshots, schemas and all."""
    return {
        table.name: {(str(file), file.stat().st_mtime_ns) for file in table.rglob("*")}
        for table in (warehouse.iterdir() if warehouse.is_dir() else ())
    }


def test_there_are_at_least_500_cases():
    assert len(CASES) * len(PATHS) >= 500


def test_each_clean_form_keeps_its_contract(paths):
    result, _, tables = paths["clean"]
    assert result.success, result.text
    assert set(tables) == {case.name for case in CASES}


def test_columns_stand_in_the_order_of_the_contract(paths, spark):
    for contract, columns in CONTRACTS.items():
        table = f"{SCHEMA}.{contract}__extra_event_id"
        assert spark.table(table).columns == [column["name"] for column in columns]


@pytest.mark.parametrize("path", PATHS)
def test_the_command_fails(paths, path):
    result, _, _ = paths[path]
    assert not result.success
    assert set(result.status) == {case.name for case in CASES}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_breach(paths, path, case):
    result, before, after = paths[path]
    assert result.status[case.name] == "error"
    row = re.search(rf"^ *\| {case.column} .*$", result.message[case.name], re.MULTILINE)
    assert row, result.message[case.name]
    assert case.reason in row.group()
    assert before.get(case.name) == after.get(case.name)
