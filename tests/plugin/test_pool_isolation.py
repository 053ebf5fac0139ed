"""A command on a spare Java has no state of an earlier command or of the warm-up."""

import json

import pytest
from dbt_spark_contracts.spark import pool

from tests.support.dbt_runner import ROOT, environment, make_project
from tests.support.pool import own_pool, processes, wait_until

# A model that prints the state of its session, and then leaves state of each kind behind.
PROBE = """
import json
import os

import worth
from pyspark.sql import functions as F


def model(dbt, spark):
    print("FOUND", json.dumps(find(spark)), flush=True)
    spark.range(3).createOrReplaceTempView("left_behind")
    spark.range(3).createGlobalTempView("left_behind_for_all")
    spark.sql("cache table left_behind")
    spark.sql("set spark.sql.shuffle.partitions = 77")
    # Not by `set`, which a model may not do.
    spark._jsparkSession.conf().set("spark.wap.branch", "left_behind")
    spark.sql("set spark.sql.catalog.left_behind = org.apache.iceberg.spark.SparkCatalog")
    return spark.range(1)


def find(spark):
    context = spark.sparkContext
    settings = dict(context.getConf().getAll())
    java = context._jvm.java.lang.management.ManagementFactory.getRuntimeMXBean().getPid()
    views = spark.sql("show views").collect() + spark.sql("show views in global_temp").collect()
    return {
        "java": java,
        "log": context._jvm.java.lang.System.getProperty("spark.log.file"),
        "views": [view.viewName for view in views if "dbt_stage" not in view.viewName],
        "has cached": not spark._jsparkSession.sharedState().cacheManager().isEmpty(),
        "partitions": spark.conf.get("spark.sql.shuffle.partitions"),
        "branch": spark.conf.get("spark.wap.branch", None),
        "rows": spark.table(os.environ["DBT_CHANGED_TABLE"]).count(),
        "catalogs": sorted(
            setting.key
            for setting in spark.sql("set").collect()
            if setting.key.startswith("spark.sql.catalog.")
        ),
        "settings": sorted(set(settings) - {"spark.driver.port", "spark.app.id"}),
        "name": context.appName,
        "first job": not context.statusTracker().getJobIdsForGroup(None),
        "worker": spark.range(1).select(F.udf(seen_by_worker)("id")).first()[0],
    }


def seen_by_worker(_):
    return f"{worth.WORTH}, {os.environ.get('DBT_TODAY')}, {os.environ.get('LAKEHOUSE_SCHEMA')}"
"""


@pytest.fixture
def changed_table(spark, schema) -> str:
    """Return a table with one row, which the probe reads."""
    spark.sql(f"create namespace {schema}")
    spark.sql(f"create table {schema}.changed using iceberg as select 1 as id")
    return f"{schema}.changed"


@pytest.fixture
def run(dbt, tmp_path, changed_table):
    """Return a function that runs the probe as a separate command and returns what it found."""
    project = make_project(dbt, tmp_path, {"models/probe.py": PROBE})

    def run(schema: str, worth: int, today: str) -> dict:
        (tmp_path / "worth.py").write_text(f"WORTH = {worth}\n")
        with environment(DBT_TODAY=today, DBT_CHANGED_TABLE=changed_table):
            command = project.start("--debug", "run", schema=schema, target_path=tmp_path / "out")
        said, _ = command.communicate()
        assert command.returncode == 0, said
        line = next(line for line in said.splitlines() if line.startswith("FOUND "))
        return json.loads(line.removeprefix("FOUND ")) | {
            "is spare": "Spark runs in a Java that was warmed before" in said
        }

    return run


def test_a_command_finds_nothing_of_others(run, schema, spark, changed_table):
    # By default Spark's own catalog is in the working directory of the command.
    was_there = (ROOT / "spark-warehouse").exists()
    with own_pool() as runtime:
        first = run(f"{schema}_one", worth=1, today="monday")
        [place] = wait_until(pool.places, "the first command leaves a spare")
        spare = wait_until(
            lambda: (said := pool.ask(place, "status")) and said["state"] == "warm" and said,
            "it is warm",
        )
        spark.sql(f"insert into {changed_table} select 2")
        second = run(f"{schema}_two", worth=2, today="tuesday")
        wait_until(lambda: processes(runtime, "spark.keeper"), "the second leaves one too")

    assert (ROOT / "spark-warehouse").exists() is was_there, "the warm-up leaves no folder"
    assert (first.pop("is spare"), second.pop("is spare")) == (False, True)
    assert first.pop("java") != (java := second.pop("java"))
    assert java == spare["java"]
    # The project's modules and the environment variables are those of the current command.
    assert first.pop("worker") == f"1, monday, {schema}_one"
    assert second.pop("worker") == f"2, tuesday, {schema}_two"
    assert (first.pop("rows"), second.pop("rows")) == (1, 2), "what another process has written"
    assert second == first, "apart from that, a spare is like a new one"
    assert second["views"] == [] and second["branch"] is None and not second["has cached"]


@pytest.mark.slow
def test_a_command_leaves_no_spare_if_switched_off(run, schema):
    with own_pool() as runtime, environment(DBT_SPARK_POOL="off"):
        assert not run(f"{schema}_off", worth=1, today="monday")["is spare"]
        assert not processes(runtime, "spark.keeper") and pool.places() == []
