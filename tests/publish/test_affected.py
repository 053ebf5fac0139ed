"""`dbt.affected`: a Python model rebuilds only the rows of changed keys."""

import random

import pytest

MODEL = """
from pyspark.sql import functions as F


def model(dbt, spark):
    factors, limit = dbt.ref("factors"), dbt.config.get("limit")
    numbers = dbt.affected(
        dbt.ref("numbers"),
        ["name"],
        also={"limit": lambda held: held.where(f"is_large != (total > {limit})")},
        apart_from=["run"],
    )
    totals = numbers.groupBy("name").agg(F.sum("number").alias("plain"))
    rows = totals.crossJoin(factors)
    total = F.expr("plain * factor").alias("total")
    is_large = F.expr(f"total > {limit}").alias("is_large")
    run = F.lit(f"{dbt.config.get('run')} {dbt.config.meta_get('note')}").alias("run")
    return rows.select("name", total).select("name", "total", is_large, run)
"""
FILES = {
    "dbt_project.yml": """
name: small
profile: lakehouse
flags: {send_anonymous_usage_stats: false}
models: {+file_format: iceberg}
seeds: {+file_format: iceberg}
on-run-start: "{{ begin_run() }}"
on-run-end: "{{ end_run() }}"
""",
    "macros/values.sql": """
{% macro build_config_dict(model) %}
{{ dbt.build_config_dict(model) }}
config_dict.update({'run': '{{ invocation_id }}', 'limit': {{ var('limit', 100) }}})
config_dict.update({'other': {{ var('other', 1) }}})
{% endmacro %}
""",
    "seeds/factors.csv": "factor\n1\n",
    "models/numbers.sql": """
{{ config(materialized='incremental', unique_key='id') }}
select id, name, number from {{ source('landed', 'numbers') }}
""",
    "models/totals.py": MODEL,
    "models/landed.yml": """
sources: [{name: landed, schema: "{{ target.schema }}_landed", tables: [{name: numbers}]}]
models:
  - name: totals
    config:
      materialized: incremental
      incremental_strategy: delete+insert
      unique_key: name
      on_schema_change: fail
      contract: {enforced: true}
      meta: {note: "{{ var('note', '') }}"}
    columns:
      - {name: name, data_type: string}
      - {name: total, data_type: bigint}
      - {name: is_large, data_type: boolean}
      - {name: run, data_type: string}
""",
    "tests/fails.sql": """
-- depends_on: {{ ref('totals') }}
select 1 as one where {{ var('fails', false) }}
""",
}


class House:
    """The project, its landed rows, and its table as a client other than Spark reads it."""

    def __init__(self, project, read, spark, schema) -> None:
        self.project, self._read, self.spark, self.schema = project, read, spark, schema
        self.source = f"{schema}_landed.numbers"
        spark.sql(f"create namespace if not exists {schema}_landed")
        columns = "id bigint, name string, number bigint"
        spark.sql(f"create table {self.source} ({columns}) using iceberg")
        self.numbers: dict[int, tuple[str, int]] = {}
        self.factor = 1

    def land(self, numbers: dict[int, tuple[str, int]]) -> None:
        """Replace the source's rows with these numbers."""
        self.numbers |= numbers
        rows = ", ".join(f"({id}, '{name}', {number})" for id, (name, number) in numbers.items())
        self.spark.sql(f"insert overwrite {self.source} values {rows}")

    def land_nothing(self) -> None:
        self.spark.sql(f"truncate table {self.source}")

    def delete(self, number: int) -> None:
        """Delete a number from the parent and empty the source."""
        del self.numbers[number]
        self.land_nothing()
        self.spark.sql(f"delete from {self.schema}.numbers where id = {number}")

    def multiply(self, factor: int) -> None:
        self.factor = factor
        (self.project.project_dir / "seeds/factors.csv").write_text(f"factor\n{factor}\n")

    def build(self, *arguments: str, says: str | None = "", **variables) -> None:
        """Build. Check whether a line says that all rows are rebuilt (None: do not check)."""
        result = self.project("build", *arguments, schema=self.schema, **variables)
        assert result.success is not variables.get("fails", False), result.text
        told = [line for line in result.said if "all rows anew" in line or "made anew" in line]
        if says is not None:
            assert (len(told) == 1 and says in told[0]) if says else not told, told

    def totals(self) -> dict[str, tuple]:
        rows = self._read(self.schema, "totals")
        found = {row["name"]: (row["total"], row["is_large"], row["run"]) for row in rows}
        assert len(found) == len(rows)
        return found

    def expected(self, limit: int = 100) -> dict[str, tuple]:
        totals: dict[str, int] = {}
        for name, number in self.numbers.values():
            totals[name] = totals.get(name, 0) + number * self.factor
        return {name: (total, total > limit) for name, total in totals.items()}

    def snapshots(self) -> int:
        return self.spark.table(f"{self.schema}.totals.snapshots").count()


