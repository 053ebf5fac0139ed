"""Nothing outside its contract reaches Gold: every kind of breach, on every path.

The cases are generated from each Gold contract, and from one with every type. Each case is a small
model with a clean form that keeps the contract and a breached form that breaks it. The models
are SQL and Python, table and incremental. They all run in one dbt command that writes to a branch
and publishes it, as in this project.

By default, each kind of breach is tried on one nullable and one not-null column, and a wrong type
on each type. The tier `full` tries all of them on every column.
"""

import re
from collections import defaultdict
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from tests.support.dbt_runner import ROOT, make_project

# The wrong type for each column type. Most are the closest other type.
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


KINDS = [
    *(("sql", "table"), ("python", "table")),
    *(("sql", "incremental"), ("python", "incremental")),
]


@dataclass(frozen=True)
class Case:
    """One breach: the selected columns, and the row expected in dbt's contract error table."""

    name: str
    contract: str
    breach: list[str]
    column: str
    reason: str
    language: str
    materialized: str


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
    """Return the SQL of a column, by default with its contract's type. Not null if promised."""
    kind = kind or column["data_type"]
    literals = {"string": "'x'", "timestamp": "timestamp'2026-01-15'"}
    literal = literals.get(kind, f"cast(1 as {kind})") if not_null(column) else "null"
    return f"cast({literal} as {kind}) as {column['name']}"


def cases(every: bool) -> list[Case]:
    """Return the cases, for every column or for one of each sort, with alternating model kinds."""
    found = []
    turns = defaultdict(lambda: cycle(KINDS))
    retypes = set()
    for contract, columns in CONTRACTS.items():
        clean = {column["name"]: value(column) for column in columns}
        names = {name.lower() for name in clean}

        def add(way, name, breach, column, reason, contract=contract):
            kind = next(turns[way])
            found.append(Case(f"{contract}__{way}_{name}", contract, breach, column, reason, *kind))

        for extra in SILVER_ONLY if every else SILVER_ONLY[:2]:
            added = [*clean.values(), value(extra)]
            add("extra", extra["name"], added, extra["name"], "missing in contract")
        star = [value(column) for column in SILVER if column["name"] not in names]
        add("extra", "all_of_silver", [*clean.values(), *star], "event_id", "missing in contract")
        first_of = {not_null(column): column for column in columns[::-1]}.values()
        for column in columns if every else first_of:
            name = column["name"]
            others = [sql for other, sql in clean.items() if other != name]
            add("missing", name, others, name, "missing in definition")
            renamed = value({**column, "name": f"{name}_2"})
            add("renamed", name, [*others, renamed], f"{name}_2", "missing in contract")
            if not_null(column):
                nullable = value({**column, "constraints": []})
                add("nullable", name, [*others, nullable], name, "data type mismatch")
        for column in columns:
            name, kind = column["name"], (column["data_type"], not_null(column))
            if every or kind not in retypes:
                retypes.add(kind)
                others = [sql for other, sql in clean.items() if other != name]
                retyped = value(column, RETYPED[column["data_type"]])
                add("retyped", name, [*others, retyped], name, "data type mismatch")
        first = columns[0]
        respelt = value({**first, "name": first["name"].upper()})
        others = list(clean.values())[1:]
        add("respelt", first["name"], [*others, respelt], first["name"], "missing in definition")
    return found


# dbt's command for each path. Between the two groups, a retry creates the tables.
FIRST = {"first --empty": ["run", "--empty"], "first run": ["run"]}
LATER = {
    "next run": ["run"],
    "retry": ["retry"],
    "--full-refresh": ["run", "--full-refresh"],
    "--empty": ["run", "--empty"],
}

