"""What Spark has nothing like of Trino's functions, as Python functions for Spark SQL.

A value of Trino's type json is the text that json_format gives of it: its keys in order, its
numbers as Java writes them; so equal values are equal texts.
"""

import json
import math
import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

import xxhash

from tests.support.athena_double.errors import NotInTheDouble

# What Java's `trim` takes away.
JAVA_SPACE = "".join(map(chr, range(33)))
TRUE, FALSE = ("true", "t", "1"), ("false", "f", "0")


def json_parse(text: str | None) -> str | None:
    """The JSON value that a text is. Raises ValueError if it is none, or more than one."""
    return None if text is None else _canonical(json.loads(text, parse_constant=_refuse))


def json_extract(document: str | None, path: str | None) -> str | None:
    """The JSON value at a path, `$` or `$.a.b`; None where nothing is."""
    value = None if document is None or path is None else json.loads(document)
    for name in (path or "").removeprefix("$").split(".")[1:]:
        if not isinstance(value, dict) or name not in value:
            return None
        value = value[name]
    return None if document is None or path is None else _canonical(value)


def json_extract_scalar(document: str | None, path: str | None) -> str | None:
    """The text, number or boolean at a path, as text; None for null, an object or an array."""
    found = json_extract(document, path)
    if found is None or found == "null" or found[0] in "{[":
        return None
    return json.loads(found) if found[0] == '"' else found


def json_to_array(document: str | None) -> list[str] | None:
    """A JSON array as an array of JSON values. Raises ValueError for another value than null."""
    value = None if document is None else json.loads(document)
    if value is None:
        return None
    if not isinstance(value, list):
        raise ValueError(f"Cannot cast to array(json): {document}")
    return [_canonical(element) for element in value]


def texts_to_json(texts: list[str | None] | None) -> str | None:
    """An array of texts as JSON."""
    return None if texts is None else _canonical(texts)


def xxhash64(data: bytes | None) -> bytes | None:
    """The hash, as Trino's eight bytes."""
    return None if data is None else xxhash.xxh64(bytes(data)).digest()


def null_if_it_fails(function: Callable) -> Callable:
    """The same function, for `try` and `try_cast`."""

    def tried(*arguments):
        try:
            return function(*arguments)
        except (ValueError, OverflowError, RecursionError):
            return None

    return tried


def text_to_integer(text: str | None) -> int | None:
    """A whole number, signed or not."""
    if text is None:
        return None
    if text != text.strip(JAVA_SPACE):
        raise NotInTheDouble(f"the cast to a whole number of '{text}', which has spaces")
    if not re.fullmatch("[+-]?[0-9]+", text):
        raise ValueError(f"Cannot cast '{text}' to a whole number")
    return int(text)


def text_to_double(text: str | None) -> float | None:
    """As Java's Double.parseDouble."""
    if text is None:
        return None
    number = text.strip(JAVA_SPACE)
    if re.fullmatch("[+-]?(NaN|Infinity)", number):
        return float(number)
    if re.fullmatch(r"[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?[dDfF]?", number):
        return float(number.rstrip("dDfF"))
    if re.fullmatch(r"[+-]?0[xX][0-9a-fA-F]*[.]?[0-9a-fA-F]*[pP][+-]?[0-9]+[dDfF]?", number):
        return float.fromhex(number.rstrip("dDfF"))
    raise ValueError(f"Cannot cast '{text}' to DOUBLE")


def text_to_boolean(text: str | None) -> bool | None:
    """true, t, 1; false, f, 0."""
    if text is None:
        return None
    if text.lower() not in (*TRUE, *FALSE):
        raise ValueError(f"Cannot cast '{text}' to BOOLEAN")
    return text.lower() in TRUE


def text_to_date(text: str | None) -> date | None:
    """Year, month and day, with `-` between them."""
    if text is None:
        return None
    found = re.fullmatch("([+-]?[0-9]+)-([0-9]{1,2})-([0-9]{1,2})", text.strip(JAVA_SPACE))
    if not found:
        raise ValueError(f"Value cannot be cast to date: {text}")
    return date(*map(int, found.groups()))


def text_to_timestamp(text: str | None) -> datetime | None:
    """The same, and perhaps a space and a time, its fraction rounded to microseconds; no zone."""
    if text is None:
        return None
    found = re.fullmatch(
        r"([+-]?[0-9]{4,}-[0-9]{1,2}-[0-9]{1,2})"
        r"( ([0-9]{1,2}):([0-9]{1,2})(:([0-9]{1,2})([.][0-9]+)?)?)?",
        text.strip(JAVA_SPACE),
    )
    if not found:
        raise ValueError(f"Value cannot be cast to timestamp: {text}")
    hour, minute, second = (int(found[group] or 0) for group in (3, 4, 6))
    fraction = Decimal(found[7] or 0).quantize(Decimal("0.000001"), ROUND_HALF_UP)
    time = datetime.combine(text_to_date(found[1]), datetime.min.time())
    return time.replace(hour=hour, minute=minute, second=second) + timedelta(
        microseconds=int(fraction * 10**6)
    )


def double_to_text(number: float | None) -> str | None:
    """With an exponent, as Trino does; its digits as Java's. Only for hashes: see casts.py."""
    if number is None:
        return None
    if number == 0 or math.isinf(number) or math.isnan(number):
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}.get(repr(number), "0E0")
    exponent = Decimal(repr(number)).adjusted()
    return f"{Decimal(repr(number)).scaleb(-exponent).normalize()}E{exponent}"


UDFS: dict[str, tuple[Callable, str]] = {
    "trino_json_parse": (json_parse, "string"),
    "trino_json_extract": (json_extract, "string"),
    "trino_json_extract_scalar": (json_extract_scalar, "string"),
    "trino_json_to_array": (json_to_array, "array<string>"),
    "trino_texts_to_json": (texts_to_json, "string"),
    "trino_xxhash64": (xxhash64, "binary"),
    "trino_text_to_bigint": (text_to_integer, "bigint"),
    "trino_text_to_double": (text_to_double, "double"),
    "trino_text_to_boolean": (text_to_boolean, "boolean"),
    "trino_text_to_date": (text_to_date, "date"),
    "trino_text_to_timestamp": (text_to_timestamp, "timestamp_ntz"),
    "trino_double_to_text": (double_to_text, "string"),
}
UDFS |= {
    name.replace("trino_", "trino_try_", 1): (null_if_it_fails(function), returns)
    for name, (function, returns) in UDFS.items()
}


def _canonical(value) -> str:
    if isinstance(value, dict):
        fields = (f"{_canonical(name)}:{_canonical(value[name])}" for name in sorted(value))
        return "{" + ",".join(fields) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_canonical, value)) + "]"
    if isinstance(value, float):
        return java_text(value)
    return json.dumps(value, ensure_ascii=False)


def java_text(number: float) -> str:
    """A number as Java writes it, in JSON."""
    if math.isinf(number):
        return '"Infinity"' if number > 0 else '"-Infinity"'
    if number == 0 or 1e-3 <= abs(number) < 1e7:
        return repr(number)
    digits, _, exponent = (double_to_text(number) or "").partition("E")
    return f"{digits if '.' in digits else digits + '.0'}E{exponent}"


def _refuse(constant: str):
    raise ValueError(f"no JSON: {constant}")
