"""Executes the code blocks of Python models, as they are, on the local Spark.

Athena's own is Spark 3.2, which differs in one thing that every model meets: it has no timestamp
without time zone. `AthenaSpark` stands for that.
"""

import ast
import contextlib
import io
import re
import tempfile
import traceback
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import TimestampNTZType, TimestampType

from python_jobs.athena_gate.pyspark_api import newer_api, newer_sql
from tests.support.athena_double.errors import InvalidRequest, NotInTheDouble
from tests.support.athena_double.tables import Tables

HANDLE = "spark.sql.iceberg.handle-timestamp-without-timezone"
USE_IN_NEW_TABLES = "spark.sql.iceberg.use-timestamp-without-timezone-in-new-tables"

# What a session may ask for: the catalog that the double has in any case, as dbt-athena spells it.
ICEBERG = {
    "spark.sql.catalog.spark_catalog": "org.apache.iceberg.spark.SparkSessionCatalog",
    "spark.sql.catalog.spark_catalog.catalog-impl": "org.apache.iceberg.aws.glue.GlueCatalog",
    "spark.sql.catalog.spark_catalog.io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
    "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
}
CREATES = re.compile(r"(?is)(?P<create>\s*create\s+table\b.*?\s+as)\s+(?P<query>(select|with)\b.*)")
SETTABLE = {HANDLE, USE_IN_NEW_TABLES, "spark.sql.session.timeZone"}


class AthenaSpark:
    """`spark` as a code block has it: the session, with Iceberg's timestamps as in Spark 3.2."""

    def __init__(self, session: SparkSession) -> None:
        self._session = session

    def __getattr__(self, name: str):
        return getattr(self._session, name)

    @property
    def read(self):
        """Spark's reader, of files."""
        reader = self._session.read
        reader.table = self.table
        return reader

    def table(self, name: str) -> DataFrame:
        """A table, its timestamps without time zone as timestamps, if a setting says so."""
        return self._with_time_zone(self._session.table(name))

    def sql(self, query: str) -> DataFrame:
        """A query, or a `create table … as` one, whose timestamps become what a setting says."""
        if re.match(r"\s*(select|with)\b", query, re.IGNORECASE):
            return self._with_time_zone(self._session.sql(query))
        creates = CREATES.fullmatch(query)
        if not creates:
            raise NotInTheDouble(f"how Spark 3.2 takes timestamps in: {query}")
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
    """The frame, its columns of one type cast to another. Raises NotInTheDouble for nested ones."""
    for one in frame.schema:
        if "<" in (kind := one.dataType.simpleString()) and "timestamp" in kind:
            raise NotInTheDouble(f"timestamps within {one.name}, which is {kind}")
    return frame.select(
        [
            F.col(f"`{one.name}`").cast(to_type).alias(one.name)
            if isinstance(one.dataType, from_type)
            else F.col(f"`{one.name}`")
            for one in frame.schema
        ]
    )


def _newer(code: str, spark: SparkSession) -> list[str]:
    """What a code block uses that Spark has only since after Athena's, one line for each."""
    with tempfile.TemporaryDirectory() as folder:
        block = Path(folder) / "calculation.py"
        block.write_text(code, encoding="utf-8")
        newer = [*newer_api(block), *newer_sql(spark, block)]
    # Spark's hidden column, which neither looks for.
    nodes = ast.walk(ast.parse(code))
    texts = [str(node.value) for node in nodes if isinstance(node, ast.Constant)]
    return [*newer, *re.findall(r"\b_metadata\b", "\n".join(texts))]


class Session:
    """A Spark session of Athena's: settings, and the names that its calculations have defined."""

    def __init__(self, tables: Tables, properties: dict[str, str]) -> None:
        unknown = {
            name: value
            for name, value in properties.items()
            if name not in SETTABLE and ICEBERG.get(name) != value
        }
        if unknown:
            raise InvalidRequest(f"The test double of Athena does not know the settings {unknown}")
        self.has_iceberg = ICEBERG.items() <= properties.items()
        self.settings = {name: properties[name] for name in SETTABLE & properties.keys()}
        self.tables = tables
        self.names = {"__name__": "__main__", "spark": AthenaSpark(tables.spark)}

    def execute(self, code: str) -> tuple[str, str | None]:
        """Execute a code block. Return its output, and the traceback if it failed."""
        spark = self.tables.spark
        for name, value in self.settings.items():
            spark.conf.set(name, value)
        printed = io.StringIO()
        try:
            if not self.has_iceberg:
                raise NotInTheDouble("a Spark session without Iceberg's catalog")
            if newer := _newer(code, spark):
                raise NotInTheDouble(f"what Spark 3.2 has not: {'; '.join(newer)}")
            with contextlib.redirect_stdout(printed):
                exec(compile(code, "<calculation>", "exec"), self.names)
        except (Exception, SystemExit):
            return printed.getvalue(), traceback.format_exc()
        finally:
            # What the code has set is the session's from now on.
            for name in SETTABLE:
                if (value := spark.conf.get(name, None)) is not None:
                    self.settings[name] = value
                spark.conf.unset(name)
        return printed.getvalue(), None
