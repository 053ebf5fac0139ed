"""Trino's functions that the double knows: their types, and the Spark expression of each.

Where Spark has a function by the same name that does otherwise, the entry here does what Trino's
documentation says; test_athena_double.py has examples. A function without an entry is refused.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from sqlglot import exp

from tests.support.athena_double.errors import NotInTheDouble, QueryFailed
from tests.support.athena_double.types import UNKNOWN, common, goes_for, parts, spark_type

Spark = Callable[..., exp.Expression]


@dataclass(frozen=True)
class Function:
    """A function of Trino's, or one of several by the same name.

    `takes` are its arguments' types; `T` is any, the same throughout; `?` says that an argument may
    be left out, `*` that it may come any number of times. `spark` makes the Spark expression of the
    arguments' (default: a call by the same name); `retyped` says that its type is another there.
    A function that `fails` on some values may stand within `try` if it has a `tried` expression.
    """

    takes: tuple[str, ...]
    returns: str
    spark: Spark | None = None
    retyped: bool = False
    fails: bool = False
    tried: Spark | None = None

    def type(self, arguments: list[str]) -> str | None:
        """The result's type; None if the function takes no such arguments."""
        wanted = list(self.takes)
        if wanted and wanted[-1].endswith("*"):
            wanted[-1:] = [wanted[-1][:-1]] * max(0, len(arguments) - len(wanted) + 1)
        needed = [one for one in wanted if not one.endswith("?")]
        of_t = UNKNOWN
        fits = len(needed) <= len(arguments) <= len(wanted)
        for want, found in zip(wanted, arguments, strict=False):
            want = want.rstrip("?")
            if want in ("T", "array(T)"):
                inner = found if want == "T" else parts(found)[1].get("element")
                of_t = common(of_t, inner) if of_t and inner else None
                fits = fits and of_t is not None
            else:
                fits = fits and goes_for(found, want)
        if not fits:
            return None
        return self.returns.replace("T", of_t) if "T" in self.returns else self.returns

    def build(self, name: str, arguments: list[exp.Expression], in_try: bool) -> exp.Expression:
        """The Spark expression that does the same, of Spark expressions.

        Raises NotInTheDouble if it is not known how that fails within `try`.
        """
        if in_try and self.fails:
            if not self.tried:
                raise NotInTheDouble(f"{name} within try")
            return self.tried(*arguments)
        return self.spark(*arguments) if self.spark else call(name, *arguments)


def call(name: str, *arguments) -> exp.Anonymous:
    """A call of a Spark function; what is no expression is a literal."""
    return exp.Anonymous(this=name, expressions=[exp.convert(argument) for argument in arguments])


def spark_cast(expression: exp.Expression, trino: str) -> exp.Cast:
    """A cast, in Spark, to Spark's spelling of a Trino type."""
    return exp.Cast(this=expression, to=exp.DataType.build(spark_type(trino), dialect="spark"))


def _null_if_any_is(name: str) -> Spark:
    """Spark passes over nulls; Trino does not."""

    def build(*arguments):
        is_null = exp.or_(*(exp.Is(this=one.copy(), expression=exp.Null()) for one in arguments))
        return exp.Case(ifs=[exp.If(this=is_null, true=exp.Null())], default=call(name, *arguments))

    return build


def _date_trunc(unit, value):
    name = literal(unit, "a unit of date_trunc").lower()
    if name not in ("second", "minute", "hour", "day", "week", "month", "quarter", "year"):
        raise NotInTheDouble(f"date_trunc by {name}")
    return call("date_trunc", name, value)


def literal(argument: exp.Expression, of_what: str) -> str:
    """A text literal's text. Raises NotInTheDouble for any other expression."""
    if not (isinstance(argument, exp.Literal) and argument.is_string):
        raise NotInTheDouble(f"{of_what} that is no literal: {argument.sql('spark')}")
    return argument.this


