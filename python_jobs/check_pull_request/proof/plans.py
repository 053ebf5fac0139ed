"""Two DataFrames of which Spark knows that they are the same, whatever the tables hold."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dbt_spark_contracts.compat import pyspark as compat
from dbt_spark_contracts.plan.nodes import analyzed_plan

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_SQL = "org.apache.spark.sql"
_PACKAGES = (f"{_SQL}.catalyst.expressions.", f"{_SQL}.catalyst.plans.logical.")
_TABLE = f"{_SQL}.execution.datasources.v2.DataSourceV2Relation"

# They hand rows or values to another program, or are others in another run, place or moment.
NO_FUNCTION_OF_TABLES = re.compile(
    r"Python|Pandas|Arrow|UDF|UDAF|UDTF|UserDefined|ScalaAggregator|Script|External|RDD|Reflection"
    r"|ApplyFunction|Invoke|CallMethod|TypedColumn|MapPartitions|MapElements|MapGroups|AppendColumns"
    r"|Current|Now$|LocalTimestamp|UnixTimestamp|Rand|Uuid|Shuffle$|SparkPartitionID|InputFile"
    r"|Monotonically|SparkVersion|Sample|Command|Streaming|EventTime|AesEncrypt|Generator$"
)

# Settings by which a plan shows no more than what it is made of.
SETTINGS = {
    # A count or a maximum that Iceberg knows would stand in the plan as a constant.
    "spark.sql.iceberg.aggregate-push-down.enabled": "false",
    "spark.sql.maxMetadataStringLength": "100000",
    "spark.sql.debug.maxToStringFields": "100000",
}


def are_same(one: "DataFrame", other: "DataFrame") -> bool:
    """Do two DataFrames have the same columns and, by Spark's optimizer, the same plan?

    Args:
        one: A DataFrame.
        other: Another one, of the same session.

    Returns:
        False, too, if either holds what is no function of its tables.
    """
    if one.schema != other.schema or not (_is_function(one) and _is_function(other)):
        return False
    with settings(one.sparkSession):
        plans = [compat.optimized_plan(frame) for frame in (one, other)]
        if not all(plan.deterministic() for plan in plans):
            return False
        texts = [_renumbered(plan.treeString()) for plan in plans]
        if not plans[0].canonicalized().equals(plans[1].canonicalized()):
            return False
    # Spark's canonical form adds several numbers in an order of its own, and doubles have one.
    return texts[0] == texts[1] or not any(map(_adds_several, texts))


@contextmanager
def settings(session: "SparkSession") -> Iterator[None]:
    """The session with SETTINGS, for the time being."""
    before = {name: session.conf.get(name, None) for name in SETTINGS}
    for name, value in SETTINGS.items():
        session.conf.set(name, value)
    try:
        yield
    finally:
        for name, old in before.items():
            session.conf.unset(name) if old is None else session.conf.set(name, old)


def _is_function(frame: "DataFrame") -> bool:
    """Is all of the analyzed plan a function of tables that have a name?"""
    if not compat.analyzed_plan(frame).deterministic():
        return False
    return all(_is_known(name) for name in _classes(analyzed_plan(frame)))


def _is_known(name: str) -> bool:
    if name == _TABLE:
        return True
    kind = re.split(r"[.$]", name.rstrip("$"))[-1]
    return name.startswith(_PACKAGES) and not NO_FUNCTION_OF_TABLES.search(kind)


def _classes(value: Any) -> Iterator[str]:
    """The classes of all steps and expressions of a plan, also in its subqueries."""
    left = [value]
    while left:
        each = left.pop()
        if isinstance(each, list):
            left += each
        elif isinstance(each, dict):
            if "num-children" in each:
                yield each["class"]
            left += each.values()


def _adds_several(text: str) -> bool:
    return any(line.count(" + ") > 1 or line.count(" * ") > 1 for line in text.splitlines())


def _renumbered(text: str) -> str:
    """A plan's text in which Spark's numbers of columns begin at 0."""
    numbers: dict[str, int] = {}
    return re.sub(r"#(\d+)", lambda found: f"#{numbers.setdefault(found[1], len(numbers))}", text)
