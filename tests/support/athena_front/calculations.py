"""Runs the unmodified code blocks of Python models on Spark in a separate process.

Athena has Spark 3.2. One difference affects every model: Spark 3.2 has no timestamp type without
time zone. `AthenaSpark` emulates that.
"""

import ast
import contextlib
import io
import os
import re
import tempfile
import traceback
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import TimestampNTZType, TimestampType

from python_jobs.athena_gate.pyspark_api import newer_api, newer_sql
from tests.support.athena_front.errors import InvalidRequest, NotInTheFront
from tests.support.maven import artifact

HANDLE = "spark.sql.iceberg.handle-timestamp-without-timezone"
USE_IN_NEW_TABLES = "spark.sql.iceberg.use-timestamp-without-timezone-in-new-tables"

CATALOG = "spark.sql.catalog.spark_catalog"
# The settings that a session must request, as dbt-athena does. The process is started with them.
ICEBERG = {
    CATALOG: "org.apache.iceberg.spark.SparkSessionCatalog",
    f"{CATALOG}.catalog-impl": "org.apache.iceberg.aws.glue.GlueCatalog",
    f"{CATALOG}.io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
    "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
}
SETTABLE = {HANDLE, USE_IN_NEW_TABLES, "spark.sql.session.timeZone"}

# The jars of Athena's Spark besides Iceberg's runtime: Iceberg's AWS clients and Hadoop's S3A.
MAVEN = (
    "org.apache.iceberg:iceberg-aws-bundle:1.10.1:jar",
    "org.apache.hadoop:hadoop-aws:3.3.4:jar",
    "com.amazonaws:aws-java-sdk-bundle:1.12.262:jar",
)
CREATES = re.compile(r"(?is)(?P<create>\s*create\s+table\b.*?\s+as)\s+(?P<query>(select|with)\b.*)")


class SparkProcess:
    """A Spark process that runs one code block at a time.

    Each session has its own Python names and Spark settings.
    """

    def __init__(self, executor: ProcessPoolExecutor, bucket: str) -> None:
        self._executor = executor
        # Receives the output of the code blocks.
        self.bucket = bucket

    def open(self, session: str, properties: dict[str, str]) -> None:
        """Open a session.

        Raises:
            InvalidRequest: If it requests unknown settings.
        """
        unknown = {
            name: value
            for name, value in properties.items()
            if name not in SETTABLE and ICEBERG.get(name) != value
        }
        if unknown:
            raise InvalidRequest(f"The tests' front of Athena does not know the settings {unknown}")
        self._executor.submit(_open, session, properties)

    def run(self, session: str, code: str) -> Future:
        """Run a code block. The future returns its output, and the traceback if it failed."""
        return self._executor.submit(_run, session, code)


@contextmanager
def spark_process(
    url: str, bucket: str, environment: dict[str, str], folder: Path
) -> Iterator[SparkProcess]:
    """Start Spark with its tables in Glue and its files in S3.

    Args:
        url: The endpoint of Glue and S3.
        bucket: The bucket for the output of the code blocks.
        environment: AWS's environment variables.
        folder: Spark's warehouse for tables of other formats than Iceberg. It stays empty.
    """
    (package,) = find_spec("snowpark_connect_deps_iceberg").submodule_search_locations
    (iceberg,) = Path(package).glob("jars/iceberg-spark-runtime-3.5_2.12-*.jar")
    jars = os.pathsep.join(map(str, [iceberg, *map(artifact, MAVEN)]))
    settings = {
        **ICEBERG,
        f"{CATALOG}.glue.endpoint": url,
        f"{CATALOG}.s3.endpoint": url,
        f"{CATALOG}.s3.path-style-access": "true",
        "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
        "spark.hadoop.fs.s3a.endpoint": url,
        "spark.hadoop.fs.s3a.path.style.access": "true",
        "spark.driver.extraClassPath": jars,
        "spark.driver.memory": "1g",
        "spark.master": "local[2]",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.warehouse.dir": str(folder),
        "spark.ui.enabled": "false",
        # No query runs twice and each has few rows, so compiling takes longer than running.
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    }
    executor = ProcessPoolExecutor(1, get_context("spawn"), _start, (settings, environment))
    # Starts Spark now, while the other servers start.
    executor.submit(len, "")
    try:
        yield SparkProcess(executor, bucket)
    finally:
        executor.shutdown(cancel_futures=True)


# ---- In the Spark process

_SESSIONS: dict[str, "Session"] = {}


def _start(settings: dict[str, str], environment: dict[str, str]) -> None:
    from dbt_spark_contracts.spark.java import find_java_home

    os.environ.update(environment, JAVA_HOME=str(find_java_home()))
    builder = SparkSession.builder
    for name, value in settings.items():
        builder = builder.config(name, value)
    builder.getOrCreate().sparkContext.setLogLevel("ERROR")


