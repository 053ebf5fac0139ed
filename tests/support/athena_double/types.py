"""Trino's types, which of them go for which, and how Spark, Iceberg, Glue and Athena spell them.

A type is a text here, in Trino's own spelling: `array(timestamp(6))`.
"""

import re
from datetime import timezone
from functools import cache

from sqlglot import exp

from tests.support.athena_double.errors import NotInTheDouble, QueryFailed

# A null, of which nothing more is said.
UNKNOWN = "unknown"
# A timestamp with time zone whose zone is known to be UTC: Spark's have none of their own.
IN_UTC = " in UTC"

_NUMBERS = ("tinyint", "smallint", "integer", "bigint", "decimal", "double")
_TIMESTAMP = re.compile(r"timestamp\((\d+)\)( with time zone)?( in UTC)?")

# What has no arguments: as sqlglot reads it, and as Spark spells it.
_SCALARS = {
    "boolean": (exp.DType.BOOLEAN, "boolean"),
    "tinyint": (exp.DType.TINYINT, "tinyint"),
    "smallint": (exp.DType.SMALLINT, "smallint"),
    "integer": (exp.DType.INT, "int"),
    "bigint": (exp.DType.BIGINT, "bigint"),
    "double": (exp.DType.DOUBLE, "double"),
    "varchar": (exp.DType.VARCHAR, "string"),
    "varbinary": (exp.DType.VARBINARY, "binary"),
    "date": (exp.DType.DATE, "date"),
    # Spark has no such type: the text of a value, always the same for the same value.
    "json": (exp.DType.JSON, "string"),
    UNKNOWN: (exp.DType.UNKNOWN, "void"),
}
_READ = {kind: name for name, (kind, _) in _SCALARS.items()}

# Iceberg's name, as in its metadata -> Trino's, and Glue's, which is Hive's.
_ICEBERG = {
    "boolean": ("boolean", "boolean"),
    "int": ("integer", "int"),
    "long": ("bigint", "bigint"),
    "double": ("double", "double"),
    "string": ("varchar", "string"),
    "binary": ("varbinary", "binary"),
    "date": ("date", "date"),
    # Glue has one name for both: which it is, the table's own metadata says.
    "timestamp": ("timestamp(6)", "timestamp"),
    "timestamptz": ("timestamp(6) with time zone", "timestamp"),
}


def read_type(data_type: exp.DataType) -> str:
    """A type as a query writes it. Raises QueryFailed if Trino, or the double, has no such type."""
    kind, arguments = data_type.this, data_type.expressions
    if kind in _READ and kind != exp.DType.UNKNOWN and not arguments:
        return _READ[kind]
    if kind in (exp.DType.TIMESTAMP, exp.DType.TIMESTAMPTZ):
        digits = int(arguments[0].name) if arguments else 3
        return f"timestamp({digits})" + (" with time zone" if kind == exp.DType.TIMESTAMPTZ else "")
    if kind == exp.DType.DECIMAL and len(arguments) == 2:
        return f"decimal({arguments[0].name}, {arguments[1].name})"
    if kind == exp.DType.ARRAY and len(arguments) == 1:
        return f"array({read_type(arguments[0])})"
    if kind == exp.DType.MAP and len(arguments) == 2:
        return f"map({read_type(arguments[0])}, {read_type(arguments[1])})"
    if kind == exp.DType.STRUCT and all(isinstance(field, exp.ColumnDef) for field in arguments):
        fields = (f"{field.name.lower()} {read_type(field.kind)}" for field in arguments)
        return f"row({', '.join(fields)})"
    if kind == exp.DType.TEXT:
        raise QueryFailed("TYPE_NOT_FOUND", "Unknown type: string")
    raise NotInTheDouble(f"the type {data_type.sql('trino')}")


@cache
def parts(name: str) -> tuple[str, dict[str, str]]:
    """A nested type's kind (array, map, row; else empty), and the types in it, by their names."""
    kind, bracket, _ = name.partition("(")
    if not bracket or kind not in ("array", "map", "row"):
        return "", {}
    inner = exp.DataType.build(name, dialect="trino").expressions
    if kind == "row":
        return kind, {field.name.lower(): read_type(field.kind) for field in inner}
    names = ("element",) if kind == "array" else ("key", "value")
    return kind, dict(zip(names, map(read_type, inner), strict=True))


def digits_of_a_second(name: str) -> int | None:
    """A timestamp type's precision; None for other types."""
    timestamp = _TIMESTAMP.fullmatch(name)
    return int(timestamp[1]) if timestamp else None


def has_time_zone(name: str) -> bool:
    """Is it a timestamp with time zone?"""
    return digits_of_a_second(name) is not None and "with time zone" in name


