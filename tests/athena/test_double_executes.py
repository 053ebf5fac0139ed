"""The test double of Athena executes SQL as Trino does, and refuses what it does not support."""

from datetime import date, datetime

import pytest
from botocore.exceptions import ClientError
from dbt.adapters.athena.exceptions import AthenaQueryFailedError

from tests.support.athena_double.calculations import HANDLE, ICEBERG, USE_IN_NEW_TABLES
from tests.support.athena_double.double import athena

BUCKET = "double"


@pytest.fixture(scope="module")
def double(spark, tmp_path_factory):
    with athena(spark, tmp_path_factory.mktemp("athena") / "bucket", BUCKET) as double:
        double.put("landing/1.txt", b"1\n2\n")
        yield double


# By Trino's documentation, or by its tests where that says nothing.
VALUES = [
    ("1 + 2 * 3", 7),
    ("'a' || 'b'", "ab"),
    ("'a' || null", None),
    ("concat('it''s ', '\\d')", "it's \\d"),
    ("concat_ws('-', 'a', null, 'b')", "a-b"),
    ("length('naïve')", 5),
    ("substr('Trino', 2, 3)", "rin"),
    ("lower(to_hex(md5(to_utf8('a'))))", "0cc175b9c0f1b6a831c399e269772661"),
    ("substr(to_hex(sha256(to_utf8('a'))), 1, 8)", "CA978112"),
    ("to_hex(xxhash64(to_utf8('')))", "EF46DB3751D8E999"),
    ("regexp_like('1a 2b 14m', '\\d+b')", True),
    ("regexp_extract('1a 2b 14m', '(\\d+)([a-z]+)', 2)", "a"),
    ("regexp_extract('no digits', '\\d+')", None),
    ("replace('aXbX', 'X', '')", "ab"),
    ("nullif('', '')", None),
    ("greatest(1, null, 3)", None),
    ("least(2, 1)", 1),
    ("coalesce(null, 2)", 2),
    ("if(1 > 2, 'a')", None),
    ("null is distinct from null", False),
    ("1 is distinct from null", True),
    ("abs(-1.5e0)", 1.5),
    ("floor(-1.5e0)", -2.0),
    ("floor(1e300)", 1e300),
    ("1e308 < infinity()", True),
    ("year(date '2026-01-15')", 2026),
    ("month(timestamp '2026-01-15 12:00:00')", 1),
    ("date_trunc('month', date '2026-01-15')", date(2026, 1, 1)),
    ("date_trunc('hour', timestamp '2026-01-15 12:34:56')", datetime(2026, 1, 15, 12)),
    ("date_diff('day', date '2025-12-31', date '2026-01-15')", 15),
    ("date_add('minute', -90, timestamp '2026-01-15 01:00:00')", datetime(2026, 1, 14, 23, 30)),
    ("cardinality(array[1, null])", 2),
    ("element_at(array['a', 'b'], -1)", "b"),
    ("element_at(array['a', 'b'], 3)", None),
    ("none_match(array[1, 2], x -> x > 2)", True),
    ("none_match(array[1, null], x -> x > 2)", None),
    ("element_at(slice(array[1, 2, 3], 2, 2), 1)", 2),
    ("map(array['a', 'b'], array['1', null])['a']", "1"),
    ("map(array['a', 'b'], array['1', null])['b']", None),
    # JSON
    ('json_format(json_parse(\'{"b": 1.50, "a": [null, 1e2]}\'))', '{"a":[null,100.0],"b":1.5}'),
    ("try(json_parse('{'))", None),
    ("json_extract_scalar(json_parse('{\"a\": {\"b\": true}}'), '$.a.b')", "true"),
    ("json_extract_scalar(json_parse('{\"a\": {}}'), '$.a')", None),
    ("json_format(json_extract(json_parse('{\"a\": {}}'), '$.a'))", "{}"),
    ("json_extract(json_parse('{}'), '$.a') is null", True),
    ("cardinality(cast(json_parse('[1, \"a\", null]') as array(json)))", 3),
    ("try(cast(json_parse('1') as array(json))) is null", True),
    ("json_format(cast(array['a\"', null] as json))", '["a\\"",null]'),
    # Casts
    ("cast('  12' as double)", 12.0),
    ("try_cast('12 km' as double)", None),
    ("try_cast('inf' as double)", None),
    ("try_cast('1.0' as integer)", None),
    ("try_cast('3000000000' as integer)", None),
    ("cast(2.5e0 as integer)", 3),
    ("cast(-2.5e0 as bigint)", -3),
    ("try_cast('yes' as boolean)", None),
    ("cast('T' as boolean)", True),
    ("try_cast('2026' as date)", None),
    ("try_cast('2026-02-30' as date)", None),
    ("cast('2026-1-5' as date)", date(2026, 1, 5)),
    ("cast('2026-01-15 12:00:00.25' as timestamp(6))", datetime(2026, 1, 15, 12, 0, 0, 250000)),
    ("try_cast('2026-01-15T12:00:00' as timestamp(6))", None),
    ("try_cast('2026-01-15 12:00:00 UTC' as timestamp(6))", None),
    (
        "cast(cast('2026-01-15 12:00:00.5' as timestamp(6)) as varchar)",
        "2026-01-15 12:00:00.500000",
    ),
    ("cast(timestamp '2026-01-15 12:00:00' as varchar)", "2026-01-15 12:00:00"),
    ("cast(date '2026-01-15' as timestamp(6))", datetime(2026, 1, 15)),
    ("cast(true as varchar)", "true"),
    ("date '2026-01-15' > timestamp '2026-01-14 23:59:59'", True),
]


