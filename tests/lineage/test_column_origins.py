"""Column origins are read from Spark's plans. Each case is a query or a DataFrame."""

from functools import reduce
from itertools import product
from operator import or_

import pytest
from dbt_spark_contracts.lineage import model
from dbt_spark_contracts.lineage.model import trace
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import Window
from pyspark.sql import functions as F

from tests.support.origin_queries import QUERIES, TABLES
from tests.support.spark_work import counted

NODES = {f"lakehouse.origins.{name}": f"model.x.{name}" for name in ("t", "u", "this")}
MODEL = {
    "relation_name": "lake.gold.m",
    "unique_id": "model.x.this",
    "language": "sql",
    "checksum": {"checksum": "1"},
}


@pytest.fixture(scope="module")
def tables(spark):
    for statement in filter(str.strip, TABLES.split(";")):
        spark.sql(statement)
    make_views(spark)
    return spark


def make_views(spark) -> None:
    """Create the tables' views. Each time Spark gives their columns new ids."""
    for name in ("t", "u"):
        spark.table(f"origins.{name}").createOrReplaceTempView(name)


MARKS = {"copy": "", "computed": "~", "aggregated": "+", "condition": "?", "window": "w"}


def told(frame, **other) -> str:
    """Return a DataFrame's column lineage in the notation of QUERIES."""
    entry = trace(frame, MODEL | other, NODES)
    columns = []
    for name, column in entry.columns.items():
        by_field = {"": []} if not column.origins else {}
        for origin in column.origins:
            parent = origin.node.removeprefix("model.x.")
            text = f"{MARKS[origin.kind]}{parent}.{origin.column}"
            by_field.setdefault(origin.field, []).append(text)
        for field, texts in by_field.items():
            path = f"{name}.{field}".rstrip(".")
            untraced = "!" if column.untraced else ""
            columns.append(f"{path}={','.join(sorted(texts, key=by_name))}{untraced}")
    rows: dict[str, list] = {}
    for origin in entry.rows.origins:
        parent = origin.node.removeprefix("model.x.")
        rows.setdefault(origin.kind, []).append(f"{parent}.{origin.column}")
    how = [f"{kind} {','.join(names)}" for kind, names in sorted(rows.items())]
    untraced = ["!"] if entry.rows.untraced else []
    return "; ".join(filter(None, [" ".join(columns), " ".join(how + untraced)]))


def by_name(text: str) -> str:
    return text.lstrip("~+?w")


@pytest.mark.parametrize("name", QUERIES)
def test_query(tables, name):
    query, expected = QUERIES[name]
    assert told(tables.sql(query)) == expected


def many_columns(t):
    """Return a plan with 80 steps."""
    frame = t.withColumn("x0", F.col("a") + 1)
    for number in range(1, 80):
        frame = frame.withColumn(f"x{number}", F.col(f"x{number - 1}"))
    return frame.select("x79")


def deep_condition(t):
    """Return an expression with 500 levels."""
    return t.select(reduce(or_, [F.col("a") == number for number in range(500)]).alias("x"))


def pandas_udf(t):
    return t.select(F.pandas_udf(lambda values: values, "string")("b").alias("x"))


def grouped_pandas_udf(t):
    mean = F.pandas_udf(lambda values: 1.0, "double", F.PandasUDFType.GROUPED_AGG)
    return t.groupBy("b").agg(mean("a").alias("x")).select("x")