@pytest.fixture
def house(small_project, read, spark, schema):
    return House(small_project(FILES), read, spark, schema)


def without_runs(totals: dict) -> dict:
    return {name: row[:2] for name, row in totals.items()}


@pytest.mark.slow
def test_only_the_rows_of_changed_keys_are_made_anew(house):
    before: dict = {}

    def step(anew: set[str], says: str = "", limit: int = 100, **variables) -> None:
        nonlocal before
        house.build(says=says, limit=limit, **variables)
        after = house.totals()
        if not variables.get("fails"):
            assert without_runs(after) == house.expected(limit)
        assert {name for name in after if before.get(name) != after[name]} == anew
        before = after

    house.land({1: ("a", 1), 2: ("a", 2), 3: ("b", 5), 4: ("c", 50)})
    step({"a", "b", "c"})
    house.land({3: ("b", 6)})
    step({"b"})
    house.land({3: ("a", 6)})  # now b has no rows
    step({"a"})
    assert "b" not in before
    house.land_nothing()
    snapshots = house.snapshots()
    step(set())
    assert house.snapshots() == snapshots  # nothing is written
    result = house.project("run", "--select", "totals", schema=house.schema)
    assert result.said[-1] == "Nothing to publish. Tables without news: 1."
    step({"c"}, limit=10)  # the limit has changed
    step({"a", "c"}, limit=10, other=2, says="its code, its contract or its config has changed")
    step({"a", "c"}, limit=10, other=2, note="x", says="its code, its contract or its config")
    house.multiply(2)
    step({"a", "c"}, limit=10, other=2, says="its code, its contract or its config")
    house.multiply(1)
    step({"a", "c"}, limit=10, other=2, says="factors has changed")
    house.land({5: ("d", 1)})
    step(set(), limit=10, other=2, fails=True)  # held back together with its note
    step({"d"}, limit=10, other=2)
    house.delete(2)
    step({"a"}, limit=10, other=2)
    catalog = house.spark.catalog.currentCatalog()
    everything = f"table => '{house.schema}.numbers', options => map('rewrite-all', 'true')"
    house.spark.sql(f"call {catalog}.system.rewrite_data_files({everything})")
    house.land({6: ("d", 1)})
    step({"d"}, limit=10, other=2)
    house.spark.sql(f"delete from {house.schema}.totals where name = 'c'")
    step({"a", "c", "d"}, limit=10, other=2, says="something else has written")
    file = house.project.project_dir / "models/totals.py"
    file.write_text(file.read_text().replace("plain * factor", "factor * plain"))
    step({"a", "c", "d"}, limit=10, other=2, says="its code")
    file.write_text(f"import time\n{file.read_text()}")
    step({"a", "c", "d"}, limit=10, other=2, says=None)
    house.build("--full-refresh", "--select", "totals", says=None)
    assert without_runs(house.totals()) == house.expected()


def random_builds(house, chance: random.Random, builds: int) -> None:
    """Build after random changes. Compare the table with rows computed in Python."""
    for _ in range(builds):
        numbers = {
            chance.randrange(12): (chance.choice("abcdef"), chance.randrange(60))
            for _ in range(chance.randrange(1, 4))
        }
        house.land(numbers)
        if len(house.numbers) > 4 and chance.random() < 0.3:
            house.build(says=None)
            house.delete(chance.choice([*house.numbers]))
        if chance.random() < 0.2:
            house.multiply(chance.randrange(1, 3))
        limit = chance.choice([20, 20, 50])
        if chance.random() < 0.2:
            house.build(says=None, limit=chance.choice([20, 50]), fails=True)
        house.build(says=None, limit=limit)
        assert without_runs(house.totals()) == house.expected(limit)


def test_a_few_builds_end_in_the_rows_of_a_full_refresh(house, seed):
    random_builds(house, random.Random(seed), builds=3)


@pytest.mark.full
def test_any_builds_end_in_the_rows_of_a_full_refresh(house, seed):
    random_builds(house, random.Random(seed), builds=25)
