"""The private names of pyspark and Iceberg that the guard uses exist, and work as expected."""

import inspect
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from dbt_spark_contracts import tables
from dbt_spark_contracts.compat import iceberg, pyspark
from dbt_spark_contracts.spark import session
from pyspark import SparkContext, java_gateway
from pyspark.errors import AnalysisException, ParseException


def kind(java_object) -> str:
    return java_object.getClass().getName()


def test_the_way_to_java(spark):
    assert pyspark.has_java()
    assert pyspark.java_classes(spark).java.lang.Math.max(1, 2) == 2
    assert pyspark.classes_of_this_java().java.lang.Math.max(1, 2) == 2
    package = "org.apache.spark.sql.classic" if spark.version >= "4" else "org.apache.spark.sql"
    assert kind(pyspark.java_session(spark)) == f"{package}.SparkSession"
    assert pyspark.hadoop_configuration(spark).get("fs.defaultFS") == "file:///"
    array = pyspark.java_array(spark, pyspark.java_classes(spark).java.lang.String, 2)
    array[1] = "x"
    assert [*array] == [None, "x"]


def test_what_stands_behind_a_session(spark):
    assert kind(pyspark.current_catalog(spark)) == tables.ICEBERG_CATALOG
    assert pyspark.analyzed_plan(spark.range(1).selectExpr("id")).nodeName() == "Project"
    limited = spark.range(1).limit(0)
    assert pyspark.has_any(limited, "CURRENT_LIKE", "LIMIT")
    assert not pyspark.has_any(spark.range(1), "LIMIT")
    patterns = ("CURRENT_LIKE", "LIMIT", "PYTHON_UDF", "SCALA_UDF")
    assert not any(pyspark.has_any(spark.range(1), name) for name in patterns)
    assert pyspark.casts_a_day(spark.range(1).selectExpr("to_date('today')"))
    assert not pyspark.casts_a_day(spark.range(1).selectExpr("to_date('2026-01-15')"))
    frame = spark.range(1)
    assert pyspark.grouped_frame(frame.groupBy("id")) is frame
    parser = pyspark.sql_parser(spark)
    assert parser.parsePlan("select 1").nodeName() == "Project"
    with pytest.raises(ParseException):
        parser.parsePlan("select (")


def test_java_writes_a_plan_while_dbt_parses(spark, monkeypatch):
    """A failure would not be noticed: it is no reason to stop a command."""
    parser, written = pyspark.sql_parser(spark), []

    def parse(query: str):
        plan = parser.parsePlan(query)
        return SimpleNamespace(toJSON=lambda: written.append(plan.toJSON()))

    monkeypatch.setattr(pyspark, "sql_parser", lambda _: SimpleNamespace(parsePlan=parse))
    session._load_reader(spark)
    [text] = written
    assert {"Aggregate", "Filter"} <= {*re.findall(r"logical\.(\w+)", text)}


@pytest.mark.quick
def test_pyspark_asks_its_environment_for_a_java():
    """pyspark reads the variables from its module's `os`, which `connect` replaces for the call."""
    assert java_gateway.os.environ
    source = inspect.getsource(java_gateway.launch_gateway)
    for name in ("PYSPARK_GATEWAY_PORT", "PYSPARK_GATEWAY_SECRET"):
        assert f'"{name}"' in source and "os.environ" in source
    assert "launch_gateway" in inspect.getsource(SparkContext._ensure_initialized)


def test_icebergs_own_ways_to_a_table(spark, schema):
    spark.sql(f"create namespace {schema}")
    spark.sql(f"create table {schema}.t (id int) using iceberg")
    catalog, identifier = iceberg.catalog_and_identifier(spark, f"{schema}.t")
    assert (catalog.name(), identifier.name()) == (spark.catalog.currentCatalog(), "t")
    assert iceberg.load_table(spark, f"{schema}.t").schema().findField("id") is not None
    assert iceberg.expression(spark, f"{schema}.t", "id > 3").op().toString() == "AND"
    with pytest.raises(AnalysisException):
        iceberg.load_table(spark, f"{schema}.not_there")


def test_a_threads_commits_carry_its_notes_and_no_other_threads(spark, schema):
    spark.sql(f"create namespace {schema}")
    spark.sql(f"create table {schema}.t (id int) using iceberg")
    assert pyspark.has_own_java_threads(spark)
    both = threading.Barrier(2)

    def work(number: int) -> None:
        iceberg.note_on_commits(spark, {"by": f"{number}"})
        both.wait(60)
        with turn:  # one commit at a time, because a conflict would be retried
            spark.sql(f"insert into {schema}.t values ({number})")
            spark.sql(f"delete from {schema}.t where id = {number}")
            iceberg.note_on_commits(spark, {})
            spark.table(f"{schema}.t").limit(0).writeTo(f"{schema}.t").append()

    turn = threading.Lock()
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(work, (1, 2)))
    summaries = [
        dict(each.summary()) for each in tables.load_anew(spark, f"{schema}.t").snapshots()
    ]
    assert sorted(each.get("by", "") for each in summaries) == ["", "", "1", "1", "2", "2"]


