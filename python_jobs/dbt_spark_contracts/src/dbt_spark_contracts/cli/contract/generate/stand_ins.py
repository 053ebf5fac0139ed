"""Empty stand-in tables for a project's tables, in a catalog of their own.

While this catalog is the session's current one, each `schema.table` in dbt's code names a stand-in.
Models can therefore be analyzed unchanged. Of the project's tables only the columns are read.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dbt_spark_contracts import schemas, tables
from dbt_spark_contracts.cli.contract.cannot import Cannot
from dbt_spark_contracts.errors import condition_of
from dbt_spark_contracts.schemas import plain, quoted

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from pyspark.sql.types import StructType

_SETTING = "spark.sql.catalog."
_CATALOG = {
    "": "org.apache.iceberg.spark.SparkCatalog",
    ".type": "hadoop",
    ".cache-enabled": "false",
}


class StandIns:
    """The stand-ins of one command.

    Args:
        spark: The session.
        name: The name of their catalog.
    """

    def __init__(self, spark: "SparkSession", name: str) -> None:
        self.spark = spark
        self.catalog = name
        self._own = tables.current_catalog(spark)
        self._made: set[str] = set()

    def real_columns(self, table: str) -> "StructType | None":
        """Return the columns of the project's own table, or None if there is none."""
        from pyspark.errors import AnalysisException

        tables.use_catalog(self.spark, self._own)
        try:
            return self.spark.table(table).schema
        except AnalysisException as error:
            if condition_of(error) == tables.NO_TABLE:
                return None
            raise
        finally:
            tables.use_catalog(self.spark, self.catalog)

    def is_elsewhere(self, table: str) -> bool:
        """Return whether the table's name has another catalog, so that the table itself is read."""
        catalog, _ = tables.located(self.spark, table)
        return catalog.name() != self.catalog

    def has(self, table: str) -> bool:
        """Return whether that table has a stand-in."""
        return plain(table) in self._made

    def put(self, table: str, columns: "StructType") -> None:
        """Create a stand-in with these columns for a table, replacing an earlier one.

        Raises:
            Cannot: If Iceberg cannot store a column, or the table's name has another catalog.
        """
        if self.is_elsewhere(table):
            raise Cannot(f"{table} is not in the profile's default catalog")
        try:
            stored = schemas.stored(self.spark, columns)
        except ValueError as error:
            raise Cannot(f"{table}: {error}") from None
        _, identifier = tables.located(self.spark, table)
        namespace = ".".join(map(quoted, identifier.namespace()))
        self.spark.sql(f"create namespace if not exists {self.catalog}.{namespace}")
        if self.has(table):
            self.spark.sql(f"drop table {table}")
        schemas.create(self.spark, table, stored, [], {})
        self._made.add(plain(table))


@contextmanager
def stand_ins(spark: "SparkSession") -> Iterator[StandIns]:
    """Create a catalog for stand-ins. It is the session's current catalog inside the context."""
    before = tables.current_catalog(spark)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        name = f"contracts_{Path(folder).name.lower()}"
        for key, value in {**_CATALOG, ".warehouse": folder}.items():
            spark.conf.set(f"{_SETTING}{name}{key}", value)
        tables.use_catalog(spark, name)
        try:
            yield StandIns(spark, name)
        finally:
            tables.use_catalog(spark, before)
            for key in (*_CATALOG, ".warehouse"):
                spark.conf.unset(f"{_SETTING}{name}{key}")
