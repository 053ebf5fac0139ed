"""A small project with dbt-athena's own macros only, on the front of Athena."""

import re
from datetime import date, datetime
from pathlib import Path

import pytest
import yaml

from tests.support.athena_front.calculations import HANDLE, USE_IN_NEW_TABLES
from tests.support.athena_front.front import BUCKET
from tests.support.dbt_runner import Dbt

pytestmark = pytest.mark.engines

PROJECT = {
    "name": "small",
    "profile": "lakehouse",
    "flags": {"send_anonymous_usage_stats": False},
    "models": {
        "+table_type": "iceberg",
        "+persist_docs": {"relation": True, "columns": True},
        "+on_schema_change": "fail",
    },
    "seeds": {"+table_type": "iceberg"},
}
SEED = {
    "name": "trips",
    "config": {"column_types": {"trip": "int", "at": "string", "km": "double"}},
    "columns": [{"name": "trip", "data_tests": ["unique", "not_null"]}],
}
MERGED = {
    "name": "merged",
    "description": "The trips.",
    "config": {"contract": {"enforced": True}},
    "columns": [
        {"name": "trip", "data_type": "int", "data_tests": ["unique", "not_null"]},
        {"name": "car", "data_type": "string", "description": "Which car."},
        {"name": "at", "data_type": "timestamp(6)"},
        {"name": "km", "data_type": "double"},
        {"name": "round", "data_type": "string"},
    ],
}
BY_CAR = {
    "name": "by_car",
    "config": {"contract": {"enforced": True}},
    "columns": [
        {"name": "car", "data_type": "string", "data_tests": ["unique"]},
        {"name": "trips", "data_type": "bigint"},
        {"name": "last_at", "data_type": "timestamp(6)"},
        {"name": "last_day", "data_type": "date"},
    ],
}
PYTHON = {
    "name": "python",
    "config": {"engine_config": {"SparkProperties": {HANDLE: "true", USE_IN_NEW_TABLES: "true"}}},
}
FILES = {
    "dbt_project.yml": yaml.safe_dump(PROJECT),
    "models/models.yml": yaml.safe_dump({"models": [MERGED, BY_CAR, PYTHON]}),
    "seeds/seeds.yml": yaml.safe_dump({"seeds": [SEED]}),
    "seeds/trips.csv": """trip,car,at,km,is_paid
1,a,2025-11-04 14:30:00,12.5,true
2,"b, c",2025-12-05 00:00:00.25,,false
3,a,2026-01-01 00:00:00,7,
""",
    "models/merged.sql": """
{{ config(
    materialized='incremental', incremental_strategy='merge', unique_key='trip',
    partitioned_by=['month(at)'],
) }}
select
    trip,
    car,
    cast(at as timestamp(6)) as at,
    km,
    cast('{{ var("round") }}' as varchar) as round
from {{ ref('trips') }}
where {{ 'trip > 1' if is_incremental() else 'trip < 3' }}
""",
    "models/by_car.sql": """
{{ config(materialized='table') }}
select
    car,
    count(*) as trips,
    max(at) as last_at,
    cast(max(at) as date) as last_day
from {{ ref('merged') }}
group by car
""",
    # Exceeds the number of partitions per query, so dbt-athena writes the rows in two batches.
    "models/many.sql": """
{{ config(materialized='table', partitioned_by=['n']) }}
select n from unnest(sequence(1, 101)) as numbers (n)
""",
    "models/python.py": f"""
from pyspark.sql import functions as F

def model(dbt, spark):
    dbt.config(materialized="table")
    files = spark.read.text("s3://{BUCKET}/small").count()
    last = F.max("at").alias("at")
    return dbt.ref("merged").groupBy("car").agg(last, F.lit(files).alias("lines"))
""",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    write(folder, FILES)
    return Dbt(folder, folder)


def write(folder: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text)


@pytest.fixture(scope="module")
def built(athena, project):
    """Build twice. The second build is incremental."""
    athena.put("small/1.txt", b"1\n2\n")
    for number in ("first", "second"):
        ended = athena.dbt(project, "build", schema="small", round=number)
        assert ended.success, ended.text


MERGED_ROWS = [
    (1, "a", datetime(2025, 11, 4, 14, 30), 12.5, "first"),
    (2, "b, c", datetime(2025, 12, 5, 0, 0, 0, 250000), None, "second"),
    (3, "a", datetime(2026, 1, 1), 7.0, "second"),
]


def test_an_incremental_build_merges(built, athena):
    assert athena.sql("select * from merged order by trip", "small") == MERGED_ROWS
    entry = athena.client("glue").get_table(DatabaseName="small", Name="merged")["Table"]
    assert entry["Description"] == "The trips."
    columns = {one["Name"]: one for one in entry["StorageDescriptor"]["Columns"]}
    assert columns["car"]["Comment"] == "Which car."
    assert {name: one["Type"] for name, one in columns.items()} == {
        "trip": "int",
        "car": "string",
        "at": "timestamp",
        "km": "double",
        "round": "string",
    }


def test_tables_are_rebuilt(built, athena):
    last = datetime(2025, 12, 5, 0, 0, 0, 250000)
    assert athena.sql("select * from by_car order by car", "small") == [
        ("a", 2, datetime(2026, 1, 1), date(2026, 1, 1)),
        ("b, c", 1, last, date(2025, 12, 5)),
    ]
    assert athena.sql("select * from python order by car", "small") == [
        ("a", datetime(2026, 1, 1), 2),
        ("b, c", last, 2),
    ]


def test_more_partitions_than_a_query_may_write(built, athena):
    assert athena.sql("select count(distinct n) from many", "small") == [(101,)]


# The expression for `trips`, and the contract error that dbt reports.
BREACHES = {
    "by_car": ("cast(count(*) as varchar)", "| trips .* VARCHAR .* BIGINT .* data type mismatch"),
    "smaller": ("min(trip)", "| trips .* INTEGER .* BIGINT .* data type mismatch"),
    "another": ("count(*) as n, min(trip)", "| n .* BIGINT .* missing in contract"),
}


@pytest.fixture(scope="module")
def broken(built, athena, project):
    """Run models that break their contracts. One of them has a table from an earlier build."""
    sql = FILES["models/by_car.sql"]
    files = {
        f"models/{name}.sql": sql.replace("count(*)", trips)
        for name, (trips, _) in BREACHES.items()
    }
    new = [BY_CAR | {"name": name} for name in BREACHES if name != "by_car"]
    write(project.project_dir, {**files, "models/broken.yml": yaml.safe_dump({"models": new})})
    return athena.dbt(project, "run", "--select", *BREACHES, schema="small", round="second")


@pytest.mark.parametrize("name", BREACHES)
def test_a_breach_of_contract_stops_the_build(broken, name):
    """The query's result types come from Trino, so dbt finds the breach that it would on Athena."""
    assert broken.status[name] == "error"
    assert "This model has an enforced contract that failed." in broken.message[name]
    assert re.search(BREACHES[name][1].replace("|", "[|]"), broken.message[name])


def test_a_breach_of_contract_leaves_the_table_as_it_was(broken, athena):
    assert athena.sql("select trips from by_car order by car", "small") == [(2,), (1,)]
    tables = athena.client("glue").get_tables(DatabaseName="small")["TableList"]
    assert {table["Name"] for table in tables} == {"trips", "merged", "by_car", "many", "python"}