def test_functions_and_casts_are_trinos(double):
    columns = ", ".join(f"{sql} as c{place}" for place, (sql, _) in enumerate(VALUES))
    (row,) = double.sql(f"select {columns}")
    found = [(sql, value) for (sql, _), value in zip(VALUES, row, strict=True)]
    assert found == VALUES


def test_rows_are_ordered_and_counted_as_in_trino(double):
    table = "(values (2, 'b'), (null, 'a'), (1, 'a')) as t (n, g)"
    assert double.sql(f"select n from {table} order by n") == [(1,), (2,), (None,)]
    assert double.sql(f"select n from {table} order by n desc") == [(2,), (1,), (None,)]
    assert double.sql(
        f"select n, row_number() over (partition by g order by n) as r from {table} order by n"
    ) == [(1, 1), (2, 1), (None, 2)]
    assert double.sql(
        f"select count(*), count(n), count(distinct g), count_if(n > 1) from {table}"
    ) == [(3, 2, 2, 1)]
    # More than a page of results.
    many = ", ".join(f"({number})" for number in range(1200))
    rows = double.sql(f"select n from (values {many}) as t (n) order by n")
    assert rows == [(number,) for number in range(1200)]


@pytest.fixture(scope="module")
def cars(double):
    """A schema with a table of cars."""
    double.sql("create schema if not exists `fleet`")
    double.sql(create("cars", "select 'a' as car, cast(1 as bigint) as km"))


def create(name: str, query: str, **properties: str) -> str:
    """A CTAS as dbt-athena writes it."""
    given = {
        "table_type": "'iceberg'",
        "is_external": "false",
        "location": f"'s3://{BUCKET}/warehouse/fleet/{name}/1'",
        "format": "'parquet'",
        **properties,
    }
    listed = ", ".join(f"{key}={value}" for key, value in given.items() if value)
    return f'create table "awsdatacatalog"."fleet"."{name}" with ({listed}) as {query}'