def function(name: str, arguments: list[str]) -> tuple[Function, str]:
    """The function of that name that takes arguments of these types, and its result's type.

    Raises QueryFailed if there is none.
    """
    if name not in FUNCTIONS:
        raise QueryFailed(
            "FUNCTION_NOT_FOUND",
            f"Function '{name}' not registered, or unknown to the test double of Athena",
        )
    found = FUNCTIONS[name]
    expected = []
    for one in found if isinstance(found, tuple) else (found,):
        if result := one.type(arguments):
            return one, result
        expected.append(f"{name}({', '.join(one.takes)})")
    raise QueryFailed(
        "FUNCTION_NOT_FOUND",
        f"Unexpected parameters ({', '.join(arguments)}) for function {name}. "
        f"Expected: {', '.join(expected)}",
    )


def _regexp_extract(text, pattern, group=None):
    """Null where nothing matches, for which Spark gives an empty text."""
    written = literal(pattern, "a pattern of regexp_extract")
    number = int(group.name) if group else 0
    if not isinstance(group, exp.Literal | None) or re.fullmatch(_group(written, number), ""):
        raise NotInTheDouble(f"regexp_extract of what may be empty: {written}")
    return call("nullif", call("regexp_extract", text, pattern, number), "")


def _group(pattern: str, number: int) -> str:
    """The part of a pattern that is its group of that number; 0 is all of it."""
    if number == 0:
        return pattern
    # A bracket that is no group's is not looked for: patterns with such are refused.
    if re.search(r"\\[()]|\[[^]]*[()]|\(\?", pattern):
        raise NotInTheDouble(f"which group is which in {pattern}")
    starts = [place for place, character in enumerate(pattern) if character == "("]
    depth = 0
    for place in range(starts[number - 1], len(pattern)):
        depth += {"(": 1, ")": -1}.get(pattern[place], 0)
        if depth == 0:
            return pattern[starts[number - 1] + 1 : place]
    raise QueryFailed("INVALID_FUNCTION_ARGUMENT", f"Pattern has no group {number}: {pattern}")


def _substr(text, start, *length):
    if not (isinstance(start, exp.Literal) and int(start.name) > 0):
        raise NotInTheDouble(f"substr from {start.sql('spark')}")
    return call("substr", text, start, *length)


def _date_add(unit, amount, value):
    name = literal(unit, "a unit of date_add").lower()
    if name not in ("second", "minute", "hour", "day"):
        raise NotInTheDouble(f"date_add by {name}")
    return call("timestampadd", exp.var(name), exp.cast(amount, "int"), value)


def _days(unit, start, end):
    if literal(unit, "a unit of date_diff").lower() != "day":
        raise NotInTheDouble("date_diff of dates but in days")
    return call("datediff", end, start)


def _json_path(document, path):
    if not re.fullmatch(r"[$]([.]\w+)*", literal(path, "a JSON path")):
        raise NotInTheDouble(f"the JSON path {path.this}")
    return document, path


def _whole(number):
    """Spark gives a bigint; what is greater is whole."""
    small = exp.LT(
        this=call("abs", number.copy()), expression=exp.Literal.number("9007199254740992")
    )
    return call("if", small, exp.cast(call("floor", number), "double"), number.copy())


def _by_key(of_map, key):
    """`m[k]`, which fails where there is no such key."""
    missing = call("raise_error", "Key not present in map")
    return call(
        "if",
        call("map_contains_key", of_map.copy(), key.copy()),
        call("element_at", of_map, key),
        missing,
    )


# year, month, day: of a date, or of a timestamp without time zone.
_OF_A_DATE = tuple(Function((of,), "bigint", retyped=True) for of in ("date", "timestamp(6)"))


