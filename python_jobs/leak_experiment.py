"""Shows what lets a Silver-only column into Gold: one Gold write, done in every way.

    python -m python_jobs.leak_experiment [--out FILE]

A small Iceberg Silver table is reduced to one row per car with its KPIs, as in
gold_car_current_state. That DataFrame is projected in each way that docs/why-columns-leak.md
describes, with and without a checkpoint, and written in each way to a table of each kind. Spark
starts with the project's own settings, but its tables are in a temporary folder. The output is
Markdown and the same on every run: the content of each table after the write, or Spark's error. It
takes about a minute.
"""

import argparse
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from string import ascii_uppercase

from dbt.cli.main import dbtRunner
from dbt_spark_contracts.spark import session
from dbt_spark_contracts.spark.checkpoints import Checkpoints
from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

ROOT = Path(__file__).parents[1]

# The 14 columns of gold_car_current_state, in the contract's order.
GOLD = [
    *("car_chassis", "manufacturer", "model", "year", "gas_type", "insurance_provider"),
    *("insurance_valid_until", "current_mileage_km", "fuel_available_liters"),
    *("telemetry_timestamp", "insurance_status", "insurance_days_expired", "event_timestamp"),
    "gold_processing_timestamp",
]
# The five additional columns of the incident's table of 19 columns.
SILVER_ONLY = ["event_id", "event_primary_timestamp", "event_year", "event_month", "event_day"]

# In Gold's order, except that `model` is before `manufacturer`, as in this project's Silver:
# a difference that the types do not reveal.
SILVER = """
select event_id, car_chassis, event_primary_timestamp, model, manufacturer, year, gas_type,
  insurance_provider, date(insured_until) as insurance_valid_until,
  double(km) as current_mileage_km, double(fuel) as fuel_available_liters,
  timestamp(read_at) as telemetry_timestamp, 2025 as event_year, 11 as event_month, event_day
from values
  ('e1', 'A', '2025-11-01T08:00:00Z', 'Uno', 'Fiat', 2021, 'Flex', 'Alfa', '2025-12-01',
   1000, 10, '2025-11-01T08:01:00Z', 1),
  ('e2', 'A', '2025-11-04T08:00:00Z', 'Uno', 'Fiat', 2021, 'Flex', 'Alfa', '2025-12-01',
   1400, 20, '2025-11-04T08:01:00Z', 4),
  ('e3', 'B', '2025-11-05T08:00:00Z', 'Leaf', 'Nissan', 2022, 'Electric', 'Beta', '2026-12-01',
   2500, 0, '2025-11-05T08:01:00Z', 5)
  as given (event_id, car_chassis, event_primary_timestamp, model, manufacturer, year, gas_type,
    insurance_provider, insured_until, km, fuel, read_at, event_day)
"""

PROJECTIONS: dict[str, Callable[[DataFrame], DataFrame]] = {
    "as it is": lambda frame: frame,
    "drop": lambda frame: frame.drop(*SILVER_ONLY),
    "select": lambda frame: frame.select(*GOLD),
    "drop + select": lambda frame: frame.drop(*SILVER_ONLY).select(*GOLD),
}
CHECKPOINTS: dict[str, Callable[[DataFrame], DataFrame]] = {
    "without": lambda frame: frame,
    "with": lambda frame: frame.checkpoint(),
}


def sql(statement: str) -> Callable[[DataFrame, str], None]:
    """Return a way of writing: a statement on `{table}` and the DataFrame, `{source}`."""

    def write(frame: DataFrame, table: str) -> None:
        frame.sparkSession.sql(statement.replace("{table}", table), source=frame)

    return write


MERGE = "merge into {table} t using {source} s on t.car_chassis = s.car_chassis "
MERGE_STAR = MERGE + "when matched then update set * when not matched then insert *"
MERGE_LISTED = (
    MERGE
    + f"when matched then update set {', '.join(f't.{name} = s.{name}' for name in GOLD)} "
    + f"when not matched then insert ({', '.join(GOLD)}) "
    + f"values ({', '.join(f's.{name}' for name in GOLD)})"
)
# Refuses an INSERT that omits a column of the table, as Iceberg did on Spark 3.3.
NO_NULLS = {"spark.sql.defaultColumn.useNullsForMissingDefaultValues": "false"}


def merge_listed_strictly(frame: DataFrame, table: str) -> None:
    """MERGE_LISTED, where Spark must not fill columns that the list omits with nulls."""
    with changed(frame.sparkSession, NO_NULLS):
        sql(MERGE_LISTED)(frame, table)


WAYS: dict[str, Callable[[DataFrame, str], None]] = {
    "createOrReplace": lambda frame, table: frame.writeTo(table).createOrReplace(),
    "saveAsTable, overwrite": lambda frame, table: (
        frame.write.format("iceberg").mode("overwrite").saveAsTable(table)
    ),
    "INSERT INTO": sql("insert into {table} select * from {source}"),
    "INSERT OVERWRITE": sql("insert overwrite {table} select * from {source}"),
    "INSERT BY NAME": sql("insert into {table} by name select * from {source}"),
    "append": lambda frame, table: frame.writeTo(table).append(),
    "MERGE, *": sql(MERGE_STAR),
    "MERGE, listed": sql(MERGE_LISTED),
    "MERGE, listed, no nulls": merge_listed_strictly,
}

