"""A contract's `primary_key` and `unique` are proven or refuted, or reported as unproven.

The proofs are tested in test_plan_keys.py, and their use in a build is tested here.
"""

import json

import pytest
import yaml

from tests.support.dbt_runner import copy_project, make_project

EVENTS = """
select cast(id as int) as id, cast(car as string) as car, cast(km as int) as km
from values (1, 'a', 10), (2, 'a', 20), (3, 'b', 5) as given(id, car, km)
where id is not null and car is not null
"""
TYPES = {"id": "int", "car": "string", "km": "int", "n": "bigint"}

LATEST = """
from pyspark.sql import Window
from pyspark.sql import functions as F


def model(dbt, spark):
    events = dbt.ref("events")
    newest = Window.partitionBy("car").orderBy(F.col("id").desc())
    ranked = events.withColumn("rank", F.row_number().over(newest))
    return ranked{where}.select("car", "km")
"""
PER_CAR = "select car, count(*) as n from {{ ref('events') }} group by car"
AS_THEY_ARE = "select id, car, km from {{ ref('events') }}"
JOINED = (
    "select e.id, d.car from {{ ref('events') }} e left join {{ ref('doubled') }} d using (car)"
)

# Each model's code, columns, constraints and config.
MODELS = {
    "events": (EVENTS, "id car km", [{"type": "unique", "columns": ["id"]}], {}),
    "doubled": (
        "select car, km from {{ ref('events') }}",
        "car km",
        [],
        {},
    ),
    "proven_by_group": (PER_CAR, "car n", "car", {}),
    "proven_by_rank": (LATEST.format(where='.where("rank = 1")'), "car km", "car", {}),
    "refuted_py": (LATEST.format(where=""), "car km", "car", {}),
    "refuted_sql": (AS_THEY_ARE, "id car km", "car", {}),
    "refuted_merge": (
        AS_THEY_ARE,
        "id car km",
        "car",
        {"materialized": "incremental", "unique_key": "car"},
    ),
    "proven_merge": (
        AS_THEY_ARE,
        "id car km",
        "id",
        {"materialized": "incremental", "unique_key": "id"},
    ),
    "proven_quoted_merge": (
        AS_THEY_ARE,
        "id car km",
        "id",
        {"materialized": "incremental", "unique_key": "`ID`"},
    ),
    "proven_partitions": (
        AS_THEY_ARE,
        "id car km",
        "id",
        {
            "materialized": "incremental",
            "incremental_strategy": "insert_overwrite",
            "partition_by": ["bucket(4, id)"],
        },
    ),
    "open_append": (AS_THEY_ARE, "id car km", "id", {"materialized": "incremental"}),
    "open_partitions": (
        AS_THEY_ARE,
        "id car km",
        "id",
        {
            "materialized": "incremental",
            "incremental_strategy": "insert_overwrite",
            "partition_by": ["car"],
        },
    ),
    "open_merge": (
        AS_THEY_ARE,
        "id car km",
        "id",
        {"materialized": "incremental", "unique_key": ["id", "km"]},
    ),
    "open_predicates": (
        AS_THEY_ARE,
        "id car km",
        "id",
        {
            "materialized": "incremental",
            "unique_key": "id",
            "incremental_predicates": ["DBT_INTERNAL_DEST.km > 0"],
        },
    ),
    "proven_but_multiplied": (
        "select e.car, sum(e.km) as n from {{ ref('events') }} e "
        "join {{ ref('events') }} o on e.car = o.car group by e.car",
        "car n",
        "car",
        {},
    ),
    "open_join": (JOINED, "id car", "id", {}),
    "quiet_join": (
        JOINED,
        "id car",
        [{"type": "primary_key", "columns": ["id"], "warn_unenforced": False}],
        {},
    ),
    "strict_join": (JOINED, "id car", "id", {"meta": {"unproven_keys": "error"}}),
}
LINE = "{}: its query does not prove one row per (id)"
OPEN = {
    "open_append": " (its rows are appended to others)",
    "open_partitions": " (it replaces some partitions only)",
    "open_merge": " (it is merged by (id, km))",
    "open_predicates": " (its merge looks at some rows only)",
    "open_join": "",
}


def described(name: str) -> dict:
    """Return the model's entry in a yml."""
    _, columns, promised, config = MODELS[name]
    if isinstance(promised, str):
        promised = [{"type": "primary_key", "columns": [promised]}]
    return {
        "name": name,
        "config": {"contract": {"enforced": True}, "on_schema_change": "fail", **config},
        "constraints": promised,
        "columns": [{"name": column, "data_type": TYPES[column]} for column in columns.split()],
    }


@pytest.fixture(scope="module")
def project(dbt, tmp_path_factory):
    models = [described(name) for name in MODELS]
    models[list(MODELS).index("open_append")]["columns"][0]["data_tests"] = ["unique"]
    files = {"models/m.yml": yaml.safe_dump({"models": models})}
    for name, (code, *_) in MODELS.items():
        files[f"models/{name}.{'py' if 'def model' in code else 'sql'}"] = code
    return make_project(dbt, tmp_path_factory.mktemp("keys"), files)


@pytest.fixture(scope="module", params=["run --empty", "run", "run again"])
def result(request, project, module_schema):
    schema = f"{module_schema}_{'empty' if '--empty' in request.param else 'full'}"
    return project(*request.param.replace(" again", "").split(), schema=schema)


