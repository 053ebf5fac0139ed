"""`dbt-spark-contracts contract` generates contracts and compares them with tables."""

import json
import re
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO

import pytest
import yaml
from dbt_spark_contracts.cli.main import run

from tests.support.dbt_runner import ROOT, copy_project, environment, make_project

SETTINGS = """
name: small
profile: lakehouse
flags: {send_anonymous_usage_stats: false}
models:
  +file_format: iceberg
  +materialized: table
  +contract: {enforced: true}
  +persist_docs: {relation: true, columns: true}
  small:
    silver: {+schema: silver, +on_schema_change: fail}
    gold: {+schema: gold}
    loose: {+schema: gold, +contract: {enforced: false}}
seeds: {+file_format: iceberg, +schema: silver}
"""
SOURCES = """
seeds:
  - name: rates
    description: What a litre costs.
    config: {column_types: {kind: string, price: double}}
    columns:
      - {name: kind, description: What is burnt.}
      - {name: price, description: "{{ doc('price') }}"}
"""
FILES = {
    "dbt_project.yml": SETTINGS,
    "seeds/rates.csv": "kind,price\ngas,1.5\n",
    "seeds/rates.yml": SOURCES,
    "seeds/untyped.csv": "a,b\n1,2\n",
    "models/docs.md": "{% docs price %}Of a litre.\n\nIn euros.{% enddocs %}",
    "models/silver/trips.sql": """
        {{ config(materialized='incremental', unique_key='id') }}
        select row_number() over (order by kind) as id, coalesce(kind, '') as kind, price,
          'Ada' as driver, struct(price as p, 1 as n) as both_of_it, price / 2 as half
        from {{ ref('rates') }}
        {% if is_incremental() %} where kind not in (select t.kind from {{ this }} t) {% endif %}
    """,
    "models/silver/trips.yml": """
models:
  - name: trips
    # by hand
    columns:
      - name: driver   # who drove
        config: {meta: {pii: true, silver_only: true}}
""",
    "models/silver/short.sql": """
        {{ config(materialized='ephemeral', contract={'enforced': false}) }}
        select * from {{ ref('trips') }}
    """,
    "models/silver/drivers.sql": """
        select driver as who, count(*) as trips from {{ ref('short') }} group by driver
    """,
    "models/gold/kinds.py": """
from pyspark.sql import functions as F


def model(dbt, spark):
    trips = dbt.ref("trips")
    return trips.groupBy("kind").agg(F.max("price").alias("dearest"), F.count("*").alias("trips"))
""",
    "models/gold/copies.sql": "select id, kind as burnt, price as cost from {{ ref('trips') }}",
}


class Contracts:
    """The `contract` command on a project."""

    def __init__(self, dbt, schema):
        self.dbt = dbt
        self.schema = schema
        self.folder = dbt.project_dir
        self.options = ("--project-dir", str(self.folder), "--profiles-dir", str(ROOT))

    def __call__(self, *arguments):
        """Run `contract …` and return its exit code, stdout and stderr."""
        said, complained = StringIO(), StringIO()
        with (
            environment(**self.dbt._environment(self.schema)),
            redirect_stdout(said),
            redirect_stderr(complained),
        ):
            code = run(["contract", *arguments, *self.options])
        return code, said.getvalue(), complained.getvalue()

    def build(self, *arguments):
        return self.dbt("build", *arguments, schema=self.schema)

    def models(self, path):
        """Return the models of a yml by name, with their columns by name."""
        data = yaml.safe_load((self.folder / path).read_text(encoding="utf-8"))
        return {
            each["name"]: {**each, "columns": {c["name"]: c for c in each.get("columns") or ()}}
            for each in data["models"]
        }


NOT_NULL = [{"type": "not_null"}]
TRIPS, DRIVERS = "models/silver/trips.yml", "models/silver/drivers.yml"
GOLD = "models/gold/_gold__models.yml"
MODELS = ("copies", "kinds", "drivers", "trips")


@pytest.fixture(scope="module")
def project(dbt, spark, module_schema, tmp_path_factory):
    """Return the command on the small project, whose models have no contract yet."""
    small = make_project(dbt, tmp_path_factory.mktemp("small"), FILES)
    return Contracts(small, module_schema)


@pytest.fixture(scope="module")
def shown(project):
    """Return the result of `contract generate --check` for all models."""
    ended = project("generate", *MODELS, "--check")
    assert not (project.folder / GOLD).exists()
    return ended


