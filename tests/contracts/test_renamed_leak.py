"""A marked Silver column fails the run under any name, like a breach of contract."""

import json
from pathlib import Path

import pytest
import yaml

from tests.support.dbt_runner import make_project

SILVER = "select 'e' as event_id, 'p' as policy, 'c' as customer, 'k' as car"
MARKS = {
    "event_id": {"silver_only": True},
    "policy": {"silver_only": True, "pii": True},
    "customer": {"pii": True},
    "car": {},
}
FROM = "from {{ ref('silver_t') }}"
PYTHON = """
from pyspark.sql import functions as F

def model(dbt, spark):
    t = dbt.ref("silver_t")
    return {}
"""

# The errors for a model with one column, `reference`.
RENAMED = "{}.reference is silver_t.event_id under another name"
PERSONAL = "{}.reference is made of silver_t.policy, which is personal (pii)"
LEAKS = {
    "alias": (f"select event_id as reference {FROM}", RENAMED),
    "cast": (f"select cast(cast(event_id as binary) as string) as reference {FROM}", RENAMED),
    "coalesce": (f"select coalesce(car, event_id) as reference {FROM}", RENAMED),
    "choice": (f"select case when car = 'k' then event_id end as reference {FROM}", RENAMED),
    "union": (f"select car as reference {FROM} union all select event_id {FROM}", RENAMED),
    "aggregate": (f"select max_by(event_id, car) as reference {FROM}", RENAMED),
    "struct": (
        f"select struct(car, event_id as id) as reference {FROM}",
        "{}.reference.id is silver_t.event_id under another name",
    ),
    "udf_of_marked": (
        PYTHON.format('t.select(F.udf(str)("event_id").alias("reference"))'),
        "{}.reference is made of silver_t.event_id, which is silver_only, and reveals it",
    ),
    "map": (f"select map(car, event_id) as reference {FROM}", RENAMED),
    "its_own_name": (
        f"select event_id {FROM}",
        "{}.event_id is silver_t.event_id",
    ),
    "table_by_name": (
        "select event_id as reference from {{ target.schema }}_silver.silver_t",
        RENAMED,
    ),
    "python": (PYTHON.format('t.select(F.col("event_id").alias("reference"))'), RENAMED),
    "python_window": (
        PYTHON.format('t.selectExpr("first(event_id) over (partition by car) as reference")'),
        RENAMED,
    ),
    "personal": (
        f"select policy as reference {FROM}",
        "{}.reference is silver_t.policy under another name",
    ),
    "hash_of_personal": (f"select sha2(policy, 256) as reference {FROM}", PERSONAL),
    "count_of_personal": (f"select count(policy) as reference {FROM}", PERSONAL),
    "personal_everywhere": (
        PYTHON.format('t.select(F.sha2("customer", 256).alias("reference"))'),
        "{}.reference is made of silver_t.customer, which is personal (pii)",
    ),
    "allowed_without_reason": (
        f"select sha2(policy, 256) as reference {FROM}",
        "{}: meta pii_allowed of reference gives no reason",
    ),
    "allowed_copy": (
        f"select policy as reference {FROM}",
        "{}.reference is silver_t.policy under another name",
    ),
}
PASSES = {
    "unmarked": f"select car as reference {FROM}",
    "hash": f"select sha2(concat_ws('|', event_id, car), 256) as reference {FROM}",
    "hash_in_python": PYTHON.format('t.select(F.sha2("event_id", 256).alias("reference"))'),
    "condition": f"select if(event_id = 'e' and policy = 'p', car, 'z') as reference {FROM}",
    "filter": f"select car as reference {FROM} where policy = 'p' and customer = 'c'",
    "allowed": f"select sha2(policy, 256) as reference {FROM}",
    "allowed_copy_of_personal": f"select customer as reference {FROM}",
}
ALLOWANCES = {
    "allowed_without_reason": {"reference": ""},
    "allowed_copy": {"reference": "To match claims by it."},
    "allowed": {"reference": "To match claims by it."},
    "allowed_copy_of_personal": {"reference": "The customer reads it."},
}
# Models without a contract. tests/lineage/test_ways_in.py tests models with one.
WARNS = {
    "udf": PYTHON.format('t.select(F.udf(str)("car").alias("reference"))'),
    "rdd": PYTHON.format('t.select("event_id").rdd.toDF("reference string")'),
    "collected": PYTHON.format('spark.createDataFrame([("e",)], "reference string")'),
}


def files() -> dict[str, str]:
    """Return a project with a marked Silver model, and each case as a Gold model."""
    columns = [{"name": name, "config": {"meta": meta}} for name, meta in MARKS.items()]
    models = [{"name": "silver_t", "config": {"schema": "silver"}, "columns": columns}]
    written = {"models/silver_t.sql": SILVER}
    cases = {name: code for name, (code, _) in LEAKS.items()} | PASSES | WARNS
    for name, code in cases.items():
        extension = "py" if code.startswith("\n") else "sql"
        written[f"models/gold_{name}.{extension}"] = code
        meta = {"pii_allowed": ALLOWANCES[name]} if name in ALLOWANCES else {}
        models.append({"name": f"gold_{name}", "config": {"schema": "gold", "meta": meta}})
    written["models/models.yml"] = yaml.safe_dump({"models": models})
    return written


@pytest.fixture(scope="module")
def project(dbt, tmp_path_factory):
    return make_project(dbt, tmp_path_factory.mktemp("renamed_leak"), files())


@pytest.fixture(scope="module")
def built(project, module_schema):
    # One model reads the Silver table without a `ref`, so the table must exist first.
    assert project("run", "--select", "silver_t", schema=module_schema).success
    return project("run", schema=module_schema)