def test_a_key_that_is_refuted_breaks_the_run(result):
    for name in ("refuted_py", "refuted_sql", "refuted_merge"):
        assert result.status[name] == "error", result.text
        assert (
            f"{name}: the contract promises one row per (car), and the query has one per (id) of "
            "events; the last step that makes them fewer: none." in result.message[name]
        )
        assert "\tat " not in result.message[name]


def test_a_key_that_is_proven_is_not_spoken_of(result):
    for name in MODELS:
        if name.startswith("proven"):
            assert result.status[name] == "success", result.message[name]
            assert not any(line.startswith(f"{name}: its query") for line in result.said)
    assert "constraint type" not in result.text


def test_a_sum_that_counts_rows_several_times_is_named(result):
    assert (
        "proven_but_multiplied: a sum of km counts a row as often as a join by (car) finds events "
        "for it, which has one per (id): sum before the join, or join by the whole key."
        in result.said
    )


def test_an_unproven_key_names_the_data_test_that_decides(result):
    for name, reason in OPEN.items():
        assert result.status[name] == "success", result.message[name]
        (line,) = [line for line in result.said if line.startswith(f"{name}:")]
        decides = (
            "; the data test unique_open_append_id decides."
            if name == "open_append"
            else ", and no data test looks for it: add one, `unique` for instance."
        )
        assert line == LINE.format(name) + reason + decides


def test_of_an_open_key_nothing_is_said_where_that_is_asked(result):
    assert result.status["quiet_join"] == "success"
    assert not any(line.startswith("quiet_join:") and "prove" in line for line in result.said)


def test_an_open_key_is_an_error_where_that_is_asked(result):
    assert result.status["strict_join"] == "error"
    assert LINE.format("strict_join") in result.message["strict_join"]


def test_a_key_of_no_column_is_refused(dbt, tmp_path, schema):
    model = {**described("proven_by_group"), "name": "t"}
    model["constraints"] = [{"type": "unique", "columns": ["cars"]}]
    files = {
        "models/t.sql": "select 'a' as car, 1L as n",
        "models/t.yml": yaml.safe_dump({"models": [model]}),
    }
    result = make_project(dbt, tmp_path / "small", files)("run", schema=schema)
    assert "names the column cars, and the contract has none" in result.message["t"]


def test_columns_that_are_not_a_list_are_refused(dbt, tmp_path, schema):
    """dbt would treat a string as a list of characters."""
    model = {**described("proven_by_group"), "name": "t"}
    model["constraints"] = [{"type": "unique", "columns": "car"}]
    files = {
        "models/t.sql": "select 'a' as car, 1L as n",
        "models/t.yml": yaml.safe_dump({"models": [model]}),
    }
    result = make_project(dbt, tmp_path / "small", files)("run", schema=schema)
    assert (
        "t: the columns of the constraint unique are a string: write a list, `columns: [car]`."
        in result.message["t"]
    )


def seed_of(rows: str, key: str) -> dict[str, str]:
    """Return a project of one seed whose contract promises the key."""
    columns = [
        {"name": name, "data_type": kind} for name, kind in {"a": "int", "b": "string"}.items()
    ]
    for column in columns:
        if column["name"] == key:
            column["constraints"] = [{"type": "unique"}]
    config = {
        "contract": {"enforced": True},
        "file_format": "iceberg",
        "column_types": {"a": "int", "b": "string"},
    }
    seed = {"name": "s", "config": config, "columns": columns}
    return {"seeds/s.csv": f"a,b\n{rows}", "seeds/s.yml": yaml.safe_dump({"seeds": [seed]})}


@pytest.mark.parametrize(
    ("rows", "key", "line"),
    [
        ("1,x\n2,x\n,y\n,z\n", "a", None),  # nulls are not equal
        ("1,x\n2,x\n", "b", "one row per (b), and the file has several of (x)."),
        ("1,x\n01,y\n", "a", "one row per (a), and the file has several of (1)."),  # as integers
    ],
)
def test_a_key_of_a_seed_is_looked_up_in_its_file(small_project, schema, rows, key, line):
    result = small_project(seed_of(rows, key))("seed", schema=schema)
    if line:
        assert f"s: the contract promises {line}" in result.message["s"]
    else:
        assert result.status["s"] == "success", result.text
        assert "does not prove" not in result.text


PROMISED = {
    *("silver_car_telemetry", "silver_rejected_events"),
    *("gold_car_current_state", "gold_fuel_efficiency_monthly", "gold_performance_alerts"),
}


def test_the_keys_of_this_project(dbt, tmp_path, schema):
    """All keys are proven. Without the rank filter, the key of the current state is refuted."""
    built = dbt("build", "--empty", "--exclude-resource-type", "test", schema=schema)
    assert built.success, built.text
    manifest = json.loads((dbt.target_path / "manifest.json").read_text())
    assert {
        node["name"] for node in manifest["nodes"].values() if node.get("constraints")
    } == PROMISED
    assert "does not prove one row" not in built.text

    project = copy_project(dbt, tmp_path / "changed")
    file = project.project_dir / "models/gold/gold_car_current_state.py"
    code = file.read_text()
    assert code.count('.where("rank = 1")') == 1
    file.write_text(code.replace('.where("rank = 1")', ""))
    # With the parents: an empty build publishes nothing, so their tables store no lineage yet.
    result = project("run", "--empty", "-s", "+gold_car_current_state", schema=schema)
    assert (
        "gold_car_current_state: the contract promises one row per (car_chassis), and the query has"
        " one per (event_id) of silver_car_telemetry; the last step that makes them fewer: none."
        in result.message["gold_car_current_state"]
    )
