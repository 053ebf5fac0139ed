"""Python models on Athena: the code that dbt-athena submits, run unchanged on the local Spark.

`tests/support/athena_spark.py` describes the service that answers dbt-athena, and its limits.
"""

from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from dbt.exceptions import ContractError
from pyspark.sql import Window
from pyspark.sql import functions as F

from python_jobs.athena_gate.pyspark_api import newer_api, newer_sql
from tests.support.athena_spark import AthenaSpark
from tests.support.bad_input import land
from tests.support.bronze import bronze_files
from tests.support.dbt_runner import ROOT, Dbt, environment, make_project

# The parent of the models: event_id is marked silver_only, and customer is marked pii.
PARENT = """
    select * from values
        ('e1', 'car 1', 'customer 1', 10, 1.25BD, timestamp'2025-11-04 14:30:00'),
        ('e2', 'car 2', 'customer 2', null, 2.50BD, null)
    as t(event_id, car, customer, mileage, price, at)
"""

CONTRACT = {"car": "string", "mileage": "INT", "price": "decimal(3, 2)", "at": "timestamp"}
RUN = ("run", "--target", "athena")

COLUMNS = ("car", "mileage", "price", "at")


@dataclass
class Case:
    """A Python model and its expected result.

    Attributes:
        columns: The expressions that the model selects from its parent.
        contract: The contract's column types. Empty means that no contract is enforced.
        not_null: The columns with a not_null constraint.
        config: More model config.
        marked: The columns marked `stays_in: schema`.
        returns: The expression that the model returns.
        says: A part of the expected error.
        breaches: The expected contract breaches, as (column, actual type, contract type).
    """

    columns: tuple[str, ...] = COLUMNS
    contract: dict[str, str] = field(default_factory=lambda: CONTRACT)
    not_null: tuple[str, ...] = ("car",)
    config: dict = field(default_factory=dict)
    marked: tuple[str, ...] = ()
    returns: str = "frame"
    says: str = ""
    breaches: tuple[tuple[str, str, str], ...] = ()

    @property
    def code(self) -> str:
        select = f"dbt.ref('parent').selectExpr(*{self.columns})"
        return f"def model(dbt, spark):\n    frame = {select}\n    return {self.returns}\n"

    @property
    def yml(self) -> dict:
        columns = [{"name": name, "data_type": type} for name, type in self.contract.items()]
        for column in columns:
            if column["name"] in self.not_null:
                column["constraints"] = [{"type": "not_null"}]
            if column["name"] in self.marked:
                column["config"] = {"meta": {"stays_in": "schema"}}  # the equivalent of silver_only
        return {
            "columns": columns,
            "config": {"contract": {"enforced": bool(columns)}, **self.config},
        }

    @property
    def error(self) -> str:
        """Return the contract error of dbt for these breaches."""
        kept = ("kept", "string")
        promised = [kept, *((name, type) for name, _, type in self.breaches if type)]
        found = [kept, *((name, type) for name, type, _ in self.breaches if type)]
        keys = ("name", "data_type")
        return ContractError(
            [dict(zip(keys, column, strict=True)) for column in promised],
            [dict(zip(keys, column, strict=True)) for column in found],
        ).msg.strip()


TWO = {"car": "string", "mileage": "int"}
TO_SILVER = {"schema": "silver"}
NO_CHECKPOINT = {"checkpoint": False}