@pytest.fixture(scope="module")
def written(project, shown):
    """Return the result of `contract generate` for all models."""
    return project("generate", *MODELS)


@pytest.fixture(scope="module")
def small(project, written):
    """Return the command on the small project with the generated contracts."""
    return project


@pytest.fixture
def as_it_was(small):
    """Restore the files of the small project after the test."""
    kept = {file: file.read_bytes() for file in (small.folder / "models").rglob("*.*")}
    yield
    for file in (small.folder / "models").rglob("*.*"):
        if file not in kept and file.is_file():
            file.unlink()
    for file, content in kept.items():
        file.write_bytes(content)


def test_what_would_be_written_is_shown(shown):
    code, said, _ = shown
    assert code == 1
    assert f"+++ b/{GOLD}\n" in said
    assert "+  - name: copies\n" in said


def test_types_and_what_spark_proves(small, written):
    assert written[0] == 0, written
    trips = small.models(TRIPS)["trips"]
    assert {name: column["data_type"] for name, column in trips["columns"].items()} == {
        **{"id": "int", "kind": "string", "price": "double", "driver": "string"},
        "both_of_it": "struct<p:double,n:int>",
        "half": "double",
    }
    never_null = {name for name, each in trips["columns"].items() if "constraints" in each}
    assert never_null == {"id", "kind", "driver", "both_of_it"}
    models = {**small.models(TRIPS), **small.models(DRIVERS), **small.models(GOLD)}
    assert {name: model["constraints"] for name, model in models.items()} == {
        name: [{"type": "primary_key", "columns": [key]}]
        for name, key in {"trips": "id", "drivers": "who", "kinds": "kind", "copies": "id"}.items()
    }


def test_existing_content_of_a_yml_stays(small):
    text = (small.folder / TRIPS).read_text(encoding="utf-8")
    assert "    # by hand\n" in text
    assert "      - name: driver   # who drove\n        data_type: string\n" in text


def test_a_plain_copy_takes_description_and_mark_over(small, written):
    trips = small.models(TRIPS)["trips"]["columns"]
    assert trips["price"]["description"] == "{{ doc('price') }}"
    assert "description" not in trips["half"]
    assert small.models(GOLD)["copies"]["columns"] == {
        "id": {"name": "id", "data_type": "int", "constraints": NOT_NULL},
        "burnt": {
            **{"name": "burnt", "data_type": "string", "description": "What is burnt."},
            "constraints": NOT_NULL,
        },
        "cost": {"name": "cost", "data_type": "double", "description": "{{ doc('price') }}"},
    }
    who = small.models(DRIVERS)["drivers"]["columns"]["who"]
    assert who["config"]["meta"] == {"pii": True, "silver_only": True}
    assert (
        "drivers.who gets the mark pii, because it is computed from a marked column\n" in written[1]
    )


def test_what_is_written_once_is_not_written_again(small):
    code, said, _ = small("generate", *MODELS, "--check")
    assert (code, said.count("\n")) == (0, 1)


@pytest.fixture(scope="module")
def built(small):
    """Build the small project twice, fully and incrementally, under its contracts."""
    for _ in range(2):
        done = small.build()
        assert done.success, done.text
    return small


def test_a_contract_follows_its_model(small, as_it_was):
    (small.folder / "models/gold/copies.sql").write_text(
        "select cast(1 as bigint) as id, 'x' as burnt, price as cost from {{ ref('trips') }}"
    )
    yml = small.folder / GOLD
    gone = "- name: gone\n        data_type: int\n      - name: burnt"
    yml.write_text(yml.read_text().replace("- name: burnt", gone))
    code, said, _ = small("generate", "copies", "--check")
    assert code == 1
    assert "copies.id: int becomes bigint\n" in said
    stays = (
        "copies.gone stays in the yml, but the model has no such column: remove it with --remove\n"
    )
    assert stays in said
    assert small("generate", "copies")[0] == 1  # because of the column that stays
    assert "gone" in small.models(GOLD)["copies"]["columns"]
    assert small("generate", "copies", "--remove")[0] == 0
    assert [*small.models(GOLD)["copies"]["columns"]] == ["id", "burnt", "cost"]


