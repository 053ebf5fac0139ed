"""Nothing outside its contract reaches Gold: every kind of violation, on every path.

The cases are data: for each Gold contract of the project, and one with the types that those lack,
each way in is a small model whose clean form keeps the contract and whose breached form does not.
The models are SQL and Python, tables and incremental; all of them run in one dbt command, which
writes to a branch and publishes it, as this project's do.

By default a way in is tried on a column that may be null and one that may not, and a wrong type on
each type; in the tier `full` all is tried on every column.
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


KINDS = [
    *(("sql", "table"), ("python", "table")),
    *(("sql", "incremental"), ("python", "incremental")),
]


@dataclass(frozen=True)
class Case:
    """One way in: the columns of the breached select, and what dbt's contract table must say."""

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
    """SQL of the column as its contract has it, or as `kind`; never null where that is promised."""
    kind = kind or column["data_type"]
    literals = {"string": "'x'", "timestamp": "timestamp'2026-01-15'"}
    literal = literals.get(kind, f"cast(1 as {kind})") if not_null(column) else "null"
    return f"cast({literal} as {kind}) as {column['name']}"


def cases(every: bool) -> list[Case]:
    """The ways in, each on every column or on one of its sort; by turns in each kind of model."""
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


# By the name of the path: dbt's command. The tables are made in between, by a retry.
FIRST = {"first --empty": ["run", "--empty"], "first run": ["run"]}
LATER = {
    "next run": ["run"],
    "retry": ["retry"],
    "--full-refresh": ["run", "--full-refresh"],
    "--empty": ["run", "--empty"],
}

# Its clean form is in another order: the table is as the contract says all the same.
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
    """The project's files: a model and its contract for each case."""
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
    """The cases and, for each path, dbt's result, and each table's files before and after it."""
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
    """By table, each of its files and when that was written: data, snapshots, schemas and all."""
    return {
        table.name: {(str(file), file.stat().st_mtime_ns) for file in table.rglob("*")}
        for table in (warehouse.iterdir() if warehouse.is_dir() else ())
    }


def test_each_clean_form_keeps_its_contract(matrix):
    """Of a failed run's retry, too."""
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
    """Whether dbt's table of the breach has the case's column, with the case's reason."""
    row = re.search(rf"^ *\| {case.column} .*$", message, re.MULTILINE)
    return bool(row) and case.reason in row.group()
