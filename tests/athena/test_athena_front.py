"""The front of Athena: Athena's own statements and limits, and what it rejects."""

from datetime import datetime

import pytest
from botocore.exceptions import ClientError
from dbt.adapters.athena.exceptions import AthenaQueryFailedError

from tests.support.athena_front.calculations import HANDLE, ICEBERG, USE_IN_NEW_TABLES
from tests.support.athena_front.front import BUCKET

pytestmark = pytest.mark.engines


@pytest.fixture(scope="module")
def cars(athena):
    """Create a schema with a table of cars, and a file of two lines."""
    athena.put("lines/1.txt", b"1\n2\n")
    athena.sql("create schema if not exists `fleet`")
    athena.sql(create("cars", "select 'a' as car, cast(1 as bigint) as km"))


def create(name: str, query: str, **properties: str) -> str:
    """Return a CTAS statement as dbt-athena writes it."""
    given = {
        "table_type": "'iceberg'",
        "is_external": "false",
        "location": f"'s3://{BUCKET}/warehouse/fleet/{name}/1'",
        "format": "'parquet'",
        **properties,
    }
    listed = ", ".join(f"{key}={value}" for key, value in given.items() if value)
    return f'create table "awsdatacatalog"."fleet"."{name}" with ({listed}) as {query}'


def test_results_are_texts_and_come_in_pages(athena):
    values = "1 as i, 1.5e0 as d, true as b, null as n, date '2026-01-15' as day, 1.50 as price"
    (row,) = athena.sql(f"select {values}, to_utf8('ab') as bytes")
    assert [*map(str, row)] == ["1", "1.5", "True", "None", "2026-01-15", "1.50", "b'ab'"]
    # Results come in pages of at most 1000 rows.
    rows = athena.sql("select n from unnest(sequence(1, 1200)) as t (n) order by n")
    assert rows == [(number,) for number in range(1, 1201)]
    with pytest.raises(AthenaQueryFailedError, match="how Athena writes a array"):
        athena.sql("select array[1] as a")


REFUSED = {
    # Errors of Athena itself
    create("t", "select cast(null as timestamp) as at"): r"Timestamp precision \(3\)",
    create("t", "select array[timestamp '2026-01-15 12:00:00'] as at"): r"precision \(0\)",
    create("t", "select n from unnest(sequence(1, 101)) as u (n)", partitioning="array['n']"): (
        "TOO_MANY_OPEN_PARTITIONS"
    ),
    f"select '{'x' * 262_144}'": "takes 262144",
    # Errors of Trino for Iceberg tables
    create("t", "select null as nothing"): "COLUMN_TYPE_UNKNOWN",
    create("t", "select 1 as a", location=f"'s3://{BUCKET}/lines'"): "non-empty",
    create("cars", "select 1 as a", location=f"'s3://{BUCKET}/t'"): "already exists",
    create("t", "select 1 as a", partitioning="array['week(a)']"): "artition",
    "select car from trucks": "TABLE_NOT_FOUND: .*'awsdatacatalog.fleet.trucks'",
    "alter table `fleet`.`trucks` rename to `fleet`.`cars`": "TABLE_NOT_FOUND",
    # Statements that the front does not support
    create("t", "select 1 as a", table_type="'hive'"): "NOT_IN_THE_FRONT",
    create("t", "select 1 as a", bucket_count="3"): "NOT_IN_THE_FRONT",
    "optimize fleet.cars rewrite data using bin_pack": "NOT_IN_THE_FRONT",
    "alter table `fleet`.`cars` set tblproperties ('a' = 'b')": "NOT_IN_THE_FRONT",
    "msck repair table `fleet`.`cars`": "NOT_IN_THE_FRONT",
    f"create external table `fleet`.`e` (a int) location 's3://{BUCKET}/e'": "NOT_IN_THE_FRONT",
}


@pytest.mark.parametrize("sql", REFUSED, ids=lambda sql: sql[:60])
def test_refused(athena, cars, sql):
    with pytest.raises((AthenaQueryFailedError, ClientError), match=REFUSED[sql]):
        athena.sql(sql, "fleet")
    assert athena.sql("select * from cars", "fleet") == [("a", 1)]


def test_a_hundred_partitions_are_written(athena, cars):
    query = "select n from unnest(sequence(1, 100)) as u (n)"
    athena.sql(create("hundred", query, partitioning="array['n']"))
    assert athena.sql("select count(*) from hundred", "fleet") == [(100,)]


def test_a_table_goes_when_glue_lets_it_go(athena, cars):
    athena.sql(create("short_lived", "select 1 as a"))
    athena.sql("alter table `fleet`.`short_lived` add columns (`b` string)")
    assert athena.sql("select a, b from short_lived", "fleet") == [(1, None)]
    athena.client("glue").delete_table(DatabaseName="fleet", Name="short_lived")
    with pytest.raises(AthenaQueryFailedError, match="TABLE_NOT_FOUND"):
        athena.sql("select a from short_lived", "fleet")


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
        ("s3", "get_bucket_location", {"Bucket": BUCKET}, "s3 GET /lake.location"),
        (
            "s3",
            "get_object_tagging",
            {"Bucket": BUCKET, "Key": "lines/1.txt"},
            "s3 GET .*tagging",
        ),
        ("sts", "get_session_token", {}, "does not know the call sts GetSessionToken"),
    ],
)
def test_calls_that_it_does_not_know(athena, service, call, arguments, says):
    with pytest.raises(ClientError, match=says):
        getattr(athena.client(service), call)(**arguments)