# The result of an earlier run: no table, or its own DataFrame, projected or not.
TARGETS: dict[str, Callable[[DataFrame], DataFrame] | None] = {
    "absent": None,
    "clean": PROJECTIONS["select"],
    "polluted": PROJECTIONS["as it is"],
}

# Settings for small data: less overhead.
FOR_SMALL_DATA = {
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.shuffle.partitions": "1",
}

HOW_TO_READ = f"""\
- leak N: written; N Silver-only columns ({", ".join(SILVER_ONLY)})
  have values from this write.
- stay N: written; the table keeps N Silver-only columns for which this write had no value:
  they are null in a new row, and unchanged in an updated row.
- wrong N: written; N columns have values that belong to other columns.
- clean: written; the table has the {len(GOLD)} Gold columns only, with their own values.
- refused: not written. The letter gives the reason:"""


@dataclass(frozen=True)
class Outcome:
    """The result of one write. A refused one only has the error and the table's columns."""

    error: str = ""
    columns: list[str] = field(default_factory=list)
    leak: list[str] = field(default_factory=list)
    stay: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


KINDS = ("leak", "stay", "wrong")

# By way of writing, target, projection, and with or without a checkpoint.
Outcomes = dict[tuple[str, str, str, str], Outcome]


def run(spark: SparkSession, namespace: str) -> Outcomes:
    """Make every write, in a temporary namespace.

    Spark's checkpoint folder must be set.
    """
    silver, gold = f"{namespace}.silver", f"{namespace}.gold"
    outcomes = {}
    with changed(spark, FOR_SMALL_DATA):
        spark.sql(f"create namespace {namespace}")
        spark.sql(f"create table {silver} using iceberg as {SILVER}")
        earlier = with_kpis(spark.table(silver).where("event_id = 'e1'"), "2026-01-14").checkpoint()
        frame = with_kpis(spark.table(silver), "2026-01-15")
        old, new = rows_of(earlier), rows_of(frame)
        frames = {
            (projection, checkpoint): CHECKPOINTS[checkpoint](PROJECTIONS[projection](frame))
            for projection, checkpoint in product(PROJECTIONS, CHECKPOINTS)
        }
        for (way, write), (target, left) in product(WAYS.items(), TARGETS.items()):
            fresh = False
            for prepared, source in frames.items():
                if not fresh:
                    spark.sql(f"drop table if exists {gold}")
                    if left:
                        left(earlier).writeTo(gold).create()
                error = attempt(write, source, gold)
                outcomes[(way, target, *prepared)] = observe(spark, gold, error, old, new)
                fresh = bool(error)  # a refused write leaves the table as it was
        spark.sql(f"drop table if exists {gold}")
        spark.sql(f"drop table {silver}")
        spark.sql(f"drop namespace {namespace}")
    return outcomes


@contextmanager
def changed(spark: SparkSession, settings: dict[str, str]) -> Iterator[None]:
    """Set these settings of the session for the duration of the block."""
    before = {name: spark.conf.get(name) for name in settings}
    try:
        for name, value in settings.items():
            spark.conf.set(name, value)
        yield
    finally:
        for name, value in before.items():
            spark.conf.set(name, value)


def with_kpis(events: DataFrame, as_of_date: str) -> DataFrame:
    """Return the latest event of each car, with all Silver columns and those that Gold adds."""
    newest_first = Window.partitionBy("car_chassis").orderBy(F.desc("event_primary_timestamp"))
    as_of = F.to_date(F.lit(as_of_date))
    days_over = F.datediff(as_of, "insurance_valid_until")
    return (
        events.withColumn("rank", F.row_number().over(newest_first))
        .where("rank = 1")
        .drop("rank")
        .withColumn("insurance_status", F.when(days_over > 0, "EXPIRED").otherwise("ACTIVE"))
        .withColumn("insurance_days_expired", F.when(days_over > 0, days_over))
        .withColumn("event_timestamp", F.to_timestamp("event_primary_timestamp"))
        .withColumn("gold_processing_timestamp", as_of.cast("timestamp"))
    )


def rows_of(frame: DataFrame) -> list[dict]:
    """Return the rows of a DataFrame as dicts."""
    return [row.asDict() for row in frame.collect()]


def attempt(write: Callable[[DataFrame, str], None], frame: DataFrame, table: str) -> str:
    """Write, and return how Spark refused it.

    Any error after Spark's analysis is raised, because something may have been written.

    Returns:
        The name and first sentence of the error, or "" if the write succeeded.
    """
    try:
        write(frame, table)
    except AnalysisException as error:
        said = re.fullmatch(r"\[(.+?)\] (.+)", str(error), re.DOTALL)
        assert said, error
        name, text = said.groups()
        listed = re.search(r"^- (.+)", text, re.MULTILINE)
        sentence = listed[1] if listed else re.split(r"\n|\. ", text)[0].rstrip(".:")
        return f"`{name}`: {re.sub(r'(`[^`]+`[.])+(?=`)', '', sentence)}"
    return ""


