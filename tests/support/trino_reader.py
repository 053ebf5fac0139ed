"""A small reader of Trino's SQL, for tests: CTEs of scalar expressions, by Trino's documentation.

It is our reading of that, and not Trino. What it does not know raises NotImplementedError, never an
empty answer. A value of the type JSON is held as the text that json_format gives of it.
"""

import hashlib
import json
import math
import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import ClassVar

from sqlglot import exp
from sqlglot.dialects.trino import Trino


class TrinoByName(Trino):
    """Trino's grammar, with each function as written; sqlglot's own are of all engines."""

    class Parser(Trino.Parser):
        FUNCTIONS: ClassVar[dict] = {}
        FUNCTION_PARSERS: ClassVar[dict] = {
            name: Trino.Parser.FUNCTION_PARSERS[name] for name in ("CAST", "TRY_CAST")
        }


class InvalidValueError(Exception):
    """What fails a query, but for `try` and `try_cast`, which take it for null."""


def query(sql: str, **tables: list[dict]) -> list[dict]:
    """The rows of a query on tables that are given by their last name, as rows."""
    (select,) = TrinoByName().parse(sql)
    known = dict(tables)
    for cte in select.ctes:
        known[cte.alias] = _select(cte.this, known)
    return _select(select, known)


def evaluate(sql: str, **row):
    """The value of a SQL expression whose columns are `row`."""
    (expression,) = TrinoByName().parse(sql)
    return _value(expression, row)


def _select(select: exp.Select, tables: dict) -> list[dict]:
    clauses = {name.rstrip("_") for name, value in select.args.items() if value}
    if clauses - {"with", "from", "where", "expressions"}:
        raise NotImplementedError(f"a query with {', '.join(clauses)}")
    where = select.args.get("where")
    return [
        _project(select.expressions, row)
        for row in tables[select.find(exp.From).this.name]
        if where is None or _value(where.this, row) is True
    ]


def _project(expressions: list, row: dict) -> dict:
    projected = {}
    for expression in expressions:
        if isinstance(expression, exp.Star):
            projected |= row
        else:
            projected[expression.alias_or_name] = _value(expression.unalias(), row)
    return projected


def _value(node: exp.Expression, row: dict):
    if isinstance(node, exp.Anonymous):
        return _call(node.name.lower(), node.expressions, row)
    for kind, read in SYNTAX.items():
        if isinstance(node, kind):
            return read(node, row)
    if isinstance(node, exp.Binary) and type(node) in OPERATORS:
        values = [_value(node.this, row), _value(node.expression, row)]
        return None if None in values else OPERATORS[type(node)](*values)
    raise NotImplementedError(f"{type(node).__name__}: {node.sql('trino')}")


def _call(name: str, arguments: list, row: dict):
    if name == "try":
        return _try(lambda: _value(arguments[0], row))
    if name == "if":
        chosen = arguments[1:2] if _value(arguments[0], row) is True else arguments[2:]
        return _value(chosen[0], row) if chosen else None
    if name == "coalesce":
        values = (_value(argument, row) for argument in arguments)
        return next((value for value in values if value is not None), None)
    values = [
        _function(argument, row) if isinstance(argument, exp.Lambda) else _value(argument, row)
        for argument in arguments
    ]
    if name == "map":
        return dict(zip(*values, strict=True))
    if name == "nullif":
        return None if values[0] == values[1] else values[0]
    if name == "concat_ws":
        return values[0].join(value for value in values[1:] if value is not None)
    if name not in FUNCTIONS:
        raise NotImplementedError(f"the function {name}")
    return None if None in values else FUNCTIONS[name](*values)


def _function(node: exp.Lambda, row: dict) -> Callable:
    (parameter,) = node.expressions
    return lambda value: _value(node.this, {**row, parameter.name: value})


def _try(compute: Callable):
    try:
        return compute()
    except InvalidValueError:
        return None


def _case(node: exp.Case, row: dict):
    for branch in node.args["ifs"]:
        if _value(branch.this, row) is True:
            return _value(branch.args["true"], row)
    default = node.args.get("default")
    return _value(default, row) if default else None


