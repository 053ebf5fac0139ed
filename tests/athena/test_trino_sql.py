"""The Athena gate for SQL: each rule, and a violation of it."""

import shutil

import pytest

from python_jobs.athena_gate import trino_sql
from python_jobs.athena_gate.__main__ import main
from python_jobs.athena_gate.trino_sql import problems_of
from tests.support.dbt_runner import ROOT

pytestmark = pytest.mark.quick

SETTINGS = """
name: small
profile: lakehouse
flags: {send_anonymous_usage_stats: false}
models: {+table_type: iceberg, +materialized: table}
"""


@pytest.fixture
def project(tmp_path):
    """Return a function that creates a project of the given files, with the Athena macros."""

    def make(files: dict[str, str]):
        for folder in ("cross_engine", "project"):
            shutil.copytree(ROOT / "macros" / folder, tmp_path / "macros" / folder)
        shutil.copy(ROOT / "profiles.yml", tmp_path)
        for path, text in {"dbt_project.yml": SETTINGS, **files}.items():
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        return tmp_path

    return make


@pytest.mark.parametrize(
    "sql",
    [
        "select cast(a as timestamp(6)) as a, timestamp '2026-01-15 00:00:00' as b from t",
        "select try(json_parse(a)) as a, coalesce(b, 'x') as b, current_date as c from t",
        "select none_match(a, one -> one in ('{', 'n')) as a, texts['a.b'] as b from t",
        "create table t (a timestamp(6), b varchar)",
    ],
)
def test_sql_that_athena_takes(sql):
    assert list(problems_of(sql)) == []


@pytest.mark.parametrize(
    "sql",
    [
        "select a rlike 'x' as a from t",
        "select a <=> b as a from t",
        "select `a` from t",
        "select explode(a) from t lateral view explode(b) c as d",
        "select cast(a as struct<b:int>) as a from t",
    ],
)
def test_what_is_not_trinos_grammar(sql):
    assert any("not valid in Trino" in problem for problem in problems_of(sql))


@pytest.mark.parametrize(
    "function",
    ["get_json_object(a, '$')", "sha2(a, 256)", "datediff(a, b)", "size(a)", "left(a, 3)"],
)
def test_function_that_trino_does_not_document(function):
    (problem,) = problems_of(f"select\n    {function} as x\nfrom t")
    assert problem == f"line 2: {function.partition('(')[0]} is not a function of Trino"


@pytest.mark.parametrize(
    ("sql", "data_type"),
    [
        ("select cast(a as timestamp) as a from t", "timestamp"),
        ("select try_cast(a as timestamp with time zone) as a from t", "timestamp with time zone"),
        ("select cast(a as array(timestamp)) as a from t", "array(timestamp)"),
        ("create table t (a timestamp, b varchar)", "timestamp"),
    ],
)
def test_timestamp_without_a_precision(sql, data_type):
    assert list(problems_of(sql)) == [f"line 1: {data_type}: write timestamp(6), as Iceberg has it"]


def test_each_rule_is_checked_for_each_model_and_data_test(project, capsys):
    path = project(
        {
            "models/grammar.sql": "select 1 as a where 'x' rlike 'x'",
            "models/function.sql": "select size(array[1]) as a",
            "models/type.sql": "select cast('2026-01-15' as timestamp) as a",
            "models/good.sql": "select {{ sha256_hex([\"'x'\"]) }} as a",
            # The problem is only in the incremental branch.
            "models/later.sql": "{{ config(materialized='incremental') }} select 1 as a "
            "{% if is_incremental() %} union all select sha2('x') from {{ this }} {% endif %}",
            "tests/singular.sql": "select get_json_object('{}', '$') as a",
            # dbt macros that differ between adapters. Methods with the same names are allowed.
            "models/macro.sql": "select cast(1 as {{ dbt.type_float() }}) as a",
            "models/macros.sql": "select {{ dbt.date(2026, 1, 15) }} as a, "
            "cast(1 as {{ type_float() }}) as b",
            "models/days.sql": "select {{ datediff('a', 'b', 'day') }} as d",
            "models/method.sql": "-- {{ run_started_at.date() }}\nselect 1 as b",
            "macros/c.sql": "{% macro c() %}cast(1 as {{ dbt.type_timestamp() }}){% endmacro %}",
            # The types of a contract.
            "models/typed.sql": "select 1 as a",
            "models/typed.yml": "models: [{name: typed, config: {contract: {enforced: true}}, "
            "columns: [{name: a, data_type: struct<b:int>}]}]",
            "models/newer.py": "def model(dbt, spark):\n"
            "    return dbt.ref('good').withColumns({})\n",
        }
    )
    assert main(["--project-dir", str(path)]) == 1
    told = capsys.readouterr().err.splitlines()
    assert any(line.startswith("contracts: line ") for line in told)
    differs = "differs between adapters: use a macro of macros/cross_engine"
    assert sorted(line for line in told if not line.startswith("contracts: ")) == [
        f"{path}/models/newer.py:2: withColumns needs Spark 3.3, but Athena has 3.2",
        f"macros/c.sql: dbt.type_timestamp {differs}",
        "models/days.sql: days: line 1: TIMESTAMP: write timestamp(6), as Iceberg has it",
        f"models/days.sql: dbt.datediff {differs}",
        "models/function.sql: function: line 1: size is not a function of Trino",
        "models/grammar.sql: grammar: line 1: not valid in Trino: "
        "Line 1, Position 25: Found unparsable section: \"rlike 'x'\"",
        "models/later.sql: later: line 1: sha2 is not a function of Trino",
        f"models/macro.sql: dbt.type_float {differs}",
        f"models/macros.sql: dbt.date {differs}",
        f"models/macros.sql: dbt.type_float {differs}",
        "models/macros.sql: macros: line 1: to_date is not a function of Trino",
        "models/type.sql: type: line 1: timestamp: write timestamp(6), as Iceberg has it",
        "tests/singular.sql: singular: line 1: get_json_object is not a function of Trino",
    ]


def test_the_exit_code_tells(project, capsys):
    path = project({"models/a.sql": "select 1 as a"})
    assert main(["--project-dir", str(path)]) == 0
    assert capsys.readouterr().err == ""

    (path / "models/a.sql").write_text("select {{ nothing() }} as a", encoding="utf-8")
    assert main(["--project-dir", str(path)]) == 2
    assert "nothing" in capsys.readouterr().err


def test_a_function_that_athena_may_not_have():
    (problem,) = problems_of("select any_value(a) as a from t")
    assert problem == "line 1: any_value is newer than Athena's engine"


def test_the_list_is_a_sorted_list_of_names():
    lines = trino_sql.FUNCTIONS.read_text(encoding="utf-8").splitlines()
    names = [line.lstrip("!") for line in lines if not line.startswith("#")]
    assert names == sorted(set(names))
    allowed, refused = trino_sql.listed_functions()
    assert allowed | refused == set(names)
    assert {"cast", "json_parse", "try_cast"} <= allowed
    assert "any_value" in refused
    assert not {"datediff", "from_json", "rlike", "sha2"} & set(names)