def common(one: str, other: str) -> str | None:
    """The type that values of both types are taken for of themselves; None if there is none."""
    if one == other or other == UNKNOWN:
        return one
    if one == UNKNOWN:
        return other
    kinds = [name.partition("(")[0] for name in (one, other)]
    if all(kind in _NUMBERS for kind in kinds):
        wider = max((one, other), key=lambda name: _NUMBERS.index(name.partition("(")[0]))
        if "decimal" in kinds and wider != "double":
            raise NotInTheDouble(f"what {one} and {other} have in common")
        return wider
    digits = [digits_of_a_second(name) for name in (one, other)]
    if "date" in kinds and digits != [None, None]:
        return one if digits[0] is not None else other
    if None not in digits:
        zone = " with time zone" if any(map(has_time_zone, (one, other))) else ""
        return f"timestamp({max(digits)}){zone}"
    (kind, inner), (other_kind, other_inner) = parts(one), parts(other)
    if kind and kind == other_kind and len(inner) == len(other_inner):
        found = [common(*pair) for pair in zip(inner.values(), other_inner.values(), strict=True)]
        if None not in found:
            names = inner if kind == "row" else [""] * len(inner)
            pairs = (f"{name} {one}".strip() for name, one in zip(names, found, strict=True))
            return f"{kind}({', '.join(pairs)})"
    return None


def goes_for(name: str, wanted: str) -> bool:
    """Does Trino take a value of the one type for one of the other, without being told to?"""
    if name == wanted or (has_time_zone(name) and common(name, wanted) == wanted):
        return True
    if digits_of_a_second(name) is not None and digits_of_a_second(wanted) is not None:
        return not has_time_zone(name)
    return common(name, wanted) == wanted


def spark_type(name: str) -> str:
    """Spark's spelling. Raises NotInTheDouble for what Spark cannot hold."""
    if name in _SCALARS:
        return _SCALARS[name][1]
    if (digits := digits_of_a_second(name)) is not None:
        if digits > 6:
            raise NotInTheDouble(f"the type {name}: Spark counts microseconds")
        return "timestamp" if has_time_zone(name) else "timestamp_ntz"
    if name.startswith("decimal("):
        return name
    kind, inner = parts(name)
    types = {key: spark_type(value) for key, value in inner.items()}
    if kind == "array":
        return f"array<{types['element']}>"
    if kind == "map":
        return f"map<{types['key']}, {types['value']}>"
    return f"struct<{', '.join(f'`{key}`: {value}' for key, value in types.items())}>"


def check_iceberg_column(column: str, name: str) -> None:
    """Raises QueryFailed if Athena makes no column of that type in an Iceberg table."""
    if name == UNKNOWN:
        raise QueryFailed("COLUMN_TYPE_UNKNOWN", f"Column type is unknown: {column}")
    digits = digits_of_a_second(name)
    if digits not in (None, 6):
        raise QueryFailed(
            "NOT_SUPPORTED",
            f"Timestamp precision ({digits}) not supported for Iceberg. "
            f'Use "timestamp(6)" instead. Column: {column}',
        )
    if name in ("tinyint", "smallint", "json"):
        raise QueryFailed(
            "NOT_SUPPORTED", f"Type not supported for Iceberg: {name}. Column: {column}"
        )
    for inner in parts(name)[1].values():
        check_iceberg_column(column, inner)


def trino_type(iceberg) -> str:
    """Trino's name of an Iceberg type, the latter as its JSON has it. Raises NotInTheDouble."""
    return _of_iceberg(iceberg, 0, "array({})", "map({}, {})", "row({})", "{} {}")


def glue_type(iceberg) -> str:
    """Glue's name of an Iceberg type, the latter as its JSON has it. Raises NotInTheDouble."""
    return _of_iceberg(iceberg, 1, "array<{}>", "map<{},{}>", "struct<{}>", "{}:{}")


def _of_iceberg(iceberg, of: int, array: str, map: str, row: str, field: str) -> str:
    def name(inner) -> str:
        return _of_iceberg(inner, of, array, map, row, field)

    if isinstance(iceberg, dict) and iceberg["type"] == "list":
        return array.format(name(iceberg["element"]))
    if isinstance(iceberg, dict) and iceberg["type"] == "map":
        return map.format(name(iceberg["key"]), name(iceberg["value"]))
    if isinstance(iceberg, dict) and iceberg["type"] == "struct":
        fields = (field.format(inner["name"], name(inner["type"])) for inner in iceberg["fields"])
        return row.format((", " if of == 0 else ",").join(fields))
    if iceberg.startswith("decimal("):
        return iceberg if of == 0 else iceberg.replace(" ", "")
    if iceberg not in _ICEBERG:
        raise NotInTheDouble(f"the Iceberg type {iceberg}")
    return _ICEBERG[iceberg][of]


def column_info(column: str, name: str) -> dict:
    """A result's column, as GetQueryResults tells it. Raises NotInTheDouble for a nested type."""
    if parts(name)[0]:
        raise NotInTheDouble(f"how Athena writes a {name} into a result ({column})")
    kind = re.sub(r"\(.*?\)", "", name).removesuffix(IN_UTC)
    info = {"Name": column, "Label": column, "Type": kind, "Nullable": "UNKNOWN"}
    if kind == "decimal":
        precision, scale = re.findall(r"\d+", name)
        info |= {"Precision": int(precision), "Scale": int(scale)}
    return info


def as_text(value, name: str) -> str:
    """A value that Spark's Python gives, not null, as the text that GetQueryResults has."""
    if name == "boolean":
        return str(value).lower()
    if name == "varbinary":
        return bytes(value).hex(" ")
    if (digits := digits_of_a_second(name)) is None:
        return str(value)
    if has_time_zone(name):
        value = value.astimezone(timezone.utc).replace(tzinfo=None)
    text = value.isoformat(sep=" ", timespec="microseconds")[: 20 + digits].rstrip(".")
    return text + (" UTC" if has_time_zone(name) else "")