def test_constraint_that_is_no_longer_proven_is_reported_and_stays(small, as_it_was):
    (small.folder / "models/gold/copies.sql").write_text(
        "select id, cast(null as string) as burnt, price as cost from {{ ref('trips') }}"
    )
    code, said, _ = small("generate", "copies")
    assert code == 1
    assert "copies.burnt: the contract has not_null, but the query does not prove it\n" in said
    assert small.models(GOLD)["copies"]["columns"]["burnt"]["constraints"] == NOT_NULL


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (
            "select driver as x from {{ ref('trips') }}",
            r"other\.x is trips\.driver under another name",
        ),
        ("select no_such from {{ ref('trips') }}", r"other cannot be analyzed: .*no_such"),
        ("select {{ no_such() }}", r"no_such"),
        ("select null as x", r"other cannot be analyzed: x: Iceberg cannot hold the type void"),
        ("insert into t select 1 as x", r"other cannot be analyzed"),
        (
            "{{ config(contract={'enforced': false}) }} select 1 as x",
            "other disables its contract in its own code",
        ),
        (
            "select * from {{ ref('untyped') }}",
            r"untyped has no table: first run `dbt seed -s untyped`",
        ),
    ],
    ids=["leak", "no column", "Jinja", "no type", "no query", "own code", "seed"],
)
def test_what_cannot_be_analyzed_is_one_line(small, as_it_was, code, reason):
    (small.folder / "models/gold/other.sql").write_text(code)
    code, _, complained = small("generate", "other")
    (line,) = complained.splitlines()
    assert (code, bool(re.match(rf"Cannot do it: .*{reason}", line))) == (2, True), line


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("no_such", "there is no model no_such"),
        ("rates", "rates is a seed and not a model of small"),
        ("short", "short is ephemeral"),
    ],
)
def test_unknown_model_is_one_line(small, name, reason):
    code, _, complained = small("generate", name)
    (line,) = complained.splitlines()
    assert (code, reason in line) == (2, True), line


@pytest.fixture
def far_away(spark, tmp_path):
    """Create a table in another catalog."""
    catalog = "spark.sql.catalog.far_away"
    settings = {catalog: "org.apache.iceberg.spark.SparkCatalog", f"{catalog}.type": "hadoop"}
    for name, value in {**settings, f"{catalog}.warehouse": str(tmp_path)}.items():
        spark.conf.set(name, value)
    spark.sql("create table far_away.n.t (a int) using iceberg")
    yield
    assert spark.table("far_away.n.t").columns == ["a"]  # the table is unchanged
    for name in (*settings, f"{catalog}.warehouse"):
        spark.conf.unset(name)


def test_a_contract_of_an_incremental_model_names_what_dbt_asks_of_it(small, as_it_was, far_away):
    """The project enforces no contract for the model, which reads from another catalog."""
    loose = small.folder / "models/loose"
    loose.mkdir()
    (loose / "other.sql").write_text(
        "{{ config(materialized='incremental') }} select a from {{ source('far', 't') }}"
    )
    (loose / "sources.yml").write_text(
        "sources: [{name: far, schema: far_away.n, tables: [{name: t}]}]"
    )
    code, said, complained = small("generate", "other")
    assert code == 0, said + complained
    (model,) = small.models("models/loose/_loose__models.yml").values()
    assert model["config"] == {"contract": {"enforced": True}, "on_schema_change": "fail"}
    assert model["columns"] == {"a": {"name": "a", "data_type": "int"}}
    assert small.dbt("parse", schema=small.schema).success
    (loose / "other.sql").write_text(
        "{{ config(materialized='incremental', on_schema_change='ignore') }} select 1 as a"
    )
    (loose / "_loose__models.yml").unlink()
    code, _, complained = small("generate", "other")
    assert (code, complained.count("\n")) == (2, 1)
    assert "other has the wrong on_schema_change: with a contract, dbt requires fail" in complained


