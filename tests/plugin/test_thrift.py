"""Contracts are enforced if Spark runs in another process, here Spark's own Thrift server."""

import re
from contextlib import closing

import pytest
import yaml
from dbt.cli.main import dbtRunner
from pyhive import hive

from tests.support.dbt_runner import LOGS
from tests.support.thrift_server import thrift_server

# The server starts another Java, and dbt-spark sends one statement at a time.
pytestmark = pytest.mark.full

CONTRACT = {"contract": {"enforced": True}}
COLUMNS = [
    {"name": "id", "data_type": "bigint", "constraints": [{"type": "not_null"}]},
    {
        "name": "amount",
        "data_type": "decimal(10,2)",
        "constraints": [{"type": "check", "expression": "amount < 100", "name": "cheap"}],
    },
    {"name": "of", "data_type": "struct<a:int>"},
]
QUERY = "select {} as id, cast({} as decimal(10,2)) as amount, named_struct('a', 1) as of"
GOOD = QUERY.format("1L", "1.5")
MODELS = {
    "good": GOOD,
    "null_amount": QUERY.format("1L", "null"),  # a check constraint accepts null
    "seen": "{{ config(materialized='view') }} " + GOOD,
    "bit_by_bit": "{{ config(materialized='incremental', on_schema_change=var('on', 'fail')) }} "
    "select * {{ var('more', '') }} from (" + QUERY.format("{{ var('id', '1L') }}", "1.5") + ")",
    "free": "select 1 as x",
    # Named after the breach.
    "retyped": GOOD.replace("decimal(10,2)", "decimal(12,2)"),
    "retyped_view": "{{ config(materialized='view') }} " + GOOD.replace("'a'", "'b'"),
    "one_more": GOOD + ", 2 as stray",
    "a_null": QUERY.format("if(rand() > 2, 1L, null)", "1.5"),
    "dear": QUERY.format("1L", "if(rand() < 2, 500, 1)"),
}
BREACHES = {
    "retyped": r"amount\s*\| decimal\(12,2\)\s*\| decimal\(10,2\)\s*\| data type mismatch",
    "retyped_view": r"of\s*\| struct<b:int>\s*\| struct<a:int>\s*\| data type mismatch",
    "one_more": r"stray\s*\| int\s*\|\s*\| missing in contract",
    "a_null": "a_null: id is null, and is not_null",
    "dear": r"dear: cheap \(amount < 100\) does not hold",
}
HELD = "method thrift: the names, types, not_null and check of a contract are enforced,"


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    with thrift_server(tmp_path_factory.mktemp("thrift")) as port:
        yield port


@pytest.fixture(scope="module")
def project(tmp_path_factory, port):
    folder = tmp_path_factory.mktemp("by_thrift")
    target = {
        **{"type": "spark", "method": "thrift", "host": "127.0.0.1", "port": port},
        **{"user": "dbt", "schema": "shop", "threads": 2},
    }
    of_hive = target | {"schema": "spark_catalog.shop"}
    formats = "{{ 'iceberg' if target.name == 'iceberg' else 'parquet' }}"
    texts = {
        "dbt_project.yml": {
            "name": "small",
            "profile": "small",
            "flags": {"send_anonymous_usage_stats": False},
            "models": {"+file_format": formats, "+materialized": "table"},
            "on-run-start": "{{ begin_run() }}",
            "on-run-end": "{{ end_run() }}",
        },
        "profiles.yml": {
            "small": {
                "target": "iceberg",
                "outputs": {"hive": of_hive, "iceberg": target},
            }
        },
        "models/all.yml": {
            "models": [
                {"name": name, "config": CONTRACT, "columns": COLUMNS}
                for name in MODELS
                if name != "free"
            ]
        },
    }
    (folder / "models").mkdir()
    for path, text in texts.items():
        (folder / path).write_text(yaml.safe_dump(text))
    for name, query in MODELS.items():
        (folder / f"models/{name}.sql").write_text(query)

    def run(*arguments, **variables):
        events = []
        result = dbtRunner(callbacks=[lambda event: events.append(event.info.msg)]).invoke(
            [
                *arguments,
                *("--project-dir", str(folder), "--profiles-dir", str(folder)),
                *("--log-path", str(LOGS), "--vars", yaml.safe_dump(variables)),
            ]
        )
        nodes = (each for each in result.result or () if hasattr(each, "node"))
        found = {each.node.name: each for each in nodes if each.node.resource_type == "model"}
        messages = {name: str(each.message) for name, each in found.items()}
        statuses = {name: str(each.status) for name, each in found.items()}
        return statuses, messages, [*events, str(result.exception)]

    run.folder = folder
    return run


@pytest.fixture(scope="module")
def query(port):
    """Yield a function that runs SQL with a Thrift client."""
    with closing(hive.connect("127.0.0.1", port)) as connection:
        cursor = connection.cursor()

        def rows(sql):
            cursor.execute(sql)
            return cursor.fetchall() if sql.startswith(("select", "show")) else []

        yield rows


