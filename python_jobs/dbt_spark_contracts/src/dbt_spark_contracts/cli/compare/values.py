"""Determines how values of two types are compared: both are converted to a common type.

Two values are equal if Spark considers the converted values equal: null equals null, NaN equals
NaN, 0.0 equals -0.0, a timestamp is its instant, and the order of a map's entries does not matter.
Everything is SQL text, because Spark 3.5 has no other form of `try_cast`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from pyspark.sql import types as T

from dbt_spark_contracts.schemas import quoted

# Converts a value to the common type, as SQL.
Write = Callable[[str], str]

# The largest number of decimal digits of each integer type.
DIGITS = {T.ByteType: 3, T.ShortType: 5, T.IntegerType: 10, T.LongType: 19}
MOST_DIGITS = 38
# The number of decimal digits that a double can hold.
DOUBLE_DIGITS = 15

NUMBERS = (*DIGITS, T.DecimalType, T.FloatType, T.DoubleType)
TIMES = (T.DateType, T.TimestampType, T.TimestampNTZType)
# Types that Spark can order, so that their values can be compared and grouped.
SIMPLE = (
    *NUMBERS,
    *TIMES,
    T.BooleanType,
    T.StringType,
    T.CharType,
    T.VarcharType,
    T.BinaryType,
    T.DayTimeIntervalType,
    T.YearMonthIntervalType,
)


@dataclass(frozen=True)
class Way:
    """How two types are compared.

    Attributes:
        old: Converts a value of the old type.
        new: Converts a value of the new type.
        called: The common type, in Spark's spelling.
        shown: Converts a converted value to text, as SQL.
        note: A note for the reader, or empty.
    """

    old: Write
    new: Write
    called: str
    shown: Write
    note: str = ""


def way(old: T.DataType, new: T.DataType, depth: int = 0) -> Way | None:
    """Return how values of two types are compared.

    Args:
        old: The old type.
        new: The new type.
        depth: The number of enclosing arrays and maps, for unique names in SQL.

    Returns:
        How, or None if no type can hold both without loss.
    """
    if isinstance(old, T.NullType) or isinstance(new, T.NullType):
        return _of_void(old, new, depth)
    if old == new and is_plain(old):
        return Way(_as_it_is, _as_it_is, old.simpleString(), _text(old))
    if isinstance(old, T.ArrayType) and isinstance(new, T.ArrayType):
        return _of_arrays(old, new, depth)
    if isinstance(old, T.MapType) and isinstance(new, T.MapType):
        return _of_maps(old, new, depth)
    if isinstance(old, T.StructType) and isinstance(new, T.StructType):
        return _of_structs(old, new, depth)
    return _of_simple(old, new)


def is_number(data_type: T.DataType) -> bool:
    """Return whether it is a numeric type, whose values have a difference."""
    return isinstance(data_type, NUMBERS)


def is_plain(data_type: T.DataType) -> bool:
    """Return whether Spark can compare values of the type directly."""
    if isinstance(data_type, T.ArrayType):
        return is_plain(data_type.elementType)
    if isinstance(data_type, T.StructType):
        return all(is_plain(field.dataType) for field in data_type.fields)
    return type(data_type) in SIMPLE


def _as_it_is(value: str) -> str:
    return value


def _cast(data_type: str) -> Write:
    return lambda value: f"cast({value} as {data_type})"


def _string(value: str) -> str:
    return f"cast({value} as string)"


def _text(data_type: T.DataType) -> Write:
    if isinstance(data_type, T.BinaryType):
        return lambda value: f"concat('0x', hex({value}))"
    return _string


def _of_void(old: T.DataType, new: T.DataType, depth: int) -> Way | None:
    """Compare a column that has only nulls with one of any type."""
    known = new if isinstance(old, T.NullType) else old
    if isinstance(known, T.NullType):
        return Way(_as_it_is, _as_it_is, "void", _string)
    made = way(known, known, depth)
    if made is None:
        return None
    cast = _cast(known.simpleString())
    if known is new:
        return Way(lambda value: made.old(cast(value)), made.new, made.called, made.shown)
    return Way(made.old, lambda value: made.new(cast(value)), made.called, made.shown)


def _of_arrays(old: T.ArrayType, new: T.ArrayType, depth: int) -> Way | None:
    inner = way(old.elementType, new.elementType, depth + 1)
    if inner is None:
        return None
    name = f"e{depth}"

    def each(write: Write) -> Write:
        return lambda value: f"transform({value}, {name} -> {write(name)})"

    called = f"array<{inner.called}>"
    return Way(each(inner.old), each(inner.new), called, _string, inner.note)


def _of_maps(old: T.MapType, new: T.MapType, depth: int) -> Way | None:
    """Compare maps as their entries in the order of the keys, because Spark cannot compare maps."""
    keys = way(old.keyType, new.keyType, depth + 1)
    values = way(old.valueType, new.valueType, depth + 1)
    if keys is None or values is None:
        return None
    name = f"e{depth}"

    def sort(key: Write, value: Write) -> Write:
        entry = f"named_struct('key', {key(f'{name}.key')}, 'value', {value(f'{name}.value')})"
        return lambda map_: f"array_sort(transform(map_entries({map_}), {name} -> {entry}))"

    return Way(
        sort(keys.old, values.old),
        sort(keys.new, values.new),
        f"map<{keys.called},{values.called}>",
        lambda value: f"cast(map_from_entries({value}) as string)",
        keys.note or values.note,
    )


def _of_structs(old: T.StructType, new: T.StructType, depth: int) -> Way | None:
    """Compare structs by the names of their fields, ignoring order and case."""
    there = {field.name.lower(): field for field in new.fields}
    both = [
        (field, there[field.name.lower()]) for field in old.fields if field.name.lower() in there
    ]
    ways = [way(one.dataType, other.dataType, depth) for one, other in both]
    known = [each for each in ways if each is not None]
    if not both or len(known) < len(ways):
        return None

    def struct(side: int) -> Write:
        def write(value: str) -> str:
            parts = []
            for number, (pair, each) in enumerate(zip(both, known, strict=True)):
                inner = f"{value}.{quoted(pair[side].name)}"
                parts.append(f"'f{number}', {each.new(inner) if side else each.old(inner)}")
            return f"if({value} is null, null, named_struct({', '.join(parts)}))"

        return write

    names = [f"{one.name}:{each.called}" for (one, _), each in zip(both, known, strict=True)]
    alone = len(old.fields) + len(new.fields) - 2 * len(both)
    note = "by the fields that both have" if alone else ""
    notes = [note, *(each.note for each in known)]
    called = f"struct<{','.join(names)}>"
    return Way(struct(0), struct(1), called, _string, next(filter(None, notes), ""))


def _of_simple(old: T.DataType, new: T.DataType) -> Way | None:
    if not isinstance(old, SIMPLE) or not isinstance(new, SIMPLE):
        return None
    if is_number(old) and is_number(new):
        return _of_numbers(old, new)
    if isinstance(old, TIMES) and isinstance(new, TIMES):
        note = "by the instant, in the session's time zone"
        return _cast_both("timestamp", note)
    texts = (T.StringType, T.CharType, T.VarcharType)
    if isinstance(old, texts) and isinstance(new, texts):
        return _cast_both("string")
    if isinstance(old, (*texts, T.BinaryType)) and isinstance(new, (*texts, T.BinaryType)):
        return _cast_both("binary", "the text as bytes in UTF-8", _text(T.BinaryType()))
    if isinstance(old, texts) and isinstance(new, (*NUMBERS, *TIMES, T.BooleanType)):
        return _of_text(new, is_old_text=True)
    if isinstance(new, texts) and isinstance(old, (*NUMBERS, *TIMES, T.BooleanType)):
        return _of_text(old, is_old_text=False)
    return None


def _cast_both(data_type: str, note: str = "", shown: Write = _string) -> Way:
    return Way(_cast(data_type), _cast(data_type), data_type, shown, note)


def _of_numbers(old: T.DataType, new: T.DataType) -> Way | None:
    types = (old, new)
    if all(type(each) in DIGITS for each in types):
        return _cast_both(max(types, key=lambda each: DIGITS[type(each)]).simpleString())
    if any(isinstance(each, (T.FloatType, T.DoubleType)) for each in types):
        is_lossy = any(sum(_digits(each)) > DOUBLE_DIGITS for each in types if _is_exact(each))
        note = f"exact to {DOUBLE_DIGITS} digits" if is_lossy else ""
        return _cast_both("double", note)
    whole = max(_digits(each)[0] for each in types)
    scale = max(_digits(each)[1] for each in types)
    if whole + scale > MOST_DIGITS:
        return None
    return _cast_both(f"decimal({whole + scale},{scale})")


def _is_exact(data_type: T.DataType) -> bool:
    return not isinstance(data_type, (T.FloatType, T.DoubleType))


def _digits(data_type: T.DataType) -> tuple[int, int]:
    """Return how many digits an exact number has before and after the decimal point."""
    if isinstance(data_type, T.DecimalType):
        return data_type.precision - data_type.scale, data_type.scale
    return DIGITS[type(data_type)], 0


def _of_text(typed: T.DataType, is_old_text: bool) -> Way:
    """Compare a text with another type: parse it as that type. If that fails, it stays a text.

    The type to parse has room for everything that the text may contain: a time of day for a date,
    and more decimal places for a decimal.
    """
    data_type = typed.simpleString()
    if isinstance(typed, T.DateType):
        data_type = "timestamp"
    elif isinstance(typed, T.DecimalType):
        data_type = f"decimal({MOST_DIGITS},{MOST_DIGITS - typed.precision + typed.scale})"

    def of_text(value: str) -> str:
        read = f"try_cast({value} as {data_type})"
        other = f"if({read} is null, {_string(value)}, null)"
        return f"named_struct('value', {read}, 'text', {other})"

    def of_typed(value: str) -> str:
        written = f"cast({value} as {data_type})"
        return f"named_struct('value', {written}, 'text', cast(null as string))"

    old, new = (of_text, of_typed) if is_old_text else (of_typed, of_text)
    shown = lambda value: f"coalesce(cast({value}.value as string), {value}.text)"  # noqa: E731
    return Way(old, new, data_type, shown, "the text as Spark reads it")
