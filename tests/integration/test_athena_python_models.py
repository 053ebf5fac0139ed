"""Python models on Athena: the code that dbt-athena would send there, run as it is on this Spark.

`tests/athena_spark.py` says what answers dbt-athena, and what it is not.
"""

from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from dbt.exceptions import ContractError

from tests.athena_spark import AthenaSpark
from tests.conftest import environment, make_project

# The parent of the models here: its event_id is marked silver_only, its customer pii.
PARENT = """
    select * from values
        ('e1', 'car 1', 'customer 1', 10, 1.25BD, timestamp'2025-11-04 14:30:00'),
        ('e2', 'car 2', 'customer 2', null, 2.50BD, null)
    as t(event_id, car, customer, mileage, price, at)
"""

CONTRACT = {"car": "string", "mileage": "INT", "price": "decimal(3, 2)", "at": "timestamp"}
COLUMNS = ("car", "mileage", "price", "at")


@dataclass
class Case:
    """A Python model: what it selects and returns, its contract (none: not enforced), its config;
    and what comes of it: a table, or words or dbt's table of breaches: column, type, promised.
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
                column["config"] = {"meta": {"silver_only": True}}
        return {
            "columns": columns,
            "config": {"contract": {"enforced": bool(columns)}, **self.config},
        }

    @property
    def error(self) -> str:
        """What dbt itself says of these breaches."""
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
    # ---- that keep their contract
    "clean": Case(),
    "reordered": Case(COLUMNS[::-1]),
    "without_checkpoint": Case(config=NO_CHECKPOINT),
    "without_contract": Case(contract={}),
    "never_null": Case(("car", "coalesce(mileage, 0) mileage"), TWO, ("car", "mileage")),
    "of_pandas": Case(("car", "1L mileage"), TWO | {"mileage": "bigint"}, returns="frame.toPandas()"),
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
    # ---- that break it
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
    "no_frame": Case(returns="['car 1']", says="model() returned list, and must return a Spark"),
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
    # ---- that dbt refuses by itself, and sends nothing
    "promised_a_mark": Case(
        ("car", "event_id"),
        {"car": "string", "event_id": "string"},
        says="event_id has the name of parent.event_id, which is marked silver_only",
    ),
    "mark_is_lost": Case(("event_id",), {"event_id": "string"}, config=TO_SILVER, says="event_id has"),
    "untyped": Case(("car",), {"car": ""}, says="Contracted models require data_type"),
    "no_iceberg": Case(config={"table_type": "hive"}, says="set `+table_type: iceberg`"),
}
GOOD = [name for name, case in CASES.items() if not case.says and not case.breaches]
BAD = [name for name in CASES if name not in GOOD]
NOT_SENT = ["promised_a_mark", "mark_is_lost", "untyped", "no_iceberg"]


@pytest.fixture(scope="module")
def athena(spark, tmp_path_factory):
    """The service, for this process."""
    service = AthenaSpark(spark, tmp_path_factory.mktemp("athena"))
    with environment(**service.environment), service.answers():
        yield service


@pytest.fixture(scope="module")
def small_athena(dbt, athena, tmp_path_factory):
    """A function that makes a small project of Python models and runs dbt on it, for Athena."""

    def make(name: str, files: dict[str, str]):
        settings = {
            "name": "small",
            "profile": "lakehouse",
            "flags": {"send_anonymous_usage_stats": False},
            "models": {"+materialized": "table", "+table_type": "iceberg"},
        }
        files = {"dbt_project.yml": yaml.safe_dump(settings), **files}
        project = make_project(dbt, tmp_path_factory.mktemp(name), files)
        return lambda *args, **variables: project(
            *args, "--target", "athena", schema=name, **variables
        )

    return make


@pytest.fixture(scope="module")
def run(athena, small_athena):
    """All cases, run once."""
    parent = {
        "name": "parent",
        "config": {"schema": "silver", "materialized": "ephemeral"},
        "columns": [
            {"name": "event_id", "config": {"meta": {"silver_only": True}}},
            {"name": "customer", "config": {"meta": {"pii": True}}},
        ],
    }
    parent["config"]["materialized"] = "table"
    models = [parent, *({"name": name, **case.yml} for name, case in CASES.items())]
    files = {f"models/{name}.py": case.code for name, case in CASES.items()}
    files |= {
        "models/parent.sql": "select 'the test makes this table' as event_id",
        "models/models.yml": yaml.safe_dump({"models": models}),
    }
    athena.make_table("cases_silver.parent", PARENT)
    return small_athena("cases", files)("run", "--exclude", "parent")


def table_of(name: str) -> str:
    return f"cases{'_silver' if CASES[name].config is TO_SILVER else ''}.{name}"


@pytest.mark.parametrize("name", GOOD)
def test_a_model_that_keeps_its_contract_is_written_as_promised(athena, run, name):
    case = CASES[name]
    assert run.status[name] == "success", run.message[name]
    table = athena.table(table_of(name))
    assert table.count() == 2
    if case.contract:
        types = [type.lower().replace(" ", "").replace(":", ":") for type in case.contract.values()]
        assert table.dtypes == list(zip(case.contract, types, strict=True))
    else:
        assert table.columns == list(case.columns)


@pytest.mark.parametrize("name", BAD)
def test_one_that_breaks_it_raises_and_writes_nothing(athena, run, name):
    case = CASES[name]
    assert run.status[name] == "error"
    error = run.message[name] if name in NOT_SENT else str(athena.errors[name])
    assert (case.error if case.breaches else case.says) in error
    assert athena.table(table_of(name)) is None
    assert (name in athena.code) == (name not in NOT_SENT)


def test_no_checkpoint_is_left(athena, run):
    folder = Path(athena.environment["LAKEHOUSE_ATHENA_CHECKPOINTS"].removeprefix("file://"))
    assert folder.is_dir()
    assert not list(folder.iterdir())


def test_no_job_runs_before_the_contract_is_checked(athena, spark, run):
    ...