@pytest.fixture(scope="module")
def built_empty(project, module_schema):
    assert project(
        "run", "--empty", "--select", "silver_t", schema=f"{module_schema}_empty"
    ).success
    return project("run", "--empty", schema=f"{module_schema}_empty")


@pytest.fixture(params=["built", "built_empty"])
def run(request):
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("name", LEAKS)
def test_leak_breaks_the_run(run, name):
    assert run.status[f"gold_{name}"] == "error"
    message = run.message[f"gold_{name}"]
    assert "Compilation Error in model gold_" in message
    said = [line.strip() for line in message.splitlines()]
    assert [line for line in said if line.startswith("gold_")] == [
        LEAKS[name][1].format(f"gold_{name}")
    ]


@pytest.mark.parametrize("name", PASSES)
def test_what_may_pass_passes(run, name):
    assert run.status[f"gold_{name}"] == "success", run.message[f"gold_{name}"]


@pytest.mark.parametrize("name", WARNS)
def test_untraced_column_is_a_warning(run, name):
    assert run.status[f"gold_{name}"] == "success"
    (warning,) = [line for line in run.said if f"gold_{name}.reference cannot be traced" in line]
    assert "it may hold a marked column of silver_t" in warning


def test_untraced_column_is_an_error_where_warnings_are(project, built, module_schema):
    strict = project("--warn-error", "run", "--select", "gold_udf", schema=module_schema)
    assert strict.status["gold_udf"] == "error"


def test_leak_writes_nothing(dbt, built, module_schema):
    tables = {path.name for path in (dbt.home / "warehouse" / f"{module_schema}_gold").iterdir()}
    assert tables == {f"gold_{name}" for name in (*PASSES, *WARNS)}


INCREMENTAL = """
{{{{ config(materialized='incremental', schema='gold') }}}}
select {} as reference from {{{{ ref('silver_t') }}}}
{{% if is_incremental() %}} union all select {} from {{{{ ref('silver_t') }}}} {{% endif %}}
"""


def test_leak_of_a_later_run(small_project, schema):
    columns = [{"name": "event_id", "config": {"meta": MARKS["event_id"]}}]
    models = [{"name": "silver_t", "config": {"schema": "silver"}, "columns": columns}]
    project = small_project(
        {
            "models/models.yml": yaml.safe_dump({"models": models}),
            "models/silver_t.sql": SILVER,
            "models/gold_x.sql": INCREMENTAL.format("car", "event_id"),
        }
    )
    assert project("run", schema=schema).success
    second = project("run", schema=schema)
    assert RENAMED.format("gold_x") in second.message["gold_x"]


def test_mark_goes_along_within_the_schema(small_project, schema):
    """Otherwise a column could lose its mark in one model and leave the schema in the next."""
    marked = {"name": "event_id", "config": {"meta": MARKS["event_id"]}}
    personal = {"name": "policy", "config": {"meta": {"pii": True}}}
    copies = [
        {"name": "copied", "config": {"meta": {"silver_only": True}}},
        {"name": "hashed", "config": {"meta": {"pii": True}}},
    ]
    models = [
        {"name": "silver_t", "columns": [marked, personal]},
        {"name": "silver_u", "columns": copies},
    ]
    columns = (
        "event_id as copied, event_id as lost, md5(policy) as hashed, md5(policy) as h, "
        "trim(event_id) as trimmed, md5(event_id) as fine"
    )
    project = small_project(
        {
            "models/models.yml": yaml.safe_dump({"models": models}),
            "models/silver_t.sql": SILVER,
            "models/silver_u.sql": f"select {columns} {FROM}",
        }
    )
    message = project("run", schema=schema).message["silver_u"]
    said = [line.strip() for line in message.splitlines()]
    assert [line for line in said if line.startswith("silver_u.")] == [
        "silver_u.lost is silver_t.event_id under another name, and is not marked silver_only",
        "silver_u.h is made of silver_t.policy, which is personal (pii), and is not marked pii",
        "silver_u.trimmed is made of silver_t.event_id, which is silver_only, and reveals it, "
        "and is not marked silver_only",
    ]


def test_marks_of_an_ephemeral_model_count(small_project, schema):
    marked = {"name": "event_id", "config": {"meta": {"silver_only": True}}}
    middle = {"name": "middle", "config": {"materialized": "ephemeral", "schema": "silver"}}
    models = [{"name": "silver_t", "columns": []}, middle | {"columns": [marked]}]
    project = small_project(
        {
            "models/models.yml": yaml.safe_dump({"models": models}),
            "models/silver_t.sql": SILVER,
            "models/middle.sql": f"select car as event_id, policy {FROM}",
            "models/gold_x.sql": "select event_id as reference, policy from {{ ref('middle') }}",
        }
    )
    message = project("run", schema=schema).message["gold_x"]
    assert "gold_x.reference is middle.event_id under another name" in message
    written = json.loads((Path(project.target_path) / "column_lineage.json").read_text())
    columns = written["nodes"]["model.small.gold_x"]["columns"]
    told = [f"{o['node']}.{o['column']}" for o in columns["reference"]["origins"]]
    assert told == ["model.small.middle.event_id", "model.small.silver_t.car"]


def test_lineage_of_all_models_is_written(project, built):
    written = json.loads((Path(project.target_path) / "column_lineage.json").read_text())
    names = {"silver_t", *(f"gold_{name}" for name in (*LEAKS, *PASSES, *WARNS))}
    assert written["nodes"].keys() == {f"model.small.{name}" for name in names}
    alias = written["nodes"]["model.small.gold_alias"]["columns"]["reference"]
    origin = {"node": "model.small.silver_t", "column": "event_id", "kind": "copy"}
    assert alias["origins"] == [origin]
