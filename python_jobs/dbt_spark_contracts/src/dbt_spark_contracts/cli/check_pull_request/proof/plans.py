"""Two DataFrames of which Spark knows that they are the same, whatever the tables hold.

They read stand-ins of tables: the columns of each, and rows of which Spark's optimizer knows
nothing. Of a table itself it may know much, for instance the largest value, and that goes into the
plan. (Spark 3.5 also takes two reads of an Iceberg table for different ones.)
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

# They hand rows or values to another program, or are others in another run, place or moment.
NO_FUNCTION_OF_TABLES = re.compile(
    r"Python|Pandas|Arrow|UDF|UDAF|UDTF|UserDefined|ScalaAggregator|Script|External|Reflection"
    r"|ApplyFunction|Invoke|CallMethod|TypedColumn|MapPartitions|MapElements|MapGroups|AppendColumns"
    r"|Current(?!Row$)|Now$|LocalTimestamp|UnixTimestamp|Rand|Uuid|Shuffle$|SparkPartitionID|InputFile"
    r"|^(First|Last|NthValue|CollectList|CollectSet|AnyValue|MaxBy|MinBy|Mode)$"
    r"|Monotonically|SparkVersion|Sample|Command|Streaming|EventTime|AesEncrypt|Generator$"
    r"|^Expand$"  # of some, Spark does not write down what they compute
)

# A plan's text shows all columns of a step.
MAX_FIELDS = "spark.sql.debug.maxToStringFields"
ALL_FIELDS = "100000"


def are_same(one: "DataFrame", other: "DataFrame") -> bool:
    """Do two DataFrames have the same columns and, by Spark's optimizer, the same plan?

    Args:
        one: A DataFrame that reads stand-ins.
        other: Another one, of the same session.

    Returns:
        False, too, if either holds what is no function of its tables.
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
    # Spark's canonical form adds several numbers in an order of its own, and doubles have one.
    return texts[0] == texts[1] or not any(map(_adds_several, texts))


class StandIns:
    """Views that stand for tables, in one session.

    Args:
        spark: The session.
    """

    def __init__(self, spark: "SparkSession") -> None:
        self.spark = spark
        self._views: dict[str, str] = {}

    def view(self, table: str) -> str:
        """The view that stands for a table: the same for both plans that are compared."""
        if table not in self._views:
            name = f"stand_in_{len(self._views)}"
            schema = self.spark.table(table).schema
            self.spark.createDataFrame([], schema).createOrReplaceTempView(name)
            self._views[table] = name
        return self._views[table]

    def drop(self) -> None:
        """Forget them."""
        for name in self._views.values():
            self.spark.catalog.dropTempView(name)
        self._views.clear()


@contextmanager
def _whole_texts(session: "SparkSession") -> Iterator[None]:
    """Plans whose texts leave nothing out."""
    before = session.conf.get(MAX_FIELDS)
    session.conf.set(MAX_FIELDS, ALL_FIELDS)
    try:
        yield
    finally:
        session.conf.set(MAX_FIELDS, before)


def _is_function(frame: "DataFrame") -> bool:
    """Is all of the analyzed plan a function of stand-ins?"""
    if not is_deterministic(frame):
        return False
    plan = compat.analyzed_plan(frame)
    # Whole: what the guard reads of a plan leaves out what is no value of a column.
    classes = {*_classes(json.loads(plan.toJSON()))}
    return bool(classes) and all(map(_is_known, classes))


def _is_known(name: str) -> bool:
    if name == _STAND_IN:
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