def test_a_catalog_with_transactions(spark, schema):
    """The local catalog has none. tests/publish/test_one_commit.py uses a catalog with them."""
    catalog, _ = iceberg.catalog_and_identifier(spark, f"{schema}.t")
    assert iceberg.catalog_with_transactions(spark, catalog) is None
    names = pyspark.java_classes(spark).org.apache.iceberg
    assert names.rest.Endpoint.V1_COMMIT_TRANSACTION.path() == "/v1/{prefix}/transactions/commit"
    loader = pyspark.java_classes(spark).java.lang.Thread.currentThread().getContextClassLoader()
    fields = {
        "CachingCatalog": "catalog",
        "rest.RESTCatalog": "sessionCatalog",
        "rest.RESTSessionCatalog": "endpoints",
    }
    for name, field in fields.items():
        there = pyspark.java_classes(spark).java.lang.Class.forName(
            f"org.apache.iceberg.{name}", True, loader
        )
        assert there.getDeclaredField(field).getName() == field


def test_icebergs_planners_of_rewrites(spark, schema):
    """tests/publish/test_maintenance.py checks that the actions do what is planned."""
    spark.sql(f"create namespace {schema}")
    spark.sql(f"create table {schema}.t (id int) using iceberg")
    for _ in range(3):
        spark.sql(f"insert into {schema}.t values (1)")
    table = iceberg.load_table(spark, f"{schema}.t")
    for least, planned in (("2", [(3, 1)]), ("4", [])):
        options = {"min-input-files": least}
        groups = iceberg.rewrite_plan(spark, "BinPackRewriteFilePlanner", table, options)
        found = []
        while groups.hasNext():
            group = groups.next()
            found.append((group.inputFileNum(), group.expectedOutputFiles()))
        assert found == planned
    deletes = iceberg.rewrite_plan(spark, "BinPackRewritePositionDeletePlanner", table, {})
    assert not deletes.hasNext()


def test_single_files_of_a_table_are_read(spark, schema):
    """This works in a session that writes to a branch, which cannot read Iceberg's `changes`."""
    spark.sql(f"create namespace {schema}")
    name = f"{schema}.t"
    spark.sql(
        f"create table {name} (id int, day int) using iceberg partitioned by (day) "
        "tblproperties ('write.wap.enabled' = 'true')"
    )
    for number in (1, 2, 3):
        spark.sql(f"insert into {name} values ({number}, {number % 2})")
    table = iceberg.load_table(spark, name)
    files = [[*each.addedDataFiles(table.io())] for each in table.snapshots()]
    spark.conf.set("spark.wap.branch", "try")
    try:
        spark.sql(f"insert into {name} values (4, 0)")
        table = iceberg.load_table(spark, name)
        rows = iceberg.read_files(spark, name, table, files[0] + files[2], "key")
        assert sorted(row.id for row in rows.collect()) == [1, 3]
        iceberg.forget_files(spark, table, "key")
        with pytest.raises(Exception, match="key"):
            spark.read.option("scan-task-set-id", "key").table(name).collect()
    finally:
        spark.conf.unset("spark.wap.branch")


def test_the_files_of_a_frame_are_read_in_one_call(spark, tmp_path):
    for name in ("a, b", 'c "d"'):
        (tmp_path / name).write_text("x")
    found = pyspark.input_files(spark, spark.read.format("binaryFile").load(str(tmp_path)))
    assert sorted(found) == [f"file://{tmp_path}/a,%20b", f"file://{tmp_path}/c%20%22d%22"]
    assert pyspark.input_files(spark, spark.range(1)) == []


def test_whether_files_are_empty_is_known_without_reading_them(spark, tmp_path, monkeypatch):
    """A name like a length, or another text than that of Hadoop, is taken for an empty file."""

    def found(name, text):
        folder = tmp_path / str(len([*tmp_path.iterdir()]))
        folder.mkdir()
        for each, content in (("a b", "x"), ("length=0;", "x"), (name, text)):
            (folder / each).write_text(content)
        return pyspark.may_have_empty_files(spark.read.format("binaryFile").load(str(folder)))

    assert not found("full", "0")
    assert found("empty", "")
    assert found("x; isDirectory=false; length=7;", "0")
    monkeypatch.setattr(pyspark, "_LENGTH", re.compile("length of another text=([0-9]+)"))
    assert found("full", "0")


def test_what_the_parser_makes_becomes_a_frame(spark):
    parsed = pyspark.sql_parser(spark).parsePlan("select id + 1 as x from range(3)")
    assert pyspark.kind_of_java(parsed) == "Project"
    assert pyspark.kind_of_java("a text") == ""
    frame = pyspark.frame_of(spark, parsed)
    assert frame.columns == ["x"]
    expression = pyspark.sql_parser(spark).parseExpression("x * 2")
    assert frame.select(pyspark.column_of(spark, expression).alias("y")).collect()[0].y == 2
    clause = pyspark.sql_parser(spark).parsePlan("with a as (select 7 as z) select 1")
    query = pyspark.sql_parser(spark).parsePlan("select z from a")
    found = pyspark.frame_of(spark, pyspark.with_child(spark, clause, query))
    assert found.collect()[0].z == 7


def test_a_statement_is_returned_with_its_values(spark):
    frame = spark.range(1)
    text = pyspark.formatted_sql(
        spark, "select {n} from {t} where a = {s}", {"n": 2, "t": frame, "s": "it's"}
    )
    assert text.startswith("select 2 from ") and text.endswith(r"where a = 'it\'s'")
