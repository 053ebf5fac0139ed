"""Iceberg's JDBC catalog in a file of SQLite.

An opened catalog asks the database whether it has Iceberg's tables, and leaves the answer open. As
long as an answer is open, SQLite lets no other connection commit. Spark opens each catalog once
more for a session that it clones, to compact a table for example. From then on, each commit would
fail with `database is locked`. So the tables are made by a catalog that is closed at once, and the
session's catalogs do not ask.
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from dbt_spark_contracts.compat import pyspark

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

URI = re.compile(r"spark\.sql\.catalog\.([^.]+)\.uri")
ASKS = "jdbc.init-catalog-tables"


def unasked(settings: dict[str, str]) -> dict[str, str]:
    """Return the settings with which the catalogs in SQLite do not ask for their tables.

    Args:
        settings: Spark's settings. A catalog that says itself whether to ask is left alone.
    """
    return {f"{_prefix(name)}{ASKS}": "false" for name in _in_sqlite(settings)}


def make_tables(session: "SparkSession", settings: dict[str, str]) -> None:
    """Make Iceberg's tables in each database of SQLite that has none.

    Args:
        session: The session.
        settings: As for `unasked`.
    """
    catalogs = pyspark.java_classes(session).org.apache.iceberg.CatalogUtil
    for name in _in_sqlite(settings):
        prefix = _prefix(name)
        options = {
            setting.removeprefix(prefix): value
            for setting, value in settings.items()
            if setting.startswith(prefix)
        }
        hadoop = pyspark.hadoop_configuration(session)
        catalogs.buildIcebergCatalog(name, options, hadoop).close()


def _in_sqlite(settings: dict[str, str]) -> Iterator[str]:
    for setting, value in settings.items():
        found = URI.fullmatch(setting) if value.lower().startswith("jdbc:sqlite:") else None
        if found and f"{_prefix(found[1])}{ASKS}" not in settings:
            yield found[1]


def _prefix(catalog: str) -> str:
    return f"spark.sql.catalog.{catalog}."