MERGE = "merge into cars as t using cars as s"
REFUSED = {
    "select car from trucks": "TABLE_NOT_FOUND: Table 'awsdatacatalog.fleet.trucks'",
    "select car from other.cars": "TABLE_NOT_FOUND",
    "select car from hive.fleet.cars": "CATALOG_NOT_FOUND",
    "select cast('x' as integer)": "Cannot cast 'x' to a whole number",
    "select try_cast(' 12' as integer)": "NOT_IN_THE_DOUBLE",
    "select json_parse('{')": "Expecting property name",
    "select map(array['a'], array['b'])['c']": "Key not present in map",
    create(
        "t", "select cast(null as timestamp) as at"
    ): r"NOT_SUPPORTED: Timestamp precision \(3\)",
    create("t", "select timestamp '2026-01-15 12:00:00' as at"): r"Timestamp precision \(0\)",
    create("t", "select count(*)"): "MISSING_COLUMN_NAME",
    create("t", "select null as nothing"): "COLUMN_TYPE_UNKNOWN: Column type is unknown: nothing",
    create(
        "t", "select json_parse('1') as j"
    ): "NOT_SUPPORTED: Type not supported for Iceberg: json",
    create("t", "select 1 as a", table_type="'hive'"): "NOT_IN_THE_DOUBLE",
    create("t", "select 1 as a", format="'orc'"): "NOT_IN_THE_DOUBLE",
    create("t", "select 1 as a", bucket_count="3"): "NOT_IN_THE_DOUBLE",
    create("t", "select 1 as a", partitioning="array['void(a)']"): "NOT_IN_THE_DOUBLE",
    create(
        "t", "select 1 as a", location="'s3://elsewhere/t'"
    ): "does not know the bucket of s3://elsewhere/t",
    create("t", "select 1 as a", location=f"'s3://{BUCKET}/landing'"): "is not empty",
    create("cars", "select 1 as a", location=f"'s3://{BUCKET}/t'"): "already exists",
    "insert into cars (car, km) select 'b', 'far'": "TYPE_MISMATCH: Column 'km' is bigint",
    "insert into cars (car, km) select 'b', 1.5e0": "TYPE_MISMATCH: Column 'km' is bigint",
    "insert into cars (car) select 'b'": "NOT_IN_THE_DOUBLE",
    "insert into cars (car, miles) select 'b', 1": "NOT_IN_THE_DOUBLE",
    f"{MERGE} on (t.km = s.car) when matched then update set km = s.km": "TYPE_MISMATCH",
    f"{MERGE} on (t.car = s.car) when matched then update set km = s.car": (
        "TYPE_MISMATCH: Column 'km' is bigint, and what is written is varchar"
    ),
    f"{MERGE} on (t.car = s.car) when matched then delete": "NOT_IN_THE_DOUBLE",
    "delete from cars": "NOT_IN_THE_DOUBLE",
    "create or replace view fleet.v as select 1 as a": "NOT_IN_THE_DOUBLE",
    "optimize fleet.cars rewrite data using bin_pack": "NOT_IN_THE_DOUBLE",
    "drop table `fleet`.`cars`": "NOT_IN_THE_DOUBLE",
    "alter table `fleet`.`cars` add columns (`a` int)": "NOT_IN_THE_DOUBLE",
    "alter table `fleet`.`cars` set tblproperties ('a' = 'b')": "NOT_IN_THE_DOUBLE",
    "alter table `fleet`.`trucks` rename to `fleet`.`cars`": "TABLE_NOT_FOUND",
    "create external table `fleet`.`e` (a int) location 's3://double/e'": "NOT_IN_THE_DOUBLE",
}


@pytest.mark.parametrize("sql", REFUSED)
def test_refused(double, cars, sql):
    with pytest.raises(AthenaQueryFailedError, match=REFUSED[sql]):
        double.sql(sql, "fleet")
    assert double.sql("select * from cars", "fleet") == [("a", 1)]


def test_a_table_goes_when_glue_lets_it_go(double, cars):
    double.sql(create("short_lived", "select 1 as a"))
    assert double.sql("select a from short_lived", "fleet") == [(1,)]
    double.client("glue").delete_table(DatabaseName="fleet", Name="short_lived")
    with pytest.raises(AthenaQueryFailedError, match="TABLE_NOT_FOUND"):
        double.sql("select a from short_lived", "fleet")


def test_a_table_that_is_changed_in_glue_alone_is_refused(double, cars):
    glue = double.client("glue")
    double.sql(create("changed", "select 1 as a"))
    entry = glue.get_table(DatabaseName="fleet", Name="changed")["Table"]
    entry = {key: entry[key] for key in ("Name", "TableType", "StorageDescriptor", "Parameters")}
    entry["Parameters"]["metadata_location"] = "s3://double/elsewhere.json"
    glue.update_table(DatabaseName="fleet", TableInput=entry)
    with pytest.raises(AthenaQueryFailedError, match="a table that is changed in Glue"):
        double.sql("select a from changed", "fleet")
    glue.delete_table(DatabaseName="fleet", Name="changed")


