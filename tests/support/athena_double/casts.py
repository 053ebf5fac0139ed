"""Trino's casts, each as the Spark expression that does the same.

Spark's own casts of text take more than Trino's (`yes` for true, `2025` for a date), and it writes
a timestamp without its last zeros. A cast that is not here is refused.
"""

import re

from sqlglot import exp

from tests.support.athena_double.errors import NotInTheDouble
from tests.support.athena_double.functions import call, spark_cast
from tests.support.athena_double.types import IN_UTC, UNKNOWN, digits_of_a_second, has_time_zone

_TIME = "[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}"
_WHOLE = ("tinyint", "smallint", "integer", "bigint")

# By a Python function of udfs.py.
_BY_FUNCTION = {
    ("varchar", "integer"): "text_to_bigint",
    ("varchar", "bigint"): "text_to_bigint",
    ("varchar", "double"): "text_to_double",
    ("varchar", "boolean"): "text_to_boolean",
    ("varchar", "date"): "text_to_date",
    ("varchar", "timestamp(6)"): "text_to_timestamp",
    ("json", "array(json)"): "json_to_array",
    ("array(varchar)", "json"): "texts_to_json",
}


def cast(node: exp.Cast, from_type: str, to_type: str, in_try: bool) -> exp.Expression:
    """The Spark expression of a cast, or try_cast, whose operand is a Spark expression by now.

    Raises NotInTheDouble for a cast that it does not know.
    """
    value = node.this
    is_try = in_try or isinstance(node, exp.TryCast)
    digits, from_digits = digits_of_a_second(to_type), digits_of_a_second(from_type)
    if from_type == "varchar" and digits is not None and isinstance(value, exp.Literal):
        # `timestamp '2026-01-15 12:00:00.5'`: a literal's digits are its type.
        read = re.fullmatch(f"{_TIME}([.][0-9]+)?", value.this)
        is_precise = read and len((read[1] or ".")[1:]) <= digits
        if is_precise and not has_time_zone(to_type):
            return _plain(value, to_type, is_try)
        if to_type == "timestamp(6)":
            return call(
                "trino_try_text_to_timestamp" if is_try else "trino_text_to_timestamp", value
            )
    elif function := _BY_FUNCTION.get((from_type, to_type)):
        value = call(f"trino_try_{function}" if is_try else f"trino_{function}", value)
        return _plain(value, to_type, is_try) if to_type == "integer" else value
    elif from_type == "double" and to_type in _WHOLE:
        # Trino rounds where Spark cuts off.
        return _plain(call("round", value), to_type, is_try)
    elif from_type == "double" and to_type == "varchar" and _is_hashed(node):
        return call("trino_double_to_text", value)
    elif to_type == "varchar" and from_digits is not None and not has_time_zone(from_type):
        fraction = f".{'S' * from_digits}" if from_digits else ""
        return call("date_format", value, f"yyyy-MM-dd HH:mm:ss{fraction}")
    elif _is_the_same(from_type, to_type):
        return _plain(value, to_type, is_try)
    raise NotInTheDouble(f"the cast of {from_type} to {to_type}: {node.sql('spark')}")


def _is_the_same(from_type: str, to_type: str) -> bool:
    """Do both engines do the same?"""
    if from_type in (to_type, UNKNOWN) or (from_type, to_type) == ("double", "double"):
        return True
    if from_type in _WHOLE:
        return to_type in (*_WHOLE, "double", "varchar")
    if to_type == "varchar":
        return from_type in ("boolean", "date")
    if from_type == "date" or digits_of_a_second(from_type) is not None:
        # Trino takes the wall time of a value's own zone; Spark's values have none but UTC.
        to_wall_time = has_time_zone(from_type) and not has_time_zone(to_type)
        is_precise = digits_of_a_second(to_type) in (6, None)
        is_time = to_type == "date" or digits_of_a_second(to_type) is not None
        return is_time and is_precise and (not to_wall_time or from_type.endswith(IN_UTC))
    return False


def _is_hashed(node: exp.Expression) -> bool:
    """Does only a hash of it count? How Athena writes each double is not known for certain."""
    around = node.find_ancestor(exp.Anonymous)
    return around is not None and (around.name.lower() == "xxhash64" or _is_hashed(around))


def _plain(value: exp.Expression, to_type: str, is_try: bool) -> exp.Cast:
    spark = spark_cast(value, to_type)
    return exp.TryCast(**spark.args, safe=True) if is_try else spark