# The same for the DataFrames of Python models.
FRAMES = {
    "select": (lambda t: t.select(F.col("b").alias("x")), "x=t.b"),
    "withColumnRenamed": (lambda t: t.withColumnRenamed("b", "x").select("x"), "x=t.b"),
    "many withColumns": (many_columns, "x79=~t.a"),
    "deep expression": (deep_condition, "x=~t.a"),
    "latest row": (
        lambda t: (
            t.withColumn(
                "r", F.row_number().over(Window.partitionBy("b").orderBy(F.col("a").desc()))
            )
            .where("r = 1")
            .select("c")
        ),
        "c=t.c; filter t.a,t.b",
    ),
    "dropDuplicates": (lambda t: t.dropDuplicates(["b"]).select("c"), "c=t.c; group t.b"),
    "union by name": (
        lambda t: t.select("b", "c").unionByName(t.select("c", F.lit("z").alias("b"))),
        "b=t.b c=t.c",
    ),
    "join of a frame with itself": (
        lambda t: (
            t.alias("o").join(t.alias("p"), F.col("o.a") == F.col("p.a")).select("o.b", "p.c")
        ),
        "b=t.b c=t.c; join t.a",
    ),
    "cached": (lambda t: t.select(F.col("b").alias("x")).cache(), "x=t.b"),
    "transform": (lambda t: t.select(F.transform("n", lambda e: F.upper(e)).alias("x")), "x=~t.n"),
    "limit": (lambda t: t.limit(0).select("b"), "b=t.b"),
    "sample": (lambda t: t.sample(0.5, seed=1).select("b"), "b=t.b"),
    "repartition": (lambda t: t.repartition(2, "a").hint("broadcast").select("b"), "b=t.b"),
    # Python functions: all inputs, and untraced
    "udf": (lambda t: t.select(F.udf(str)("b", "c").alias("x")), "x=~t.b,~t.c!"),
    "udf among others": (
        lambda t: t.select(F.coalesce("b", F.udf(str)("c")).alias("x"), "a"),
        "x=t.b,~t.c! a=t.a",
    ),
    "udf of nothing": (lambda t: t.select(F.udf(lambda: "z")().alias("x")), "x=!"),
    "udf in a filter": (
        lambda t: t.where(F.udf(bool, "boolean")("b")).select("c"),
        "c=t.c; filter t.b !",
    ),
    "pandas udf": (pandas_udf, "x=~t.b!"),
    "grouped pandas udf": (grouped_pandas_udf, "x=~t.a!; group t.b"),
    "mapInPandas": (
        lambda t: t.select("a", "b").mapInPandas(lambda frames: frames, "x int, y string"),
        "x=~t.a,~t.b! y=~t.a,~t.b!; !",
    ),
    "applyInPandas": (
        lambda t: t.select("a", "b").groupBy("b").applyInPandas(lambda frame: frame, "x int"),
        "x=~t.a,~t.b!; !",
    ),
    # Lineage cut off
    "rdd": (lambda t: t.select("b").rdd.map(lambda row: row).toDF("x string"), "x=!; !"),
    "collected": (lambda t: t.sparkSession.createDataFrame([("z",)], "x string"), "x=!; !"),
    "pandas": (
        lambda t: t.sparkSession.createDataFrame(t.select("b").toPandas(), "x string"),
        "x=!; !",
    ),
    "checkpointed": (lambda t: t.select("b").localCheckpoint(), "b=!; !"),
    "files": (
        lambda t: t.sparkSession.read.text(__file__).withColumnRenamed("value", "x"),
        "x=!; !",
    ),
    "part of it cut off": (
        lambda t: t.select("b", "c").union(
            t.sparkSession.createDataFrame([("y", "z")], "b string, c string")
        ),
        "b=t.b! c=t.c!; !",
    ),
}


# The arguments to test each function with: one column, two, and some combinations of three.
ARGUMENTS = [
    *product(("a", "b", "n", "m"), repeat=1),
    *product(("b", "a", "n", "m"), repeat=2),
    *[("b", "c", "a"), ("b", "a", "a"), ("b", "c", "c"), ("a", "b", "c"), ("n", "a", "a")],
]


@pytest.mark.full
def test_no_function_loses_a_column(tables):
    """Test each of Spark's functions with all columns that it accepts."""
    names = [function.name for function in tables.catalog.listFunctions()]
    told_of, lost = set(), []
    for name, columns in product(names, ARGUMENTS):
        try:
            frame = tables.sql(f"select {name}({', '.join(columns)}) as x from t")
            _ = frame.columns
        except (PySparkException, Py4JJavaError):  # other arguments, or not a type of a column
            continue
        entry = trace(frame, MODEL, NODES)
        parts = [*entry.columns.values(), entry.rows]
        found = {origin.column for part in parts for origin in part.origins}
        told_of.add(name)
        if found != {*columns}:
            lost.append(f"{name}({', '.join(columns)}): {', '.join(sorted(found))}")
    assert lost == []
    assert len(told_of) > 250


@pytest.mark.parametrize("name", FRAMES)
def test_frame(tables, name):
    make, expected = FRAMES[name]
    assert told(make(tables.table("origins.t")), language="python") == expected


def test_literal_rows_in_a_plan_may_be_collected(tables):
    literals = tables.sql("select * from values ('z') as v(x)")
    assert told(literals) == "x="
    assert told(literals, language="python") == "x=!; !"


def test_other_tables_are_named_as_they_are(tables):
    tables.sql("create or replace table origins.stray (b string)")
    assert told(tables.sql("select b as x from origins.stray")) == "x=lakehouse.origins.stray.b"