@pytest.mark.parametrize("target", ["hive", "iceberg"])
def test_contract_is_enforced(project, query, target):
    without = ["--exclude", "config.materialized:view"] if target == "iceberg" else []
    statuses, messages, said = project("run", "--target", target, *without)
    left_out = {"seen", "retyped_view"} if without else set()
    for name in MODELS.keys() - BREACHES.keys() - left_out:
        assert statuses[name] == "success", messages[name]
    for name in BREACHES.keys() - left_out:
        assert statuses[name] == "error", name
        assert re.search(BREACHES[name], messages[name]), messages[name]
    assert len([line for line in said if HELD in line]) == 1
    schema = "lake.shop" if target == "iceberg" else "spark_catalog.shop"
    there = {row[1] for row in query(f"show tables in {schema}")}
    assert there == MODELS.keys() - BREACHES.keys() - left_out
    (row,) = query(f"select id, amount from {schema}.good")
    assert [str(value) for value in row] == ["1", "1.50"]


def test_a_table_that_has_drifted_stops_an_incremental_run(project, query):
    of_it = ("run", "--target", "iceberg", "-s", "bit_by_bit")
    table = "lake.shop.bit_by_bit"
    assert project(*of_it)[0] == {"bit_by_bit": "success"}
    count = query(f"select count(*) from {table}")
    # Later runs enforce the contract too.
    _, messages, _ = project(*of_it, more=", 2 as stray")
    assert re.search(BREACHES["one_more"], messages["bit_by_bit"])
    _, messages, _ = project(*of_it, id="if(rand() > 2, 1L, null)")
    assert "bit_by_bit: id is null, and is not_null" in messages["bit_by_bit"]
    query(f"alter table {table} add column stray int")
    query(f"alter table {table} drop column amount")
    _, messages, _ = project(*of_it)
    for line in (
        "stray: in the table, not in the contract: `alter table shop.bit_by_bit drop column stray`",
        "amount: in the contract, not in the table: set `on_schema_change: append_new_columns`",
    ):
        assert line in messages["bit_by_bit"]
    assert query(f"select count(*) from {table}") == count
    query(f"alter table {table} drop column stray")
    assert project(*of_it, on="append_new_columns")[0] == {"bit_by_bit": "success"}
    query(f"alter table {table} drop column id")
    query(f"alter table {table} add column id int")
    _, messages, _ = project(*of_it)
    assert "id: int in the table, bigint in the contract" in messages["bit_by_bit"]
    assert project(*of_it, "--full-refresh")[0] == {"bit_by_bit": "success"}


@pytest.mark.parametrize("operation", ["publish", "roll_back", "maintain", "unlock"])
def test_an_operation_on_branches_is_refused(project, operation):
    said = "\n".join(project("run-operation", operation)[2])
    assert f"{operation} needs `method: session`" in said


def test_marks_are_not_lost_in_silence(project):
    """Plans are not visible, so contracts in a project with marks cannot be enforced."""
    text = (project.folder / "models/all.yml").read_text()
    models = yaml.safe_load(text)["models"]
    marked = {"name": "free", "columns": [{"name": "x", "config": {"meta": {"pii": True}}}]}
    allowed = dict.fromkeys(("id", "amount", "of"), "Made of literals.")
    for model in models:
        if model["name"] == "null_amount":
            model["config"] = CONTRACT | {"meta": {"untraced_allowed": allowed}}
    try:
        (project.folder / "models/all.yml").write_text(
            yaml.safe_dump({"models": [*models, marked]})
        )
        (project.folder / "models/reads.sql").write_text("select x from {{ ref('free') }}")
        statuses, messages, said = project("run", "-s", "good", "null_amount", "free", "reads")
    finally:
        (project.folder / "models/all.yml").write_text(text)
        (project.folder / "models/reads.sql").unlink()
    assert statuses["good"] == "error"
    assert "good cannot be traced by method thrift, and the project has marked" in messages["good"]
    assert {statuses[name] for name in ("null_amount", "free", "reads")} == {"success"}
    warning = "reads cannot be traced by method thrift: it may hold a marked column of free"
    assert any(warning in line for line in said)


def test_a_condition_of_a_merge_is_refused(project):
    """dbt-spark's own merge has none, and would update all rows."""
    model = project.folder / "models/merged.sql"
    config = "materialized='incremental', unique_key='id', matched_condition='false'"
    model.write_text(f"{{{{ config({config}) }}}} select 1 as id")
    try:
        statuses, messages, _ = project("run", "-s", "merged")
    finally:
        model.unlink()
    assert statuses["merged"] == "error"
    assert "matched_condition needs dbt-spark's `method: session`" in messages["merged"]


def test_a_contract_on_a_python_model_is_refused_by_dbt(project):
    (project.folder / "models/by_python.py").write_text("def model(dbt, spark):\n    return None\n")
    contract = {"models": [{"name": "by_python", "config": CONTRACT, "columns": COLUMNS}]}
    (project.folder / "models/python.yml").write_text(yaml.safe_dump(contract))
    try:
        said = "\n".join(project("parse")[2])
    finally:
        (project.folder / "models/by_python.py").unlink()
        (project.folder / "models/python.yml").unlink()
    assert "Language Error: Expected 'sql' but found 'python'" in said
