"""What decides about the result of a data test: its query, the rows it reads, and Spark's settings.

A query gives the same result again if it is a function of rows alone, and these are in the same
snapshots. That is not so if it depends on chance, on the clock, on functions or views that somebody
may redefine, or on tables that this project does not write.
"""

import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from dbt_spark_contracts import tables
from dbt_spark_contracts.compat import pyspark
from dbt_spark_contracts.increments.code import checksum_of, day_in, require_rows_only
from dbt_spark_contracts.increments.history import Unknown, rows_from
from dbt_spark_contracts.increments.note import key
from dbt_spark_contracts.spark import session as spark_session

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# A function of a catalog, such as `spark_catalog.default.f(`. Names without a dot are Spark's own,
# or else temporary, or Iceberg's.
_OF_A_CATALOG = re.compile(r"\.\s*`?\w+`?\s*\(")
# Spark replaces it by a setting, which any statement may set: `${name}`.
_SUBSTITUTED = re.compile(r"\$\{")
# What may be a function's name.
_CALLED = re.compile(r"\b([a-z_]\w*)\W?\s*\(", re.IGNORECASE)
# How a plan shows a view, and a sample.
_STEPS = re.compile(r"^[\s:|+-]*(View|Sample) ", re.MULTILINE)
# What may take other rows the next time, or runs somebody's code.
_PATTERNS = ("LIMIT", "PYTHON_UDF", "SCALA_UDF")

# Spark's settings that say where tables are, and how a query is run. All others may decide about
# its result. Where the tables are is known by their snapshots.
_ONLY_HOW = re.compile(
    r"spark\.sql\.(adaptive|catalog|files\.openCost|shuffle\.partitions|sources\.parallel|warehouse)"
)


def checksum(
    session: "SparkSession", query: str, config: Mapping[str, Any], names: Collection[str]
) -> str | None:
    """Return a checksum of all that decides about the result of a data test.

    Args:
        session: The session.
        query: The test's query.
        config: The test's config, as far as it decides.
        names: The tables that the test refers to.

    Returns:
        The checksum. None if it is not known what decides.
    """
    if day_in(query) or _OF_A_CATALOG.search(query) or _SUBSTITUTED.search(query):
        return None
    # In Spark's own catalog, a name without a dot may be a function that somebody has created.
    if pyspark.current_catalog(session).getClass().getName() != tables.ICEBERG_CATALOG:
        return None
    java = pyspark.java_session(session).sessionState()
    if not java.catalog().listTemporaryFunctions().isEmpty():
        return None
    # These do not include a function that replaces one of Spark's own.
    if pyspark.replaced_functions(session, {*_CALLED.findall(query)}):
        return None
    states = [_state(session, name) for name in sorted(names)]
    if not states or None in states:
        return None
    return checksum_of(query, dict(config), states, _settings(java))


def is_function_of(frame: "DataFrame", names: Collection[str]) -> bool:
    """Return whether a query depends on the newest rows of these tables alone. No Spark job.

    Args:
        frame: The query.
        names: The tables.
    """
    if pyspark.has_any(frame, *_PATTERNS) or _STEPS.search(pyspark.analyzed_plan(frame).toString()):
        return False
    try:
        found = require_rows_only(frame, {key(name) for name in names})
    except Unknown:
        return False
    return all(relation.snapshots == (None,) and not relation.opaque for relation in found)


def _state(session: "SparkSession", name: str) -> list | None:
    """Return what tells the rows and the columns of a table, as this session reads it."""
    loaded = tables.find(session, name)
    snapshot = loaded and tables.head(loaded, spark_session.branch())
    return snapshot and [key(name), rows_from(loaded, snapshot), loaded.schema().schemaId()]


def _settings(state: Any) -> list[str]:
    """Return the settings that may decide about a result."""
    lines = state.conf().getAllConfs().mkString("\n").splitlines()
    return sorted(
        line for line in lines if line.startswith("spark.sql.") and not _ONLY_HOW.match(line)
    )