@pytest.mark.parametrize(
    ("service", "call", "arguments", "says"),
    [
        ("athena", "list_databases", {"CatalogName": "a"}, "does not know the call ListDatabases"),
        ("athena", "get_work_group", {"WorkGroup": "none"}, "WorkGroup none is not found"),
        ("athena", "get_query_execution", {"QueryExecutionId": "none"}, "none was not found"),
        ("athena", "get_query_results", {"QueryExecutionId": "none"}, "none was not found"),
        ("athena", "get_session_status", {"SessionId": "none"}, "none was not found"),
        (
            "athena",
            "start_session",
            {
                "WorkGroup": "primary",
                "EngineConfiguration": {},
                "Description": "A test",
                "SessionIdleTimeoutInMinutes": 10,
            },
            "WorkGroup primary is not for Spark",
        ),
        (
            "athena",
            "start_session",
            {
                "WorkGroup": "spark",
                "Description": "A test",
                "SessionIdleTimeoutInMinutes": 10,
                "EngineConfiguration": {"SparkProperties": {"spark.sql.ansi.enabled": "true"}},
            },
            "does not know the settings .*spark.sql.ansi.enabled",
        ),
        ("athena", "start_query_execution", {"QueryString": "select 1"}, "missing .* arguments"),
        ("lakeformation", "list_permissions", {}, "does not know the call"),
        ("glue", "list_blueprints", {}, "does not know the call glue ListBlueprints"),
        ("glue", "get_partitions", {"DatabaseName": "a", "TableName": "b"}, "GetPartitions"),
        ("s3", "list_buckets", {}, "s3 GET /"),
        ("s3", "get_bucket_location", {"Bucket": BUCKET}, "s3 GET /double.location"),
        (
            "s3",
            "get_object_tagging",
            {"Bucket": BUCKET, "Key": "landing/1.txt"},
            "s3 GET .*tagging",
        ),
        ("sts", "get_session_token", {}, "does not know the call sts GetSessionToken"),
    ],
)
def test_calls_that_it_does_not_know(double, service, call, arguments, says):
    with pytest.raises(ClientError, match=says):
        getattr(double.client(service), call)(**arguments)


class Athena:
    """Athena's Spark, as boto3 sees it."""

    def __init__(self, client, settings: dict[str, str]) -> None:
        self.client = client
        self.session = client.start_session(
            WorkGroup="spark",
            Description="A test",
            SessionIdleTimeoutInMinutes=10,
            EngineConfiguration={"SparkProperties": settings},
        )["SessionId"]

    def start(self, code: str) -> str:
        started = self.client.start_calculation_execution(SessionId=self.session, CodeBlock=code)
        return started["CalculationExecutionId"]

    def run(self, code: str) -> dict:
        """How a code block ends."""
        calculation = self.start(code)
        while True:
            found = self.client.get_calculation_execution(CalculationExecutionId=calculation)
            if found["Status"]["State"] != "RUNNING":
                return found


@pytest.fixture
def calculations(double):
    """A function that starts a Spark session, with settings beside Iceberg's."""
    return lambda **settings: Athena(double.client("athena"), ICEBERG | settings)


@pytest.fixture(scope="module")
def times(double, cars):
    """A table with a time."""
    double.sql(create("times", "select timestamp '2026-01-15 12:00:00.000000' as at"))


BOTH = {HANDLE: "true", USE_IN_NEW_TABLES: "true"}
COPY = """
spark.table("fleet.times").createOrReplaceTempView("times")
spark.sql(\"\"\"
    create table fleet.{name}
    using iceberg
    location 's3://double/warehouse/fleet/{name}/1/'

    as
    select * from times
\"\"\")
print(spark.table("fleet.{name}").dtypes)
"""


def text(double, url: str) -> str:
    """What an object of the bucket holds."""
    key = url.removeprefix(f"s3://{BUCKET}/")
    return double.bucket.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode()