FUNCTIONS: dict[str, Function | tuple[Function, ...]] = {
    # Of many rows
    "count": Function(("T?",), "bigint"),
    "count_if": Function(("boolean",), "bigint"),
    "min": Function(("T",), "T"),
    "max": Function(("T",), "T"),
    "row_number": Function((), "bigint", retyped=True),
    # Conditions
    "coalesce": Function(("T", "T*"), "T"),
    "nullif": Function(("T", "T"), "T"),
    "greatest": Function(("T", "T*"), "T", _null_if_any_is("greatest")),
    "least": Function(("T", "T*"), "T", _null_if_any_is("least")),
    # What is within is translated as it is to be tried.
    "try": Function(("T",), "T", lambda value: value),
    # Texts
    "lower": Function(("varchar",), "varchar"),
    "upper": Function(("varchar",), "varchar"),
    "length": Function(("varchar",), "bigint", retyped=True),
    "concat": Function(("varchar", "varchar*"), "varchar"),
    "concat_ws": Function(("varchar", "varchar*"), "varchar"),
    "replace": Function(("varchar", "varchar", "varchar"), "varchar"),
    "substr": Function(("varchar", "bigint", "bigint?"), "varchar", _substr),
    "regexp_like": Function(
        ("varchar", "varchar"), "boolean", lambda text, pattern: call("regexp_like", text, pattern)
    ),
    "regexp_extract": Function(("varchar", "varchar", "bigint?"), "varchar", _regexp_extract),
    # Bytes
    "to_utf8": Function(("varchar",), "varbinary", lambda text: call("encode", text, "UTF-8")),
    "to_hex": Function(("varbinary",), "varchar", lambda data: call("hex", data)),
    "md5": Function(("varbinary",), "varbinary", lambda data: call("unhex", call("md5", data))),
    "sha256": Function(
        ("varbinary",), "varbinary", lambda data: call("unhex", call("sha2", data, 256))
    ),
    "xxhash64": Function(("varbinary",), "varbinary", lambda data: call("trino_xxhash64", data)),
    # Numbers
    "abs": tuple(Function((kind,), kind, fails=kind != "double") for kind in ("bigint", "double")),
    "floor": Function(("double",), "double", _whole),
    "infinity": Function((), "double", lambda: exp.cast(exp.Literal.string("Infinity"), "double")),
    # Dates and times
    "year": _OF_A_DATE,
    "month": _OF_A_DATE,
    "day": _OF_A_DATE,
    "date_trunc": (
        Function(("varchar", "date"), "date", _date_trunc, retyped=True),
        Function(("varchar", "timestamp(6)"), "timestamp(6)", _date_trunc, retyped=True),
    ),
    "date_add": Function(
        ("varchar", "bigint", "timestamp(6)"), "timestamp(6)", _date_add, fails=True
    ),
    "date_diff": Function(("varchar", "date", "date"), "bigint", _days, retyped=True),
    # Arrays and maps
    "cardinality": Function(
        ("array(T)",), "bigint", lambda array: call("size", array), retyped=True
    ),
    "element_at": Function(
        ("array(T)", "bigint"),
        "T",
        lambda array, place: call("try_element_at", array, exp.cast(place, "int")),
        fails=True,
    ),
    "slice": Function(
        ("array(T)", "bigint", "bigint"),
        "array(T)",
        lambda array, *place: call("slice", array, *(exp.cast(one, "int") for one in place)),
        fails=True,
    ),
    "none_match": Function(
        ("array(T)", "-> boolean"),
        "boolean",
        lambda array, test: exp.Not(this=call("exists", array, test)),
        fails=True,
    ),
    "map": Function(
        ("array(varchar)", "array(varchar)"),
        "map(varchar, varchar)",
        lambda keys, values: call("map_from_arrays", keys, values),
        fails=True,
    ),
    "[]": Function(("map(varchar, varchar)", "varchar"), "varchar", _by_key, fails=True),
    # JSON
    "json_parse": Function(
        ("varchar",),
        "json",
        lambda text: call("trino_json_parse", text),
        fails=True,
        tried=lambda text: call("trino_try_json_parse", text),
    ),
    "json_format": Function(("json",), "varchar", lambda document: document),
    "json_extract": Function(
        ("json", "varchar"), "json", lambda *of: call("trino_json_extract", *_json_path(*of))
    ),
    "json_extract_scalar": Function(
        ("json", "varchar"),
        "varchar",
        lambda *of: call("trino_json_extract_scalar", *_json_path(*of)),
    ),
}
