"""Matches the columns of two tables."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pyspark.sql.types import StructField, StructType

from dbt_spark_contracts.cli.compare.problem import CannotCompare
from dbt_spark_contracts.cli.compare.values import Way, is_number, way


@dataclass(frozen=True)
class Pair:
    """A column that both tables have.

    Attributes:
        name: Its name in the new table.
        old_at: Its position in the old table.
        new_at: Its position in the new table.
        old_type: Its type in the old table, in Spark's spelling.
        new_type: Its type in the new table.
        way: How its values are compared, or None if they cannot be.
        tolerance: The largest difference of two numbers that count as equal, as SQL.
    """

    name: str
    old_at: int
    new_at: int
    old_type: str
    new_type: str
    way: Way | None
    tolerance: str = ""

    @property
    def is_retyped(self) -> bool:
        """Return whether its types differ."""
        return self.old_type.lower() != self.new_type.lower()


@dataclass
class Columns:
    """The columns of two tables.

    Attributes:
        keys: The columns of the key.
        others: The other columns that both tables have.
        only_old: The columns that only the old table has: name and type.
        only_new: The columns that only the new table has: name and type.
        ignored: The names of the ignored columns.
    """

    keys: list[Pair] = field(default_factory=list)
    others: list[Pair] = field(default_factory=list)
    only_old: list[tuple[str, str]] = field(default_factory=list)
    only_new: list[tuple[str, str]] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)

    @property
    def compared(self) -> list[Pair]:
        """Return the columns outside the key whose values are compared."""
        return [pair for pair in self.others if pair.way]

    @property
    def retyped(self) -> list[Pair]:
        """Return the columns whose types differ."""
        return [pair for pair in (*self.keys, *self.others) if pair.is_retyped]

    @property
    def differ(self) -> bool:
        """Return whether the tables have different columns."""
        return bool(self.only_old or self.only_new or self.retyped)


def match(
    old: StructType,
    new: StructType,
    key: list[str],
    tolerances: dict[str, str],
    ignored: Iterable[str],
) -> Columns:
    """Match the columns of two tables by their names, ignoring case.

    Args:
        old: The schema of the old table.
        new: The schema of the new table.
        key: The names of the key's columns.
        tolerances: The tolerance of each column, as SQL, by its name.
        ignored: The names of columns to ignore.

    Returns:
        The columns.

    Raises:
        CannotCompare: If a name in the arguments does not fit a column.
    """
    left_out = {name.lower() for name in ignored}
    wanted = [name.lower() for name in key]
    within = {name.lower(): text for name, text in tolerances.items()}
    if clash := sorted(left_out & {*wanted}):
        raise CannotCompare(f"{clash[0]} is a part of the key: remove it from --ignore")
    found = Columns()
    others_of_new = dict(_matches(old, new))
    for old_at, one in enumerate(old.fields):
        new_at = others_of_new.get(old_at)
        if one.name.lower() in left_out:
            found.ignored.append(one.name)
        elif new_at is None:
            found.only_old.append(_told(one))
        else:
            pair = _pair(one, new.fields[new_at], old_at, new_at, within)
            (found.keys if pair.name.lower() in wanted else found.others).append(pair)
    matched = {*others_of_new.values()}
    for new_at, other in enumerate(new.fields):
        if new_at not in matched and other.name.lower() not in left_out:
            found.only_new.append(_told(other))
        elif other.name.lower() in left_out and new_at not in matched:
            found.ignored.append(other.name)
    found.keys.sort(key=lambda pair: wanted.index(pair.name.lower()))
    _check_names(found, old, new, key, tolerances, left_out)
    return found


def _matches(old: StructType, new: StructType) -> Iterator[tuple[int, int]]:
    """Yield the positions of columns with the same name: first exact, then ignoring case."""
    exact = {field.name: at for at, field in enumerate(new.fields)}
    cases = Counter(field.name.lower() for field in new.fields)
    of_old = Counter(field.name.lower() for field in old.fields)
    any_case = {field.name.lower(): at for at, field in enumerate(new.fields)}
    for at, one in enumerate(old.fields):
        lower = one.name.lower()
        if one.name in exact:
            yield at, exact[one.name]
        elif cases[lower] == of_old[lower] == 1:
            yield at, any_case[lower]


def _pair(
    one: StructField, other: StructField, old_at: int, new_at: int, within: dict[str, str]
) -> Pair:
    types = one.dataType, other.dataType
    tolerance = within.get(other.name.lower(), "")
    if tolerance and not (is_number(types[0]) and is_number(types[1])):
        raise CannotCompare(
            f"--tolerance {other.name}: a {types[1].simpleString()} has no distance: give a column "
            "of numbers"
        )
    spelled = one.dataType.simpleString(), other.dataType.simpleString()
    return Pair(other.name, old_at, new_at, *spelled, way(*types), tolerance)


def _told(column: StructField) -> tuple[str, str]:
    return column.name, column.dataType.simpleString()


def _check_names(
    found: Columns,
    old: StructType,
    new: StructType,
    key: list[str],
    tolerances: dict[str, str],
    left_out: set[str],
) -> None:
    """Check the names in the arguments.

    Raises:
        CannotCompare: If a name does not fit a column.
    """
    there = {pair.name.lower() for pair in found.keys}
    for name in key:
        if name.lower() not in there:
            of_old = name.lower() in {field.name.lower() for field in old.fields}
            of_new = name.lower() in {field.name.lower() for field in new.fields}
            where = "only the old table has" if of_old else "only the new table has"
            where = where if of_old or of_new else "neither table has"
            both = ", ".join([pair.name for pair in found.others][:20]) or "no column"
            raise CannotCompare(f"{where} {name}: choose a --key that both tables have: {both}")
    for pair in found.keys:
        if pair.way is None:
            raise CannotCompare(
                f"{pair.name} is {pair.old_type} in the old table and {pair.new_type} in the new "
                "one, which cannot be matched: choose another --key"
            )
    numbers = {pair.name.lower() for pair in found.others}
    for name in tolerances:
        if name.lower() not in numbers:
            raise CannotCompare(
                f"--tolerance {name}: the tables share no such column outside the key"
            )
    every = {field.name.lower() for field in (*old.fields, *new.fields)}
    for name in sorted(left_out - every):
        raise CannotCompare(f"--ignore {name}: neither table has such a column")