def test_times_are_as_spark_3_2_has_them(double, times, calculations):
    copied = calculations(**BOTH).run(COPY.format(name="copied"))
    assert copied["Status"]["State"] == "COMPLETED", text(double, copied["Result"]["StdErrorS3Uri"])
    assert text(double, copied["Result"]["StdOutS3Uri"]) == "[('at', 'timestamp')]\n"
    assert double.tables.columns("fleet", "copied") == {"at": "timestamp"}
    assert double.sql("select * from copied", "fleet") == [(datetime(2026, 1, 15, 12),)]

    unhandled = calculations().run(COPY.format(name="unhandled"))
    assert unhandled["Status"]["State"] == "FAILED"
    assert "Cannot handle timestamp without timezone" in unhandled["Status"]["StateChangeReason"]

    calculations(**{HANDLE: "true"}).run(COPY.format(name="with_time_zone"))
    assert double.tables.columns("fleet", "with_time_zone") == {"at": "timestamptz"}
    (row,) = double.sql("select * from with_time_zone", "fleet")
    assert row[0].tzinfo is not None
    with pytest.raises(AthenaQueryFailedError, match=r"cast of timestamp\(6\) with time zone"):
        double.sql("select cast(at as timestamp(6)) from with_time_zone", "fleet")


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("import no_such_module", "ModuleNotFoundError"),
        ("raise SystemExit(1)", "SystemExit: 1"),
        ("spark.table('fleet.none')", "TABLE_OR_VIEW_NOT_FOUND"),
        ("spark.sql('drop table fleet.cars')", "NOT_IN_THE_DOUBLE"),
        ("spark.sql('insert into fleet.cars select 1')", "NOT_IN_THE_DOUBLE"),
        ("spark.read.text('s3://elsewhere/landing')", "elsewhere"),
        # Of Spark, since Athena's version
        (
            "from pyspark.sql import functions as F\nframe.agg(F.median('km'))",
            "functions.median needs Spark 3.4",
        ),
        ("from pyspark.sql.functions import median", "functions.median needs Spark 3.4"),
        ("frame.withColumns({})", "withColumns needs Spark 3.3"),
        ("frame.selectExpr('url_decode(path)')", "SQL's url_decode needs Spark 3.4"),
        ("frame.selectExpr('_metadata.file_path')", "what Spark 3.2 has not: _metadata"),
    ],
)
def test_code_blocks_that_fail(double, cars, calculations, code, says):
    ended = calculations(**BOTH).run(code)
    assert ended["Status"]["State"] == "FAILED"
    assert says in text(double, ended["Result"]["StdErrorS3Uri"])
    assert double.sql("select * from cars", "fleet") == [("a", 1)]


def test_a_session_without_iceberg_is_refused(double):
    ended = Athena(double.client("athena"), BOTH).run("print(1)")
    assert ended["Status"]["State"] == "FAILED"
    assert "without Iceberg's catalog" in ended["Status"]["StateChangeReason"]


# Prints what it has found, once the file is there that the test makes.
WAITS = """
for _ in range(6000):
    if Path('{}').exists():
        break
    time.sleep(0.01)
print(found)
"""


def test_a_session_keeps_its_names_and_takes_one_block_at_a_time(double, calculations, tmp_path):
    spark = calculations(**BOTH)
    imports = "import time\nfrom pathlib import Path\n"
    spark.run(f"{imports}found = spark.read.text('s3://double/landing').count()")
    calculation = spark.start(WAITS.format(tmp_path / "go_on"))
    with pytest.raises(ClientError, match="Session is in the BUSY state"):
        spark.start("print(found)")
    status = spark.client.get_session_status(SessionId=spark.session)["Status"]["State"]
    assert status == "BUSY"
    (tmp_path / "go_on").touch()
    ended = spark.client.get_calculation_execution(CalculationExecutionId=calculation)
    assert text(double, ended["Result"]["StdOutS3Uri"]) == "2\n"
    other = calculations(**BOTH).run("print(found)")
    assert other["Status"]["State"] == "FAILED"