def _if(node: exp.If, row: dict):
    arguments = [node.this, node.args["true"], node.args.get("false")]
    return _call("if", [argument for argument in arguments if argument], row)


def _connected(decides: bool) -> Callable:
    def read(node: exp.Connector, row: dict):
        values = [_value(node.this, row), _value(node.expression, row)]
        return decides if decides in values else None if None in values else not decides

    return read


def _not(node: exp.Not, row: dict):
    value = _value(node.this, row)
    return None if value is None else not value


def _in(node: exp.In, row: dict):
    value = _value(node.this, row)
    return None if value is None else value in [_value(one, row) for one in node.expressions]


def _between(node: exp.Between, row: dict):
    low, value, high = (
        _value(part, row) for part in (node.args["low"], node.this, node.args["high"])
    )
    return None if None in (low, value, high) else low <= value <= high


def _subscript(node: exp.Bracket, row: dict):
    held = _value(node.this, row)
    if not isinstance(held, dict):
        raise NotImplementedError("a subscript of what is no map")
    return held[_value(node.expressions[0], row)]


def _literal(node: exp.Literal, _: dict):
    if node.is_string:
        return node.this
    return float(node.this) if re.search("[.eE]", node.this) else int(node.this)


def _cast(node: exp.Cast, row: dict):
    value = _value(node.this, row)
    kind = node.to.sql("trino").lower()
    if kind not in CASTS:
        raise NotImplementedError(f"a cast to {kind}")
    return None if value is None else CASTS[kind](value)


def _to_varchar(value) -> str:
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise NotImplementedError(f"a cast of {type(value).__name__} to varchar")
    return str(value)


def _to_integer(value) -> int:
    if isinstance(value, str) and not re.fullmatch("[+-]?[0-9]+", value.strip()):
        raise InvalidValueError(value)
    number = round(float(value))
    if not -(2**31) <= number < 2**31:
        raise InvalidValueError(value)
    return number


def _to_double(value) -> float:
    if isinstance(value, str) and not re.fullmatch(
        r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|[+-]?Infinity|NaN", value.strip()
    ):
        raise InvalidValueError(value)
    return float(value)


def _to_date(value) -> date:
    if isinstance(value, datetime):
        return value.date()
    return value if isinstance(value, date) else _from_iso(date, value)


def _to_timestamp(value: str) -> datetime:
    if len(value.partition(".")[2]) > 6:
        raise NotImplementedError("rounding to microseconds")
    return _from_iso(datetime, value)


def _from_iso(kind, value: str):
    try:
        return kind.fromisoformat(value)
    except ValueError as error:
        raise InvalidValueError(value) from error


def _json_parse(text: str) -> str:
    """As lenient as Trino may be: what follows the first value is not looked at."""

    def refuse(constant: str):
        raise ValueError(constant)

    try:
        return _json_text(json.JSONDecoder(parse_constant=refuse).raw_decode(text.lstrip())[0])
    except (ValueError, RecursionError) as error:
        raise InvalidValueError(text) from error


def _json_text(value) -> str:
    """JSON as Jackson writes it, its keys in order."""
    if isinstance(value, dict):
        fields = [f"{_json_text(key)}:{_json_text(value[key])}" for key in sorted(value)]
        return "{" + ",".join(fields) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_json_text, value)) + "]"
    if isinstance(value, float):
        return f'"{value}"'.replace("inf", "Infinity") if math.isinf(value) else java_text(value)
    return json.dumps(value, ensure_ascii=False)


def java_text(number: float) -> str:
    """A finite number as Java writes it."""
    if number == 0 or 1e-3 <= abs(number) < 1e7:
        return repr(number)
    digits = repr(number).lower().partition("e")[0].replace(".", "").strip("-0")
    sign = "-" if number < 0 else ""
    return f"{sign}{digits[0]}.{digits[1:] or 0}E{math.floor(math.log10(abs(number)))}"


def _json_extract(document: str, path: str) -> str | None:
    value = json.loads(document)
    for name in path.removeprefix("$").split(".")[1:]:
        if not isinstance(value, dict) or name not in value:
            return None
        value = value[name]
    return _json_text(value)


