"""The statements and jobs that the guard adds to a command depend on the tables that it touches.

`dbt run -s one` costs the same with many tables in the project as with few. For each further table,
dbt only reads the name when it lists the schema.
"""

import pytest

from tests.support.dbt_runner import AUDITED, make_project
from tests.support.spark_work import counted, statements

FEW, MANY = 3, 18

# The model's query and its write. The lock and the publish use Iceberg's API.
STATEMENTS = 2
# The model's write. The publish log and the record of runs use Iceberg's API.
JOBS = 1
# Calls to Java per further table in the schema's list: py4j asks for the length, the element, its
# member and its value. A few more calls may differ between two commands.
CALLS_A_NAME = 4
MORE_CALLS = 10


@pytest.fixture(scope="module")
def commands(dbt, spark, tmp_path_factory, module_schema):
    """Return the log and the work of `run -s m0` by the number of existing tables."""
    commands = {}
    for count in (FEW, MANY):
        files = {f"models/m{number}.sql": "select 1L as id" for number in range(count)}
        folder = tmp_path_factory.mktemp(f"command_{count}")
        project = make_project(dbt, folder, {"dbt_project.yml": AUDITED, **files})
        for select in ([], ["--select", "m0"]):
            with counted(spark) as work:
                result = project("run", *select, schema=f"{module_schema}_{count}")
            assert result.success, result.text
        commands[count] = result.text, work
    return commands


@pytest.mark.parametrize("count", [FEW, MANY])
def test_statements(commands, count):
    assert statements(commands[count][0]) == STATEMENTS


@pytest.mark.parametrize("count", [FEW, MANY])
def test_jobs(commands, count):
    assert commands[count][1].jobs == JOBS


def test_a_further_table_costs_its_name(commands):
    few, many = (commands[count][1].calls for count in (FEW, MANY))
    assert few > 0
    assert many - few <= CALLS_A_NAME * (MANY - FEW) + MORE_CALLS


def test_missing_schema_counts_as_empty(small_project, schema):
    """dbt lists the schemas of all models, and creates only those of the selected ones."""
    models = {
        "models/here.sql": "select 1L as id",
        "models/elsewhere.sql": "{{ config(schema='elsewhere') }} select 1L as id",
    }
    result = small_project(models)("run", "--select", "here", schema=schema)
    assert result.success, result.text


def test_a_call_to_java_is_counted(spark):
    with counted(spark) as work:
        spark.sparkContext._jvm.java.lang.System.currentTimeMillis()
    assert work.calls > 0