def observe(
    spark: SparkSession, table: str, error: str, old: list[dict], new: list[dict]
) -> Outcome:
    """Return the state of the table after a write, given the rows of both runs."""
    if error:
        exists = spark.catalog.tableExists(table)
        return Outcome(error, spark.table(table).columns if exists else [])
    frame = spark.table(table)
    untouched = [{name: row[name] for name in frame.columns} for row in old]
    written = [row for row in rows_of(frame) if row not in untouched]
    found: dict[str, list[str]] = {kind: [] for kind in KINDS}
    for name in frame.columns:
        values = {row[name] for row in written}
        if values == {row[name] for row in new}:
            found["leak"] += [name] if name in SILVER_ONLY else []
        elif name in SILVER_ONLY and values == {None, *(row[name] for row in old)}:
            found["stay"].append(name)
        else:
            found["wrong"].append(name)
    return Outcome("", frame.columns, **found)


def markdown(spark: SparkSession, outcomes: Outcomes) -> str:
    """Return the outcomes as Markdown: a summary, every write, and a legend."""
    errors = sorted({outcome.error for outcome in outcomes.values()} - {""})
    letters = dict(zip(errors, ascii_uppercase, strict=False))
    writes = list(product(WAYS, TARGETS, PROJECTIONS))
    pairs = {write: [outcomes[(*write, name)] for name in CHECKPOINTS] for write in writes}
    same = sum(without == checkpointed for without, checkpointed in pairs.values())

    def cell(*write) -> str:
        without, checkpointed = (in_words(outcome, letters) for outcome in pairs[write])
        return without if without == checkpointed else f"{without}; checkpointed {checkpointed}"

    iceberg = spark._jvm.org.apache.iceberg.IcebergBuild.version()
    lines = [
        f"Spark {spark.version}, Iceberg {iceberg}. {len(pairs)} combinations, each written",
        f"without a checkpoint and with one: {same} of the {len(pairs)} had the same outcome",
        "both times.",
        "",
        "Bad outcomes (leak, stay and wrong, see below), and the DataFrames that caused them:",
        "",
        *heading("way of writing", *TARGETS),
    ]
    for way in WAYS:
        lines.append(line(way, *(got_through(outcomes, way, target) for target in TARGETS)))
    lines += ["", "Every write:", "", *heading("way of writing", "target", *PROJECTIONS)]
    for way, target in product(WAYS, TARGETS):
        lines.append(line(way, target, *(cell(way, target, name) for name in PROJECTIONS)))
    lines += ["", HOW_TO_READ]
    lines += [f"  - {letters[error]}: {error}" for error in errors]
    return "\n".join(lines)


def in_words(outcome: Outcome, letters: dict[str, str]) -> str:
    """Return one write in a word or two."""
    if outcome.error:
        return f"refused {letters[outcome.error]}"
    found = [f"{kind} {len(names)}" for kind in KINDS if (names := getattr(outcome, kind))]
    if not found and sorted(outcome.columns) == sorted(GOLD):
        return "clean" if outcome.columns == GOLD else "clean, other order"
    return ", ".join(found) or f"only {len(outcome.columns)} columns"


def got_through(outcomes: Outcomes, way: str, target: str) -> str:
    """Return which projections leaked, for one way of writing to one target."""
    found = []
    for kind in KINDS:
        through = [
            projection
            for projection in PROJECTIONS
            if any(getattr(outcomes[way, target, projection, name], kind) for name in CHECKPOINTS)
        ]
        if through:
            found.append(f"{kind}: {'any' if through == [*PROJECTIONS] else ', '.join(through)}")
    return "; ".join(found) or "nothing"


def heading(*names: str) -> list[str]:
    """Return the first two lines of a Markdown table."""
    return [line(*names), line(*("---" for _ in names))]


def line(*cells: str) -> str:
    """Return a line of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def main() -> int:
    """Start Spark as dbt does, with temporary tables, and print the outcomes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="a file to write the Markdown to as well")
    out = parser.parse_args().out
    for name in [name for name in os.environ if name.startswith("LAKEHOUSE_")]:
        del os.environ[name]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.environ["LAKEHOUSE_HOME"] = folder
        places = ["--project-dir", ROOT, "--profiles-dir", ROOT, "--target-path", folder]
        parse = ["parse", "--quiet", *places, "--log-path", folder]
        if not dbtRunner().invoke([str(part) for part in parse]).success:
            return 1
        spark = session.get()
        Checkpoints(folder).use()
        text = markdown(spark, run(spark, "leak_experiment"))
    print(text)
    if out:
        out.write_text(f"{text}\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
