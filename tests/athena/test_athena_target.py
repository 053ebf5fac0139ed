"""The target `athena` without an account: parsing, compiling and rendering."""

import json
import os
import shutil
import subprocess
import sys

import pytest
import yaml
from dbt.adapters.athena.impl import AthenaAdapter
from dbt.cli.main import dbtRunner
from dbt_common.events.contextvars import get_node_info
from dbt_common.exceptions import DbtBaseException

from tests.support.dbt_runner import ROOT

pytestmark = pytest.mark.quick

# dbt's command line without network access.
OFFLINE = """
import socket

def refuse(*address):
    raise OSError(f"no network: {address}")

socket.socket.connect = socket.getaddrinfo = refuse
from dbt.cli.main import cli
cli()
"""

# The columns of the contract.
COLUMNS = {
    "a_text": "string",
    "an_int": "int",
    "a_bigint": "bigint",
    "a_double": "double",
    "a_boolean": "boolean",
    "a_date": "date",
    "a_timestamp": "timestamp",
    "a_millisecond": "timestamp(3)",
    "a_decimal": "decimal(10,2)",
}


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    """Return dbt's manifest, parsed and compiled without a home, credentials or network."""
    folder = tmp_path_factory.mktemp("offline")
    command = ["compile", "--no-introspect", "--target", "athena"]
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE, *command, "--target-path", folder, "--log-path", folder],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": str(folder / "nowhere")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((folder / "manifest.json").read_text(encoding="utf-8"))


def test_parsing_and_compiling_need_no_credentials(manifest):
    """Every model and data test is compiled."""
    for node in manifest["nodes"].values():
        if node["resource_type"] in ("model", "test"):
            assert node["compiled_code"].strip(), node["name"]


def test_the_configs_are_those_of_spark_as_dbt_athena_calls_them(manifest):
    told = {
        node["name"]: tuple(
            node["config"].get(key)
            for key in ("table_type", "incremental_strategy", "unique_key", "partitioned_by")
        )
        for node in manifest["nodes"].values()
        if node["resource_type"] in ("model", "seed")
    }
    assert told == {
        # On Athena too, Spark writes the table of a Python model.
        "bronze_car_events": ("iceberg", "append", None, ["months(ingested_at)"]),
        "stg_car_events": ("iceberg", "append", None, ["month(ingested_at)"]),
        "silver_car_telemetry": ("iceberg", "merge", "event_id", ["month(event_timestamp)"]),
        "silver_rejected_events": ("iceberg", "merge", "rejected_event_id", None),
        "alert_rules": ("iceberg", None, None, None),
        # On Athena these are tables, so the strategy does not apply.
        "gold_car_current_state": ("iceberg", "delete+insert", "car_chassis", None),
        "gold_fuel_efficiency_monthly": (
            *("iceberg", "delete+insert", ["car_chassis", "year_month"], None),
        ),
        "gold_performance_alerts": (
            "iceberg",
            "delete+insert",
            "alert_id",
            ["months(alert_date)"],
        ),
    }


def test_python_models_go_to_athenas_spark(manifest):
    methods = {
        node["config"]["submission_method"]
        for node in manifest["nodes"].values()
        if node.get("language") == "python"
    }
    assert methods == {"athena_helper"} <= set(AthenaAdapter.python_submission_helpers.fget(None))


def test_silver_and_gold_are_tables_which_athenas_spark_can_read(manifest):
    assert {
        (layer, node["config"]["materialized"])
        for node in manifest["nodes"].values()
        for layer in ("silver", "gold")
        if node["resource_type"] == "model" and layer in node["fqn"]
    } == {("silver", "incremental"), ("gold", "table")}


def test_a_query_is_not_longer_than_athena_takes(manifest):
    for node in manifest["nodes"].values():
        if node.get("language") == "sql":
            # The limit is 262144 bytes, and the statement around the query needs some of them.
            assert len(node["compiled_code"].encode()) < 200_000, node["name"]