def _open(session: str, properties: dict[str, str]) -> None:
    _SESSIONS[session] = Session(properties)


def _run(session: str, code: str) -> tuple[str, str | None]:
    return _SESSIONS[session].execute(code)


class Session:
    """A Spark session of Athena: its settings, and the names that its calculations define."""

    def __init__(self, properties: dict[str, str]) -> None:
        self.has_iceberg = ICEBERG.items() <= properties.items()
        self.spark = SparkSession.getActiveSession().newSession()
        for name in SETTABLE & properties.keys():
            self.spark.conf.set(name, properties[name])
        self.names = {"__name__": "__main__", "spark": AthenaSpark(self.spark)}

    def execute(self, code: str) -> tuple[str, str | None]:
        """Execute a code block. Return its output, and the traceback if it failed."""
        printed = io.StringIO()
        try:
            if not self.has_iceberg:
                raise NotInTheFront("a Spark session without Iceberg's catalog")
            if newer := _newer(code, self.spark):
                raise NotInTheFront(f"what Spark 3.2 has not: {'; '.join(newer)}")
            with contextlib.redirect_stdout(printed):
                exec(compile(code, "<calculation>", "exec"), self.names)
        except (Exception, SystemExit):
            return printed.getvalue(), traceback.format_exc()
        return printed.getvalue(), None


class AthenaSpark:
    """The `spark` of a code block: the session, with Iceberg's timestamps as in Spark 3.2."""

    def __init__(self, session: SparkSession) -> None:
        self._session = session

    def __getattr__(self, name: str):
        return getattr(self._session, name)

    @property
    def read(self):
        """Return Spark's reader, whose `table` is the emulated one."""
        reader = self._session.read
        reader.table = self.table
        return reader

    def table(self, name: str) -> DataFrame:
        """Return a table. A setting decides whether its `timestamp_ntz` become `timestamp`."""
        return self._with_time_zone(self._session.table(name))

    def sql(self, query: str) -> DataFrame:
        """Run a query or a `create table … as`. Settings decide the types of its timestamps."""
        if re.match(r"\s*(select|with)\b", query, re.IGNORECASE):
            return self._with_time_zone(self._session.sql(query))
        creates = CREATES.fullmatch(query)
        if not creates:
            raise NotInTheFront(f"how Spark 3.2 takes timestamps in: {query}")
        frame = self._with_time_zone(self._session.sql(creates["query"]))
        if self._is_on(USE_IN_NEW_TABLES):
            frame = _retyped(frame, TimestampType, "timestamp_ntz")
        frame.createOrReplaceTempView("athena_spark_new_table")
        return self._session.sql(f"{creates['create']} select * from athena_spark_new_table")

    def _with_time_zone(self, frame: DataFrame) -> DataFrame:
        if "timestamp_ntz" in frame.schema.simpleString() and not self._is_on(HANDLE):
            raise ValueError(
                "Cannot handle timestamp without timezone fields in Spark. Spark does not natively "
                "support this type but if you would like to handle all timestamps as timestamp "
                f"with timezone set '{HANDLE}' to true."
            )
        return _retyped(frame, TimestampNTZType, "timestamp")

    def _is_on(self, setting: str) -> bool:
        return self._session.conf.get(setting, "false") == "true"


def _retyped(frame: DataFrame, from_type: type, to_type: str) -> DataFrame:
    """Cast the columns of one type to another.

    Raises:
        NotInTheFront: If a nested type contains a timestamp.
    """
    for one in frame.schema:
        if "<" in (kind := one.dataType.simpleString()) and "timestamp" in kind:
            raise NotInTheFront(f"timestamps within {one.name}, which is {kind}")
    return frame.select(
        [
            F.col(f"`{one.name}`").cast(to_type).alias(one.name)
            if isinstance(one.dataType, from_type)
            else F.col(f"`{one.name}`")
            for one in frame.schema
        ]
    )


def _newer(code: str, spark: SparkSession) -> list[str]:
    """Return one line for each thing in a code block that is newer than Spark 3.2."""
    with tempfile.TemporaryDirectory() as folder:
        block = Path(folder) / "calculation.py"
        block.write_text(code, encoding="utf-8")
        newer = [*newer_api(block), *newer_sql(spark, block)]
    # Neither of the two checks looks for Spark's hidden metadata column.
    nodes = ast.walk(ast.parse(code))
    texts = [str(node.value) for node in nodes if isinstance(node, ast.Constant)]
    return [*newer, *re.findall(r"\b_metadata\b", "\n".join(texts))]