CASES = {
    # ---- models that keep their contract
    "clean": Case(),
    "reordered": Case(COLUMNS[::-1]),
    "without_checkpoint": Case(config=NO_CHECKPOINT),
    "without_contract": Case(contract={}),
    "never_null": Case(("car", "coalesce(mileage, 0) mileage"), TWO, ("car", "mileage")),
    "of_pandas": Case(
        ("car", "1L mileage"), TWO | {"mileage": "bigint"}, returns="frame.toPandas()"
    ),
    "nested": Case(
        ("named_struct('price', price, 'all', array(price)) inner",),
        {"inner": "struct<price: decimal(3,2), all: array<decimal(3,2)>>"},
    ),
    "allowed": Case(
        ("car", "customer"),
        {"car": "string", "customer": "string"},
        config={"meta": {"pii_allowed": {"customer": "To try it."}}},
    ),
    "marked_on": Case(
        ("event_id",), {"event_id": "string"}, config=TO_SILVER, marked=("event_id",)
    ),
    # ---- models that break it
    "leaking": Case((*COLUMNS, "event_id"), breaches=(("event_id", "string", ""),)),
    "missing": Case(("car", "mileage", "at"), breaches=(("price", "", "decimal(3,2)"),)),
    "renamed": Case(
        ("car", "mileage", "price cost", "at"),
        breaches=(("cost", "decimal(3,2)", ""), ("price", "", "decimal(3,2)")),
    ),
    "retyped": Case(
        ("car", "mileage + 0L mileage", "price", "at"), breaches=(("mileage", "bigint", "int"),)
    ),
    "more_precise": Case(
        ("car", "mileage", "cast(price as decimal(4, 2)) price", "at"),
        breaches=(("price", "decimal(4,2)", "decimal(3,2)"),),
    ),
    "retyped_within": Case(
        ("array(price) prices",),
        {"prices": "array<decimal(4,2)>"},
        breaches=(("prices", "array<decimal(3,2)>", "array<decimal(4,2)>"),),
    ),
    "in_capitals": Case(
        ("car CAR", "mileage"), TWO, breaches=(("CAR", "string", ""), ("car", "", "string"))
    ),
    "all_wrong": Case(
        ("event_id", "cast(at as date) at"),
        breaches=(
            ("at", "date", "timestamp"),
            ("car", "", "string"),
            ("event_id", "string", ""),
            ("mileage", "", "int"),
            ("price", "", "decimal(3,2)"),
        ),
    ),
    "twice": Case((*COLUMNS, "upper(car) car"), says="Reference `car` is ambiguous"),
    "no_frame": Case(returns="['car 1']", says="model() returned list, but must return a Spark"),
    "marked": Case(
        ("car", "Customer"),
        contract={},
        says="Customer has the name of parent.customer, which is marked pii",
    ),
    "null": Case(
        ("car", "mileage"), TWO, ("car", "mileage"), breaches=(("mileage", "int", "int not null"),)
    ),
    "null_without_checkpoint": Case(
        ("car", "mileage"),
        TWO,
        ("car", "mileage"),
        NO_CHECKPOINT,
        breaches=(("mileage", "int", "int not null"),),
    ),
    # ---- models that dbt rejects before it submits code
    "promised_a_mark": Case(
        ("car", "event_id"),
        {"car": "string", "event_id": "string"},
        says="event_id has the name of parent.event_id, which is marked silver_only",
    ),
    "mark_is_lost": Case(
        ("event_id",), {"event_id": "string"}, config=TO_SILVER, says="event_id has"
    ),
    "untyped": Case(("car",), {"car": ""}, says="Contracted models require data_type"),
    "no_iceberg": Case(config={"table_type": "hive"}, says="set `+table_type: iceberg`"),
}
GOOD = [name for name, case in CASES.items() if not case.says and not case.breaches]
BAD = [name for name in CASES if name not in GOOD]
NOT_SENT = ["promised_a_mark", "mark_is_lost", "untyped", "no_iceberg"]


@pytest.fixture(scope="module")
def athena(spark, tmp_path_factory):
    """Yield the service that runs submitted code in this process."""
    service = AthenaSpark(spark, tmp_path_factory.mktemp("athena"))
    with environment(**service.environment), service.answers():
        yield service


# Counts with an accumulator how many rows are computed.
COUNTED = """
def model(dbt, spark):
    global seen
    seen = spark.sparkContext.accumulator(0)
    rows = spark.sparkContext.parallelize(range(10), 2).map(lambda n: seen.add(1) or (n,))
    return spark.createDataFrame(rows, "id int")
"""


def counted(name: str, type: str) -> dict:
    column = {"name": "id", "data_type": type, "constraints": [{"type": "not_null"}]}
    return {"name": name, "config": {"contract": {"enforced": True}}, "columns": [column]}


