"""Proves that two DataFrames are the same, whatever the tables hold.

They read stand-ins for tables: views with the same columns, whose rows Spark's optimizer knows
nothing about. It may know much about a table itself, for instance its largest value, and that would
enter the plan. (Spark 3.5 also treats two reads of an Iceberg table as different.)
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dbt_spark_contracts.compat import pyspark as compat
from dbt_spark_contracts.spark_plan import is_deterministic

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_SQL = "org.apache.spark.sql"
_PACKAGES = (f"{_SQL}.catalyst.expressions.", f"{_SQL}.catalyst.plans.logical.")
_STAND_IN = f"{_SQL}.execution.LogicalRDD"

# Steps that pass rows or values to another program, or that vary by run, place or time.
NO_FUNCTION_OF_TABLES = re.compile(
    r"Python|Pandas|Arrow|UDF|UDAF|UDTF|UserDefined|ScalaAggregator|Script|External|Reflection"
    r"|ApplyFunction|Invoke|CallMethod|TypedColumn|MapPartitions|MapElements|MapGroups|AppendColumns"
    r"|Current(?!Row$)|Now$|LocalTimestamp|UnixTimestamp|Rand|Uuid|Shuffle$|SparkPartitionID|InputFile"
    r"|^(First|Last|NthValue|CollectList|CollectSet|AnyValue|MaxBy|MinBy|Mode)$"
    r"|Monotonically|SparkVersion|Sample|Command|Streaming|EventTime|AesEncrypt|Generator$"
    r"|^Expand$"  # Spark does not always write down what they compute
)

# Makes a plan's text show all columns of a step.
MAX_FIELDS = "spark.sql.debug.maxToStringFields"
ALL_FIELDS = "100000"


def are_same(one: "DataFrame", other: "DataFrame") -> bool:
    """Return whether two DataFrames have the same columns and the same optimized plan.

    Args:
        one: A DataFrame that reads stand-ins.
        other: Another one, in the same session.

    Returns:
        False also if either is not a function of its tables.
    """
    if one.schema != other.schema or not (_is_function(one) and _is_function(other)):
        return False
    with _whole_texts(one.sparkSession):
        plans = [compat.optimized_plan(frame) for frame in (one, other)]
        if not all(plan.deterministic() for plan in plans):
            return False
        texts = [_renumbered(plan.treeString()) for plan in plans]
        if not plans[0].canonicalized().equals(plans[1].canonicalized()):
            return False
    # Spark's canonical form reorders sums of several numbers, which matters for doubles.
    return texts[0] == texts[1] or not any(map(_adds_several, texts))


class StandIns:
    """Views that stand in for tables, in one session.

    Args:
        spark: The session.
    """

    def __init__(self, spark: "SparkSession") -> None:
        self.spark = spark
        self._views: dict[str, str] = {}

    def view(self, table: str) -> str:
        """Return the view that stands in for a table. Both plans get the same one."""
        if table not in self._views:
            name = f"stand_in_{len(self._views)}"
            schema = self.spark.table(table).schema
            self.spark.createDataFrame([], schema).createOrReplaceTempView(name)
            self._views[table] = name
        return self._views[table]

    def drop(self) -> None:
        """Drop the views."""
        for name in self._views.values():
            self.spark.catalog.dropTempView(name)
        self._views.clear()


@contextmanager
def _whole_texts(session: "SparkSession") -> Iterator[None]:
    """Make the texts of plans complete."""
    before = session.conf.get(MAX_FIELDS)
    session.conf.set(MAX_FIELDS, ALL_FIELDS)
    try:
        yield
    finally:
        session.conf.set(MAX_FIELDS, before)


def _is_function(frame: "DataFrame") -> bool:
    """Return whether the whole analyzed plan is a function of stand-ins."""
    if not is_deterministic(frame):
        return False
    plan = compat.analyzed_plan(frame)
    # The complete plan: the guard's own reader leaves out what is not a column's value.
    classes = {*_classes(json.loads(plan.toJSON()))}
    return bool(classes) and all(map(_is_known, classes))


def _is_known(name: str) -> bool:
    if name == _STAND_IN:
        return True
    kind = re.split(r"[.$]", name.rstrip("$"))[-1]
    return name.startswith(_PACKAGES) and not NO_FUNCTION_OF_TABLES.search(kind)


def _classes(value: Any) -> Iterator[str]:
    """Yield the classes of all steps and expressions of a plan, including subqueries."""
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
    """Return a plan's text with Spark's column ids renumbered from 0."""
    numbers: dict[str, int] = {}
    return re.sub(r"#(\d+)", lambda found: f"#{numbers.setdefault(found[1], len(numbers))}", text)
