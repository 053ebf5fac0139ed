"""A small project on the double of Athena: dbt-athena's own macros, and none of this project's."""

from datetime import date, datetime

import pytest
import yaml

from tests.support.athena_double.calculations import HANDLE, USE_IN_NEW_TABLES
from tests.support.athena_double.double import athena

BUCKET = "small"

TARGET = {
    "type": "athena",
    "region_name": "us-east-1",
    "database": "awsdatacatalog",
    "schema": "small",
    "work_group": "primary",
    "spark_work_group": "spark",
    "s3_staging_dir": f"s3://{BUCKET}/results/",
    "s3_data_dir": f"s3://{BUCKET}/warehouse/",
    "threads": 4,
}
PROJECT = {
    "name": "small",
    "profile": "small",
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
    "profiles.yml": yaml.safe_dump({"small": {"target": "athena", "outputs": {"athena": TARGET}}}),
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
    {{ var('trips', 'count(*)') }} as trips,
    max(at) as last_at,
    cast(max(at) as date) as last_day
from {{ ref('merged') }}
group by car
""",
    "models/python.py": """
from pyspark.sql import functions as F

def model(dbt, spark):
    dbt.config(materialized="table")
    files = spark.read.text("s3://small/landing").count()
    last = F.max("at").alias("at")
    return dbt.ref("merged").groupBy("car").agg(last, F.lit(files).alias("lines"))
""",
}


@pytest.fixture(scope="module")
def double(spark, tmp_path_factory):
    with athena(spark, tmp_path_factory.mktemp("athena") / "bucket", BUCKET) as double:
        double.bucket.s3.put_object(Bucket=BUCKET, Key="landing/1.txt", Body=b"1\n2\n")
        yield double


@pytest.fixture(scope="module")
def on_athena(double, tmp_path_factory):
    """A function that runs dbt on the small project."""
    folder = tmp_path_factory.mktemp("small")
    for path, text in FILES.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text)
    options = ("--project-dir", folder, "--profiles-dir", folder)
    return lambda *arguments, **variables: double.dbt(
        *arguments, *options, "--vars", yaml.safe_dump(variables)
    )


@pytest.fixture(scope="module")
def built(double, on_athena):
    """Two builds, the second one incremental."""
    for number in ("first", "second"):
        ended = on_athena("build", round=number)
        assert ended.returncode == 0, ended.stdout


MERGED_ROWS = [
    (1, "a", datetime(2025, 11, 4, 14, 30), 12.5, "first"),
    (2, "b, c", datetime(2025, 12, 5, 0, 0, 0, 250000), None, "second"),
    (3, "a", datetime(2026, 1, 1), 7.0, "second"),
]


def test_an_incremental_build_merges(built, double):
    assert double.sql("select * from merged order by trip", "small") == MERGED_ROWS
    entry = double.client("glue").get_table(DatabaseName="small", Name="merged")["Table"]
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


def test_tables_are_made_anew(built, double):
    last = datetime(2025, 12, 5, 0, 0, 0, 250000)
    assert double.sql("select * from by_car order by car", "small") == [
        ("a", 2, datetime(2026, 1, 1), date(2026, 1, 1)),
        ("b, c", 1, last, date(2025, 12, 5)),
    ]
    assert double.sql("select * from python order by car", "small") == [
        ("a", datetime(2026, 1, 1), 2),
        ("b, c", last, 2),
    ]


@pytest.mark.parametrize(
    ("trips", "says"),
    [
        ("cast(count(*) as varchar)", "| trips .* VARCHAR .* BIGINT .* data type mismatch"),
        ("min(trip)", "| trips .* INTEGER .* BIGINT .* data type mismatch"),
        ("count(*) as n, min(trip)", "| n .* BIGINT .* missing in contract"),
    ],
)
def test_a_breach_of_contract_stops_the_build(built, double, on_athena, trips, says):
    """The types of a query's result are Trino's, so that dbt finds what it would on Athena."""
    ended = on_athena("run", "--select", "by_car", round="third", trips=trips)
    assert ended.returncode != 0
    assert "This model has an enforced contract that failed." in ended.stdout
    with pytest.raises(AssertionError, match=says.replace("|", "[|]")):
        raise AssertionError(ended.stdout)
    assert double.sql("select trips from by_car order by car", "small") == [(2,), (1,)]