# The clean form selects in another order than the contract, which the table follows.
PYTHON = """
def model(dbt, spark):
    is_breached = dbt.config.get("breached")
    return spark.range(1).selectExpr(*({breached!r} if is_breached else {clean!r}))
"""
SQL = (
    "select {{% if var('breached') %}} {breached} {{% else %}} {clean} {{% endif %}} from range(1)"
)
SETTINGS = """
name: small
profile: lakehouse
flags: {send_anonymous_usage_stats: false}
models: {+file_format: iceberg}
on-run-start: "{{ begin_run() }}"
on-run-end: "{{ end_run() }}"
"""


def files_of(cases: list[Case]) -> dict[str, str]:
    """Return the project's files: a model and its contract for each case."""
    files = {"dbt_project.yml": SETTINGS}
    for case in cases:
        clean = [value(column) for column in CONTRACTS[case.contract]][::-1]
        if case.language == "python":
            code = PYTHON.format(breached=case.breach, clean=clean)
            files[f"models/{case.name}.py"] = code
        else:
            code = SQL.format(breached=", ".join(case.breach), clean=", ".join(clean))
            files[f"models/{case.name}.sql"] = code
        config = {
            "materialized": case.materialized,
            "on_schema_change": "fail",
            "contract": {"enforced": True},
            "breached": "{{ var('breached') }}",
        }
        columns = [
            {name: told for name, told in column.items() if name != "data_tests"}
            for column in CONTRACTS[case.contract]
        ]
        model = {"name": case.name, "config": config, "columns": columns}
        files[f"models/{case.name}.yml"] = yaml.safe_dump({"models": [model]})
    return files


@pytest.fixture(
    scope="module",
    params=["some columns", pytest.param("every column", marks=pytest.mark.full)],
)
def matrix(request, dbt, tmp_path_factory, module_schema):
    """Return the cases and, for each path, dbt's result and the table files before and after."""
    tried = cases(every=request.param == "every column")
    project = make_project(dbt, tmp_path_factory.mktemp("matrix"), files_of(tried))
    schema = f"{module_schema}_{len(tried)}"
    warehouse = dbt.home / "warehouse" / schema
    results = {}

    def run(path, command, breached=True):
        before = tables_in(warehouse)
        result = project(*command, schema=schema, breached=breached)
        results[path] = (result, before, tables_in(warehouse))

    for path, command in FIRST.items():
        run(path, command)
    run("clean", ["retry"], breached=False)
    for path, command in LATER.items():
        run(path, command)
    return SimpleNamespace(cases=tried, results=results, schema=schema)


def tables_in(warehouse: Path) -> dict[str, set]:
    """Return path and mtime of all files of each table, including its metadata."""
    return {
        table.name: {(str(file), file.stat().st_mtime_ns) for file in table.rglob("*")}
        for table in (warehouse.iterdir() if warehouse.is_dir() else ())
    }


def test_each_clean_form_keeps_its_contract(matrix):
    """This also covers the retry of a failed run."""
    result, before, tables = matrix.results["clean"]
    assert result.success, result.text
    assert before == {}
    assert set(tables) == {case.name for case in matrix.cases}


def test_columns_are_in_the_order_of_the_contract(matrix, spark):
    for case in matrix.cases:
        columns = [column["name"] for column in CONTRACTS[case.contract]]
        assert spark.table(f"{matrix.schema}.{case.name}").columns == columns, case.name


@pytest.mark.parametrize("path", [*FIRST, *LATER])
def test_each_breach_stops_its_model_and_writes_nothing(matrix, path):
    result, before, after = matrix.results[path]
    assert not result.success
    passed = [case.name for case in matrix.cases if result.status.get(case.name) != "error"]
    assert passed == []
    not_told = {
        case.name: result.message[case.name]
        for case in matrix.cases
        if not tells(result.message[case.name], case)
    }
    assert not_told == {}
    written = [case.name for case in matrix.cases if before.get(case.name) != after.get(case.name)]
    assert written == []


def tells(message: str, case: Case) -> bool:
    """Return whether dbt's contract error table has the column with the reason of the case."""
    row = re.search(rf"^ *\| {case.column} .*$", message, re.MULTILINE)
    return bool(row) and case.reason in row.group()