def test_branch_of_a_table_is_the_table(tables):
    """Otherwise a marked column could leak through a branch."""
    tables.sql("insert into origins.t select null, 'z', null, null, null, null, null")
    for state in (".branch_main", " version as of 'main'"):
        assert told(tables.sql(f"select b as x from origins.t{state}")) == "x=t.b"


def test_plan_that_cannot_be_read_is_untraced(tables, monkeypatch):
    monkeypatch.setattr(model, "analyzed_plan", lambda frame: [{"class": "a.b", "nonsense": 1}])
    assert told(tables.sql("select a, b from t")) == "a=! b=!; !"


def test_own_earlier_rows_are_ignored(tables):
    query = "select b from t union all select d from u where d not in (select b from t)"
    assert told(tables.sql(query), unique_id="model.x.t") == "b=u.d; filter u.d"


def test_other_column_of_own_earlier_rows_is_reported(tables):
    """Otherwise a mark could be lost within one table."""
    query = "select b as c from t union all select d from u"
    assert told(tables.sql(query), unique_id="model.x.t") == "c=t.b,u.d"


def test_no_job_is_run(tables):
    query = tables.sql(QUERIES["latest row"][0])
    with counted(tables) as tracing:
        told(query)
    with counted(tables) as running:
        query.collect()
    assert tracing.jobs == 0
    assert running.jobs > 0, "this is how a job is seen"


def fingerprints(tables, query, volatile=()):
    make_views(tables)
    return fingerprints_in(trace(tables.sql(query), MODEL, NODES, volatile))


def fingerprints_in(entry):
    columns = [column.fingerprint for column in entry.columns.values()]
    return columns, entry.rows.fingerprint


def test_fingerprint_is_the_same_for_the_same_way(tables):
    passes = []
    for _ in range(2):
        make_views(tables)
        passes.append(
            {
                name: fingerprints_in(trace(tables.sql(query), MODEL, NODES))
                for name, (query, _) in QUERIES.items()
            }
        )
    assert passes[0] == passes[1]


def test_fingerprint_depends_on_the_computation(tables):
    before, rows = fingerprints(tables, "select a * 2 as x, b from t where c = 'z'")
    after, same_rows = fingerprints(tables, "select a * 3 as x, b from t where c = 'z'")
    assert (before[0] != after[0], before[1] == after[1], rows == same_rows) == (True, True, True)
    same, other_rows = fingerprints(tables, "select a * 2 as x, b from t where c = 'y'")
    assert (before == same, rows != other_rows) == (True, True)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("row_number() over (order by a)", "row_number() over (order by a desc)"),
        ("sum(a) over (order by b)", "sum(a) over (order by b rows 1 preceding)"),
        ("b like 'x%'", "b like 'y%'"),
        ("round(a, 1)", "round(a, 2)"),
        ("cast(b as int)", "cast(b as bigint)"),
        ("s.p", "s.q"),
        ("count(b) over ()", "count(distinct b)"),
    ],
)
def test_fingerprint_depends_on_settings(tables, one, other):
    queries = [f"select {expression} as x from t" for expression in (one, other)]
    assert fingerprints(tables, queries[0]) != fingerprints(tables, queries[1])


def test_fingerprint_of_a_choice_depends_on_its_values(tables):
    one = fingerprints(tables, "select if(a > 1, b, c) as x from t")
    other = fingerprints(tables, "select if(a > 1, c, b) as x from t")
    assert one != other


def test_fingerprint_leaves_out_what_differs_in_each_run(tables):
    query = "select timestamp '{0} 10:00:00' as x, '{0}T10:00:00' as y from t"
    one = fingerprints(tables, query.format("2026-01-01"), ["2026-01-01"])
    assert one == fingerprints(tables, query.format("2026-01-02"), ["2026-01-02"])
    assert one != fingerprints(tables, query.format("2026-01-02"))


@pytest.mark.slow
def test_what_has_no_input_is_known_or_untraced(tables):
    """Test each Spark function without arguments. An unknown one must not count as constant."""
    untraced = set()
    for (name,) in tables.sql("show system functions").collect():
        try:
            frame = tables.sql(f"select {name}() as x from t")
            _ = frame.schema
        except (PySparkException, Py4JJavaError):  # it needs arguments, or is no type of a column
            continue
        if trace(frame, MODEL, NODES).columns["x"].untraced:
            untraced.add(name)
    assert untraced == {"input_file_block_length", "input_file_block_start", "input_file_name"}