def test_a_contract_against_its_table(built, spark):
    assert built("diff") == (0, "", "")
    table = f"{built.schema}_gold.copies"
    spark.sql(f"alter table {table} add column stray int")
    spark.sql(f"alter table {table} set identifier fields burnt")
    spark.sql(f"alter table {table} alter column id drop not null")
    spark.sql(f"alter table {table} alter column cost comment 'Free.'")
    code, said, _ = built("diff", "copies")
    assert code == 1
    assert {*said.splitlines()} == {
        "copies.stray: column: nothing in the contract, int in the table",
        "copies.id: null: not null in the contract, may be null in the table",
        "copies.cost: comment: Of a litre. In euros. in the contract, Free. in the table",
        "copies: key: id in the contract, burnt in the table",
    }
    code, said, _ = built("diff", "--json")
    found = json.loads(said)
    assert (code, len(found), {each["model"] for each in found}) == (1, 4, {"copies"})
    assert {*found[0]} == {"model", "column", "kind", "contract", "table"}
    spark.sql(f"drop table {table}")
    assert built("diff", "copies") == (1, f"copies: there is no table {table}\n", "")


# This project

LAYERS = {layer: f"models/{layer}/_{layer}__models.yml" for layer in ("bronze", "silver", "gold")}


@pytest.fixture(scope="module")
def uncontracted(dbt, spark, tmp_path_factory, module_schema):
    """Return the command on a copy of this project without contracts."""
    project = copy_project(dbt, tmp_path_factory.mktemp("copy") / "project")
    for path in LAYERS.values():
        file = project.project_dir / path
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
        for model in data["models"]:
            for key in ("columns", "constraints", "data_tests"):
                model.pop(key, None)
        file.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return Contracts(project, f"{module_schema}_copy")


def promised(contracts):
    """Return the column types, not-null columns and keys of each contract."""
    found = {}
    for path in LAYERS.values():
        for name, model in contracts.models(path).items():
            columns = model["columns"].items()
            found[name] = {
                "types": {column: each["data_type"] for column, each in columns},
                "not null": {
                    c for c, each in columns if NOT_NULL[0] in each.get("constraints", ())
                },
                "keys": model.get("constraints", []),
            }
    return found


@pytest.mark.slow
def test_an_uncontracted_copy_of_this_project_gets_its_contracts(dbt, uncontracted):
    committed = promised(Contracts(dbt, ""))
    uncontracted.options += ("--vars", f"landing_path: {ROOT / 'landing'}")
    ended = uncontracted("generate", *committed)
    assert ended[0] == 0, ended
    generated = promised(uncontracted)
    # The plan proves not null for two more columns than the contract promises.
    more = {"gold_performance_alerts": {"alert_message", "alert_date"}}
    for name, columns in more.items():
        assert generated[name]["not null"] > columns
        generated[name]["not null"] -= columns
    assert generated == committed
    # A plan does not provide marks, or descriptions of computed columns (docs/contracts.md).
    told = [*uncontracted.models(LAYERS["gold"])["gold_car_current_state"]["columns"].values()]
    assert all({*column} <= {"name", "data_type", "constraints"} for column in told)


@pytest.mark.full
def test_the_committed_contracts_are_generated_again(dbt, spark):
    contracts = Contracts(dbt, "ci")
    code, said, _ = contracts("generate", *promised(contracts), "--check")
    assert (code, "+++" in said) == (0, False), said


def test_the_commands_of_the_documentation(dbt, spark, module_schema, tmp_path, monkeypatch):
    text = (ROOT / "docs/contracts.md").read_text(encoding="utf-8")
    model = re.search(r"```python\n(.*?)```", text.partition("## Writing a Gold model")[2], re.S)[1]
    section = text.partition("## Contracts without typing")[2]
    commands = re.search(r"```sh\n(.*?)```", section, re.S)[1].splitlines()
    project = copy_project(dbt, tmp_path / "copy")
    (project.project_dir / "models/gold/gold_trips_per_car.py").write_text(model, encoding="utf-8")
    contracts = Contracts(project, f"{module_schema}_docs")
    monkeypatch.chdir(tmp_path)
    ended = {}
    for command in commands:
        *_, arguments = command.partition("uv run dbt-spark-contracts contract ")
        ended[arguments] = contracts(*arguments.split())
    assert [code for code, _, _ in ended.values()] == [0, 0, 0, 0, 1], ended
    written = contracts.models(LAYERS["gold"])["gold_trips_per_car"]
    assert written["constraints"] == [{"type": "primary_key", "columns": ["car_chassis"]}]
    # The page shows the same contract, written by hand.
    assert written["columns"] == {
        "car_chassis": {
            **{"name": "car_chassis", "data_type": "string", "constraints": NOT_NULL},
            "description": "Chassis number of the car.",
        },
        "trip_count": {"name": "trip_count", "data_type": "bigint", "constraints": NOT_NULL},
    }