def _json_extract_scalar(document: str, path: str) -> str | None:
    text = _json_extract(document, path)
    if text is None or text == "null" or text[0] in "{[":
        return None
    return json.loads(text) if text[0] == '"' else text


def _to_json_array(document: str) -> list[str]:
    value = json.loads(document)
    if not isinstance(value, list):
        raise InvalidValueError(document)
    return [_json_text(element) for element in value]


def _element_at(array: list, index: int):
    place = index - 1 if index > 0 else index
    return array[place] if -len(array) <= place < len(array) else None


def _none_match(array: list, test: Callable) -> bool | None:
    matches = [test(element) for element in array]
    return False if True in matches else None if None in matches else True


def _regexp_extract(text: str, pattern: str, group: int = 0) -> str | None:
    found = re.search(pattern, text)
    return found and found[group]


def _date_add(unit: str, amount: int, time: datetime) -> datetime:
    try:
        return time + timedelta(**{f"{unit}s": amount})
    except OverflowError as error:
        raise NotImplementedError("years that Python does not have") from error


SYNTAX: dict[type, Callable] = {
    exp.Paren: lambda node, row: _value(node.this, row),
    exp.Column: lambda node, row: row[node.name],
    exp.Identifier: lambda node, row: row[node.name],
    exp.Literal: _literal,
    exp.Boolean: lambda node, row: node.this,
    exp.Null: lambda node, row: None,
    exp.Neg: lambda node, row: -_value(node.this, row),
    exp.Case: _case,
    exp.If: _if,
    exp.And: _connected(False),
    exp.Or: _connected(True),
    exp.Not: _not,
    exp.In: _in,
    exp.Between: _between,
    exp.Is: lambda node, row: _value(node.this, row) is None,
    exp.NullSafeNEQ: lambda node, row: _value(node.this, row) != _value(node.expression, row),
    exp.Bracket: _subscript,
    exp.Array: lambda node, row: [_value(one, row) for one in node.expressions],
    exp.TryCast: lambda node, row: _try(lambda: _cast(node, row)),
    exp.Cast: _cast,
}

OPERATORS: dict[type, Callable] = {
    exp.EQ: lambda a, b: a == b,
    exp.NEQ: lambda a, b: a != b,
    exp.LT: lambda a, b: a < b,
    exp.LTE: lambda a, b: a <= b,
    exp.GT: lambda a, b: a > b,
    exp.GTE: lambda a, b: a >= b,
    exp.Add: lambda a, b: a + b,
    exp.Sub: lambda a, b: a - b,
    exp.Mul: lambda a, b: a * b,
}

FUNCTIONS: dict[str, Callable] = {
    "abs": abs,
    "cardinality": len,
    "concat": lambda *texts: "".join(texts),
    "date_add": _date_add,
    "date_diff": lambda unit, start, end: (end - start) // timedelta(**{f"{unit}s": 1}),
    "day": lambda time: time.day,
    "element_at": _element_at,
    "floor": math.floor,
    "infinity": lambda: math.inf,
    "json_extract": _json_extract,
    "json_extract_scalar": _json_extract_scalar,
    "json_format": lambda document: document,
    "json_parse": _json_parse,
    "length": len,
    "lower": str.lower,
    "md5": lambda data: hashlib.md5(data).digest(),
    "month": lambda time: time.month,
    "none_match": _none_match,
    "regexp_extract": _regexp_extract,
    "regexp_like": lambda text, pattern: re.search(pattern, text) is not None,
    "replace": str.replace,
    "sha256": lambda data: hashlib.sha256(data).digest(),
    "slice": lambda array, start, length: array[start - 1 : start - 1 + length],
    "substr": lambda text, start, length=None: text[start - 1 :][:length],
    "to_hex": lambda data: data.hex().upper(),
    "to_utf8": str.encode,
    "year": lambda time: time.year,
}

CASTS: dict[str, Callable] = {
    "varchar": _to_varchar,
    "integer": _to_integer,
    "double": _to_double,
    "date": _to_date,
    "timestamp(6)": _to_timestamp,
    "array(json)": _to_json_array,
}