@pytest.fixture(scope="module")
def cases(dbt, athena, tmp_path_factory, module_schema):
    """Return a small project of all cases. The parent is not built: its table is created here."""
    parent = {
        "name": "parent",
        "config": {"schema": "silver"},
        "columns": [
            {"name": "event_id", "config": {"meta": {"silver_only": True}}},
            {"name": "customer", "config": {"meta": {"pii": True}}},
        ],
    }
    models = [parent, *({"name": name, **case.yml} for name, case in CASES.items())]
    models.append({"name": "sql_with_a_mark", **CASES["promised_a_mark"].yml})
    models += [counted("counted", "int"), counted("counted_and_broken", "bigint")]
    settings = {
        "name": "small",
        "profile": "lakehouse",
        "flags": {"send_anonymous_usage_stats": False},
        "models": {"+materialized": "table", "+table_type": "iceberg"},
    }
    files = {f"models/{name}.py": case.code for name, case in CASES.items()}
    files |= {
        "dbt_project.yml": yaml.safe_dump(settings),
        "models/parent.sql": "select 'the test makes this table' as event_id",
        "models/sql_with_a_mark.sql": "select event_id from {{ ref('parent') }}",
        "models/emptied.py": CASES["clean"].code,
        "models/counted.py": COUNTED,
        "models/counted_and_broken.py": COUNTED,
        "models/models.yml": yaml.safe_dump({"models": models}),
    }
    athena.make_table(f"{module_schema}_silver.parent", PARENT)
    return make_project(dbt, tmp_path_factory.mktemp("cases"), files)


@pytest.fixture(scope="module")
def run(cases, module_schema):
    """Run all cases once."""
    return cases(*RUN, "--exclude", "parent", "emptied", schema=module_schema)


def table_of(name: str, schema: str) -> str:
    return f"{schema}{'_silver' if CASES[name].config is TO_SILVER else ''}.{name}"


@pytest.mark.parametrize("name", GOOD)
def test_a_model_that_keeps_its_contract_is_written_as_promised(athena, run, name, module_schema):
    case = CASES[name]
    assert run.status[name] == "success", run.message[name]
    table = athena.table(table_of(name, module_schema))
    assert table.count() == 2
    if case.contract:
        types = [type.lower().replace(" ", "") for type in case.contract.values()]
        assert table.dtypes == list(zip(case.contract, types, strict=True))
    else:
        assert table.columns == list(case.columns)


@pytest.mark.parametrize("name", BAD)
def test_one_that_breaks_it_raises_and_writes_nothing(athena, run, name, module_schema):
    case = CASES[name]
    assert run.status[name] == "error"
    error = run.message[name] if name in NOT_SENT else str(athena.errors[name])
    assert (case.error if case.breaches else case.says) in error
    assert athena.table(table_of(name, module_schema)) is None
    assert (name in athena.code) == (name not in NOT_SENT)


def test_sql_model_is_checked_against_the_marks_before_any_query(athena, run):
    assert run.status["sql_with_a_mark"] == "error"
    assert "event_id has the name of parent.event_id" in run.message["sql_with_a_mark"]


def test_the_model_comes_first_so_that_errors_name_its_lines(athena, run):
    assert athena.code["clean"].startswith(CASES["clean"].code)


def test_no_checkpoint_is_left(athena, run):
    folder = Path(athena.environment["LAKEHOUSE_ATHENA_CHECKPOINTS"].removeprefix("file://"))
    assert "setCheckpointDir" in athena.code["clean"]
    assert "setCheckpointDir" not in athena.code["without_checkpoint"]
    assert folder.is_dir()
    assert not list(folder.iterdir())


def test_a_model_is_computed_once_and_not_before_its_contract_is_checked(athena, run):
    assert athena.names["counted"]["seen"].value == 10
    assert athena.names["counted_and_broken"]["seen"].value == 0


def test_empty_has_the_columns_and_no_rows(athena, cases, module_schema):
    result = cases(*RUN, "--empty", "--select", "emptied", schema=module_schema)
    assert result.success, result.text
    assert athena.table(f"{module_schema}.emptied").columns == list(COLUMNS)
    assert athena.table(f"{module_schema}.emptied").count() == 0


