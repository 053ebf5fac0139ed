"""The code that dbt-athena submits for Python models, run on Spark 3.2.1, Athena's version.

dbt and dbt-athena generate the code, and `tests/support/athena_spark.py` captures it.
"""

import uuid
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml

from tests.support.athena_spark import AthenaSpark
from tests.support.bronze import bronze_files
from tests.support.dbt_runner import environment, make_project
from tests.support.spark_3_2 import Spark32

pytestmark = pytest.mark.engines

PARENT = """
    create table cases_default.parent using iceberg as select * from values
        ('e1', 'car 1', 10, 1.25BD, timestamp'2025-11-04 14:30:00'),
        ('e2', 'car 2', null, 2.50BD, null)
    as t(event_id, car, mileage, price, at)
"""
CONTRACT = {"car": "string", "mileage": "INT", "price": "decimal(3, 2)", "at": "timestamp"}
TWO = {"car": "string", "mileage": "int"}
LEAK = "| event_id    | string          |               | missing in contract |"
NULL = "| mileage     | int             | int not null  | data type mismatch |"


def model(*columns: str, returns: str = "frame") -> str:
    select = f"dbt.ref('parent').selectExpr(*{columns})"
    return f"def model(dbt, spark):\n    frame = {select}\n    return {returns}\n"


# The model's code, its contract, its not-null columns, and the expected error.
CASES = {
    "clean": (model(*CONTRACT), CONTRACT, ["car"], ""),
    "without_checkpoint": (model(*CONTRACT), CONTRACT, ["car"], ""),
    "of_pandas": (
        model(*TWO, returns="frame.fillna(0).toPandas()"),
        TWO | {"mileage": "bigint"},
        [],
        "",
    ),
    "leaking": (model(*CONTRACT, "event_id"), CONTRACT, ["car"], LEAK),
    "null": (model(*TWO), TWO, ["mileage"], NULL),
}


class Kept(AthenaSpark):
    """Stores the submitted code without running it."""

    def _StartCalculationExecution(self, SessionId, CodeBlock):
        self.code[CodeBlock.partition('identifier = "')[2].partition('"')[0]] = CodeBlock
        calculation = str(uuid.uuid4())
        self._failed[calculation] = False
        return {"CalculationExecutionId": calculation}


@pytest.fixture(scope="module")
def sent(spark, dbt, tmp_path_factory):
    """Return the submitted code of the cases and of the project's Bronze, which reads files."""
    service = Kept(spark, tmp_path_factory.mktemp("athena"))
    service.make_table("cases_default.parent", "select 1 as x")
    landing = tmp_path_factory.mktemp("landing")
    (landing / "some.jsonl").write_text('{"event_id": "e1"}\n{"event_id": "e2"}\nno json\n')
    files = bronze_files()
    described = []
    for name, (code, contract, not_null, _) in CASES.items():
        files[f"models/{name}.py"] = code
        columns = [{"name": key, "data_type": value} for key, value in contract.items()]
        for column in columns:
            if column["name"] in not_null:
                column["constraints"] = [{"type": "not_null"}]
        config = {"contract": {"enforced": True}, "materialized": "table"}
        config["checkpoint"] = name != "without_checkpoint"
        described.append({"name": name, "columns": columns, "config": config})
    files["models/parent.sql"] = "select 'the test makes this table' as event_id"
    files["models/cases.yml"] = yaml.safe_dump({"models": described})
    project = make_project(dbt, tmp_path_factory.mktemp("cases"), files)
    with environment(**service.environment), service.answers():
        project(
            *("run", "--target", "athena", "--exclude", "parent"),
            **{"schema": "cases", "landing_path": f"file://{landing}"},
        )
    assert {*CASES, "bronze_car_events"} <= service.code.keys()
    return service.code


@pytest.fixture(scope="module")
def ran(sent, tmp_path_factory):
    tables = [f"cases_default.{name}" for name in CASES]
    before = ["create namespace cases_default", "create namespace cases_bronze", PARENT]
    # pytest keeps the folders of earlier runs, and this one is large.
    with TemporaryDirectory(dir=tmp_path_factory.getbasetemp()) as folder:
        engine = Spark32(Path(folder))
        return engine.run(before, sent, [*tables, "cases_bronze.bronze_car_events"])


def test_it_is_the_version_of_athenas(ran):
    assert ran["version"] == ["3.2.1", "3.9.6"]


@pytest.mark.parametrize("name", CASES)
def test_a_model_is_written_as_promised_or_raises_and_writes_nothing(ran, name):
    _, contract, _, says = CASES[name]
    table = ran["tables"].get(f"cases_default.{name}")
    if says:
        assert says in ran["errors"][name]
        assert table is None
        return
    assert name not in ran["errors"], ran["errors"][name]
    types = [type.lower().replace(" ", "") for type in contract.values()]
    assert table["types"] == [list(pair) for pair in zip(contract, types, strict=True)]
    assert len(table["rows"]) == 2


def test_a_time_is_the_same_after_it_is_written(ran):
    """The generated code sets the two Iceberg options for timestamps without a time zone."""
    times = {row["car"]: row["at"] for row in ran["tables"]["cases_default.clean"]["rows"]}
    assert times == {"car 1": "2025-11-04 14:30:00", "car 2": None}


def test_bronze_reads_files_there(ran):
    """Bronze uses Hadoop's file system, java_method and RDDs."""
    assert "bronze_car_events" not in ran["errors"], ran["errors"]["bronze_car_events"]
    rows = ran["tables"]["cases_bronze.bronze_car_events"]["rows"]
    assert len(rows) == 3