# Models with the contract above.
MODELS = {
    "cast": "{{ contracts__cast_to_contract('select 1 as x') }}",
    "checked": "{{ get_assert_columns_equivalent('select 1 as x') if execute }}",
    "created": "{{ config(**partitioned_by(['months(a_timestamp)', 'bucket(16, a_text)'])) }}"
    "{{ athena__create_table_as(false, this, 'select 1 as x') if execute }}",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Return a small project of these models, with this project's macros for Athena."""
    folder = tmp_path_factory.mktemp("small")
    for macros in ("cross_engine", "project"):
        shutil.copytree(ROOT / "macros" / macros, folder / "macros" / macros)
    shutil.copy(ROOT / "profiles.yml", folder)
    (folder / "dbt_project.yml").write_text(
        "name: small\nprofile: lakehouse\nflags: {send_anonymous_usage_stats: false}\n"
        "models: {+table_type: iceberg}\n"
        "on-run-start: '{{ begin_run() }}'\n"
        "on-run-end: ['{{ end_run() }}', '{{ summarize_gold() }}']\n"
    )
    (folder / "models").mkdir()
    columns = [{"name": name, "data_type": type} for name, type in COLUMNS.items()]
    contract = {"config": {"contract": {"enforced": True}}, "columns": columns}
    models = [{"name": name, **contract} for name in MODELS]
    (folder / "models/models.yml").write_text(yaml.safe_dump({"models": models}))
    for name, jinja in MODELS.items():
        (folder / f"models/{name}.sql").write_text(jinja)
    return folder


@pytest.fixture(scope="module")
def warehouse():
    """Stub the calls to Athena, and yield the queries that dbt-athena sends, by model."""
    asked = {}

    def columns(adapter, sql):
        asked.setdefault(get_node_info()["node_name"], []).append(sql)
        return []

    with pytest.MonkeyPatch.context() as patch:
        for name, answer in {
            "get_column_schema_from_query": columns,
            "is_work_group_output_location_enforced": lambda adapter: False,
            "generate_s3_location": lambda adapter, *_: "s3://bucket/table",
            "delete_from_s3": lambda adapter, location: None,
        }.items():
            answer._is_available_ = True
            patch.setattr(AthenaAdapter, name, answer)
        yield asked


@pytest.fixture(scope="module")
def rendered(project, warehouse):
    """Return the compiled code of each model."""
    done = call_dbt(project, "compile", "--no-introspect")
    assert done.success, done.exception
    nodes = [result.node for result in done.result.results]
    return {node.name: " ".join(node.compiled_code.split()) for node in nodes}


def call_dbt(project, *command: str):
    options = ["--project-dir", project, "--profiles-dir", project]
    options += ["--target-path", project / "target", "--log-path", project, "--target", "athena"]
    return dbtRunner().invoke([*command, *map(str, options)])


SELECTED = (
    'select cast("a_text" as varchar) as "a_text", cast("an_int" as int) as "an_int",'
    ' cast("a_bigint" as bigint) as "a_bigint", cast("a_double" as double) as "a_double",'
    ' cast("a_boolean" as boolean) as "a_boolean", cast("a_date" as date) as "a_date",'
    ' cast("a_timestamp" as timestamp(6)) as "a_timestamp",'
    ' cast("a_millisecond" as timestamp(3)) as "a_millisecond",'
    ' cast("a_decimal" as decimal(10,2)) as "a_decimal" from ( select 1 as x ) as model_rows'
)


def test_a_contracts_types_are_trinos_and_its_timestamps_icebergs(rendered):
    assert rendered["cast"] == SELECTED


def test_a_contract_is_checked_against_what_the_model_says_before_it_is_cast(rendered, warehouse):
    asked = warehouse["checked"]
    assert "select 1 as x" in asked[0]
    assert "cast(null as timestamp(6)) as a_timestamp" in asked[1]


def test_a_table_is_created_as_its_contract_says(rendered, warehouse):
    assert rendered["created"] == (
        'create table "awsdatacatalog"."athena_default"."created" with ( table_type=\'iceberg\','
        " is_external=false,location='s3://bucket/table',"
        " partitioning=ARRAY['month(a_timestamp)', 'bucket(a_text, 16)'], format='parquet' ) as "
        + SELECTED
    )
    # The contract check must see the model's own types: a cast would hide a breach.
    assert "cast(" not in warehouse["created"][0]


def test_the_hooks_that_branch_on_spark_do_nothing_here(project, rendered, monkeypatch):
    """Only the Spark adapter has branches, so a hook that used one would fail the run."""
    monkeypatch.setattr(AthenaAdapter, "set_relations_cache", lambda *_, **__: None)
    monkeypatch.setattr(AthenaAdapter, "list_schemas", lambda *_: ["athena_default"])
    done = call_dbt(project, "run", "--select", "cast")
    assert not isinstance(done.exception, DbtBaseException), done.exception
    # The model fails because there is no warehouse.
    assert {result.node.name: str(result.status) for result in done.result.results} == {
        "small-on-run-start-0": "success",
        "cast": "error",
        "small-on-run-end-0": "success",
        "small-on-run-end-1": "success",
    }


def test_the_profile_is_set_by_the_environment(project, monkeypatch):
    for name, value in {
        "AWS_REGION": "eu-central-1",
        "LAKEHOUSE_ATHENA_CATALOG": "my_catalog",
        "LAKEHOUSE_SCHEMA": "prod",
        "LAKEHOUSE_ATHENA_WORKGROUP": "sql",
        "LAKEHOUSE_ATHENA_SPARK_WORKGROUP": "pyspark",
        "LAKEHOUSE_ATHENA_RESULTS": "s3://bucket/results/",
        "LAKEHOUSE_ATHENA_DATA": "s3://bucket/data/",
    }.items():
        monkeypatch.setenv(name, value)
    credentials = []
    init = AthenaAdapter.__init__

    def keep(adapter, config, context):
        credentials.append(config.credentials)
        init(adapter, config, context)

    monkeypatch.setattr(AthenaAdapter, "__init__", keep)
    assert call_dbt(project, "parse").success
    assert {
        key: getattr(credentials[0], key)
        for key in (
            *("region_name", "database", "schema", "work_group", "spark_work_group"),
            *("s3_staging_dir", "s3_data_dir", "s3_data_naming"),
        )
    } == {
        "region_name": "eu-central-1",
        "database": "my_catalog",
        "schema": "prod",
        "work_group": "sql",
        "spark_work_group": "pyspark",
        "s3_staging_dir": "s3://bucket/results/",
        "s3_data_dir": "s3://bucket/data/",
        # dbt-athena replaces an Iceberg table by a rename, so each table needs its own folder.
        "s3_data_naming": "schema_table_unique",
    }


WRONG_MARKS = {
    "at_the_model": (
        {"config": {"meta": {"pii": True}}},
        "cast: meta pii marks nothing here",
    ),
    "mistyped": (
        {"columns": [{"name": "a_text", "config": {"meta": {"silver_olny": True}}}]},
        "cast.a_text: meta silver_olny marks nothing: write silver_only.",
    ),
    "a_place_that_athena_cannot_hold": (
        {"columns": [{"name": "a_text", "config": {"meta": {"stays_in": "tag:inner"}}}]},
        "cast.a_text: meta stays_in works on Spark only, except `stays_in: schema`",
    ),
    "beside_meta": (
        {"columns": [{"name": "a_text", "config": {"pii": True}}]},
        "cast.a_text: pii has no meaning outside meta",
    ),
    "an_allowance_of_no_column": (
        {
            "config": {"contract": {"enforced": True}, "meta": {"pii_allowed": {"z": "So."}}},
            "columns": [{"name": "a_text", "data_type": "string"}],
        },
        "cast: meta pii_allowed names z, a column that does not exist.",
    ),
}


@pytest.mark.parametrize("case", WRONG_MARKS)
def test_a_mark_that_marks_nothing_is_refused(project, tmp_path, case):
    yml, line = WRONG_MARKS[case]
    folder = tmp_path / "project"
    shutil.copytree(project, folder)
    told = yaml.safe_dump({"models": [{"name": "cast", **yml}]})
    (folder / "models/models.yml").write_text(told)
    options = ["--project-dir", str(folder), "--profiles-dir", str(folder), "--target", "athena"]
    result = dbtRunner().invoke(["parse", *options, "--log-path", str(tmp_path)])
    assert line in str(result.exception)