class Athena:
    """A Spark session of Athena, used through boto3."""

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
        """Run a code block and return its final state."""
        calculation = self.start(code)
        while True:
            found = self.client.get_calculation_execution(CalculationExecutionId=calculation)
            if found["Status"]["State"] != "RUNNING":
                return found


@pytest.fixture
def calculations(athena):
    """Return a function that starts a Spark session with the Iceberg settings and others."""
    return lambda **settings: Athena(athena.client("athena"), ICEBERG | settings)


@pytest.fixture(scope="module")
def times(athena, cars):
    """Create a table with a timestamp."""
    athena.sql(create("times", "select timestamp '2026-01-15 12:00:00.000000' as at"))


BOTH = {HANDLE: "true", USE_IN_NEW_TABLES: "true"}
COPY = """
spark.table("fleet.times").createOrReplaceTempView("times")
spark.sql(\"\"\"
    create table fleet.{name}
    using iceberg
    location 's3://lake/warehouse/fleet/{name}/1/'

    as
    select * from times
\"\"\")
print(spark.table("fleet.{name}").dtypes)
"""


def text(athena, url: str) -> str:
    """Return the text of an object in the bucket."""
    key = url.removeprefix(f"s3://{BUCKET}/")
    return athena.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read().decode()


def types_of(athena, table: str) -> list[str]:
    """Return the column types of a table in Trino."""
    return [kind for _, kind, *_ in athena.trino(f"describe {table}", "fleet").fetchall()]


def test_times_are_as_spark_3_2_has_them(athena, times, calculations):
    copied = calculations(**BOTH).run(COPY.format(name="copied"))
    assert copied["Status"]["State"] == "COMPLETED", text(athena, copied["Result"]["StdErrorS3Uri"])
    assert text(athena, copied["Result"]["StdOutS3Uri"]) == "[('at', 'timestamp')]\n"
    assert types_of(athena, "copied") == ["timestamp(6)"]
    assert athena.sql("select * from copied", "fleet") == [(datetime(2026, 1, 15, 12),)]

    unhandled = calculations().run(COPY.format(name="unhandled"))
    assert unhandled["Status"]["State"] == "FAILED"
    assert "Cannot handle timestamp without timezone" in unhandled["Status"]["StateChangeReason"]

    calculations(**{HANDLE: "true"}).run(COPY.format(name="with_time_zone"))
    assert types_of(athena, "with_time_zone") == ["timestamp(6) with time zone"]
    (row,) = athena.sql("select * from with_time_zone", "fleet")
    assert row[0].tzinfo is not None


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("import no_such_module", "ModuleNotFoundError"),
        ("raise SystemExit(1)", "SystemExit: 1"),
        ("spark.table('fleet.none')", "TABLE_OR_VIEW_NOT_FOUND"),
        ("spark.sql('drop table fleet.cars')", "NOT_IN_THE_FRONT"),
        ("spark.sql('insert into fleet.cars select 1')", "NOT_IN_THE_FRONT"),
        ("spark.read.text('s3://elsewhere/landing')", "elsewhere"),
        # Spark APIs that are newer than Athena's version
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
def test_code_blocks_that_fail(athena, cars, calculations, code, says):
    ended = calculations(**BOTH).run(code)
    assert ended["Status"]["State"] == "FAILED"
    assert says in text(athena, ended["Result"]["StdErrorS3Uri"])
    assert athena.sql("select * from cars", "fleet") == [("a", 1)]


def test_a_session_without_iceberg_is_refused(athena):
    ended = Athena(athena.client("athena"), BOTH).run("print(1)")
    assert ended["Status"]["State"] == "FAILED"
    assert "without Iceberg's catalog" in ended["Status"]["StateChangeReason"]


# Waits until the test creates the file, then prints.
WAITS = """
for _ in range(6000):
    if Path('{}').exists():
        break
    time.sleep(0.01)
print(found)
"""


def test_a_session_keeps_its_names_and_takes_one_block_at_a_time(athena, calculations, tmp_path):
    spark = calculations(**BOTH)
    imports = "import time\nfrom pathlib import Path\n"
    spark.run(f"{imports}found = spark.read.text('s3://lake/lines').count()")
    calculation = spark.start(WAITS.format(tmp_path / "go_on"))
    with pytest.raises(ClientError, match="Session is in the BUSY state"):
        spark.start("print(found)")
    status = spark.client.get_session_status(SessionId=spark.session)["Status"]["State"]
    assert status == "BUSY"
    (tmp_path / "go_on").touch()
    ended = spark.client.get_calculation_execution(CalculationExecutionId=calculation)
    assert text(athena, ended["Result"]["StdOutS3Uri"]) == "2\n"
    other = calculations(**BOTH).run("print(found)")
    assert other["Status"]["State"] == "FAILED"