@pytest.mark.slow
def test_a_later_run_that_breaks_the_contract_leaves_the_table_as_it_was(
    athena, cases, run, module_schema
):
    reordered = (*RUN, "--select", "reordered")
    again = cases(*reordered, schema=module_schema)
    assert again.success, again.text
    before = athena.location(f"{module_schema}.reordered")
    model = cases.project_dir / "models/reordered.py"
    written = model.read_text()
    model.write_text(written.replace("'car'", "'car', 'event_id'"))
    assert not cases(*reordered, schema=module_schema).success
    model.write_text(written)
    assert "missing in contract" in str(athena.errors["reordered"])
    assert athena.location(f"{module_schema}.reordered") == before
    assert athena.table(f"{module_schema}.reordered").columns == list(COLUMNS)


# The project's own Bronze. test_athena_build.py covers all layers.


@pytest.fixture(scope="module")
def bronze(dbt, athena, tmp_path_factory):
    """Return functions that run the project's Bronze, without its hooks, on Spark and on Athena."""
    files = bronze_files()
    on_spark = make_project(dbt, tmp_path_factory.mktemp("bronze"), files)
    # A separate target folder keeps the partial parse of each target apart.
    on_athena = Dbt(dbt.home, on_spark.project_dir, on_spark.project_dir / "target_athena")
    return on_spark, lambda **options: on_athena(*RUN, **options)


def rows_of(frame):
    """Return the rows without their build time and record ID.

    `record_number` is replaced by the position in the file, because its steps differ between runs.
    """
    in_its_file = Window.partitionBy("source_file", "file_modified_at").orderBy("record_number")
    rows = frame.withColumn("record_number", F.row_number().over(in_its_file))
    assert rows.select("record_id").distinct().count() == rows.count()
    return sorted(map(str, rows.drop("ingested_at", "record_id").collect()))


@pytest.mark.slow
def test_bronze_reads_the_landing_folder_as_on_spark(spark, athena, bronze, tmp_path, schema):
    """All bad input lands in two parts. The second run reads only the new files."""
    on_spark, on_athena = bronze
    table = f"{schema}_bronze.bronze_car_events"
    for is_late in (False, True):
        land(tmp_path, lambda name, is_late=is_late: name.startswith("torn") == is_late)
        result = on_spark("run", schema=schema, landing_path=str(tmp_path))
        assert result.success, result.text
        result = on_athena(schema=schema, landing_path=f"file://{tmp_path}")
        assert result.success, (result.text, athena.errors)
        expected, written = spark.table(table), athena.table(table)
        assert written.dtypes == expected.dtypes
        assert rows_of(written) == rows_of(expected)
        assert written.select("ingested_at").distinct().count() == 1 + is_late
    assert athena.table(f"{table}__dbt_tmp") is None


def test_a_landing_folder_that_is_absent_has_no_files(athena, bronze, schema):
    _, on_athena = bronze
    result = on_athena(schema=schema, landing_path="file:///no/such/folder")
    assert result.success, (result.text, athena.errors)
    assert athena.table(f"{schema}_bronze.bronze_car_events").count() == 0


def test_landing_folder_that_is_not_a_url_is_refused(athena, bronze, schema):
    _, on_athena = bronze
    assert not on_athena(schema=schema, landing_path="landing").success
    error = str(athena.errors["bronze_car_events"])
    assert error == "landing is not a URL: on Athena, files are read from s3://bucket/folder."


# The SQL in the project's Python models


@pytest.mark.parametrize("model", sorted(ROOT.glob("models/*/*.py")), ids=lambda model: model.stem)
def test_the_sql_of_the_models_is_athenas_sparks_too(spark, model):
    assert newer_sql(spark, model) == []


def test_newer_sql_is_found(spark, tmp_path):
    model = tmp_path / "model.py"
    model.write_text('NEW = "URL_DECODE(a) as b"\nOLD = f"nothing (left({NEW}, 1))"\n')
    assert newer_sql(spark, model) == [
        f"{model}:1: SQL's url_decode needs Spark 3.4, but Athena has 3.2"
    ]


def test_the_code_around_a_model_is_for_athenas_spark(spark, athena, run, tmp_path):
    code = tmp_path / "calculation.py"
    code.write_text(athena.code["clean"])
    assert newer_api(code) == []
    assert newer_sql(spark, code) == []
