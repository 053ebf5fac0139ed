"""The texts that the terminal report and the page share."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from dbt_spark_contracts.cli.compare import rows
from dbt_spark_contracts.cli.compare.columns import Pair
from dbt_spark_contracts.cli.compare.grain import Grain
from dbt_spark_contracts.cli.compare.result import Comparison
from dbt_spark_contracts.cli.compare.rows import LONGEST, Example

EQUAL = "The tables are equal."
NEARLY = "The tables are equal within the tolerance."
DIFFERENT = "The tables differ."
SIDES = ("old", "new")


@dataclass(frozen=True)
class Line:
    """One finding.

    Attributes:
        what: Its kind.
        name: The column, or the number of rows.
        said: The details.
        explained: Whether the code change explains it, in words.
        is_difference: Whether it is a difference of the tables.
        examples: Rows that show it.
    """

    what: str
    name: str
    said: str = ""
    explained: str = ""
    is_difference: bool = True
    examples: list[Example] = field(default_factory=list)


def verdict(found: Comparison) -> str:
    """Return the result in one sentence."""
    if not found.is_equal:
        return DIFFERENT
    return NEARLY if found.counts["within_tolerance"] else EQUAL


def key(found: Comparison) -> str:
    """Return the name of the key."""
    names = [pair.name for pair in found.columns.keys]
    return names[0] if len(names) == 1 else f"({', '.join(names)})"


def size(found: Comparison, side: str) -> str:
    """Return the size of one of the tables, in words."""
    rows_, keys = found.counts[f"{side}_rows"], found.counts[f"{side}_keys"]
    return f"{plural(rows_, 'row')}, {keys:,} {key(found)}"


def notes(found: Comparison) -> Iterator[str]:
    """Yield sentences about the tables as a whole."""
    counts = found.counts
    for side, grain in zip(SIDES, (found.old_grain, found.new_grain), strict=True):
        if grain:
            yield (
                f"The {side} table has {plural(counts[f'{side}_rows'], 'row')} for "
                f"{counts[f'{side}_keys']:,} {key(found)}: {_of_grain(grain)}."
            )
        if nulls := counts[f"{side}_null_keys"]:
            yield (
                f"{plural(nulls, 'row')} of the {side} table "
                f"{'has' if nulls == 1 else 'have'} no {key(found)} (null)."
            )
        if not counts[f"{side}_rows"]:
            yield f"The {side} table is empty."
    if several := counts["unmatched_keys"]:
        yield (
            f"Of {several:,} {key(found)} both tables have several rows that are not the same: "
            "they cannot be matched, so their columns are not compared."
        )
    if not found.columns.others:
        yield "The tables share no column outside the key: only the rows are compared."
    if found.marks:
        hidden = ", ".join(f"{name} ({marks})" for name, marks in sorted(found.marks.items()))
        yield f"Values of marked columns are counted, but not shown: {hidden}."


def _of_grain(grain: Grain) -> str:
    if grain.are_copies:
        return "some rows are copies of one another"
    if not grain.columns:
        return "no single column distinguishes them"
    return f"one per {' and '.join(grain.columns)}"


def columns(found: Comparison) -> Iterator[Line]:
    """Yield the differences of columns, other than their values."""
    for side, alone in zip(SIDES, (found.columns.only_old, found.columns.only_new), strict=True):
        for name, data_type in alone:
            yield Line(f"only in the {side} table", name, data_type, _explained(found, name))
    for pair in found.columns.retyped:
        said = f"{pair.old_type} → {pair.new_type}"
        if pair.way:
            said += f", compared as {pair.way.called}{_note(pair)}"
        yield Line("of another type", pair.name, said, _explained(found, pair.name))
    for pair in found.columns.others:
        if not pair.way:
            yield Line("not compared", pair.name, f"{_why_not(pair)}: ignore it with --ignore")
    for name in found.columns.ignored:
        yield Line("left out", name, is_difference=False)


def _why_not(pair: Pair) -> str:
    if pair.is_retyped:
        return f"no type holds both {pair.old_type} and {pair.new_type}"
    return f"Spark cannot compare {pair.old_type}"


def _note(pair: Pair) -> str:
    return f", {pair.way.note}" if pair.way and pair.way.note else ""


def of_rows(found: Comparison) -> Iterator[Line]:
    """Yield the numbers of rows."""
    counts = found.counts
    explained = found.explanation.of_rows() if found.explanation else ""
    yield Line("the same", f"{counts['same']:,}", is_difference=False)
    if counts["within_tolerance"]:
        yield Line("within the tolerance", f"{counts['within_tolerance']:,}", is_difference=False)
    yield Line("changed", f"{counts['changed']:,}", is_difference=bool(counts["changed"]))
    for what, name, at, said in (
        ("only in the old table", "only_old", rows.ONLY_OLD, ""),
        ("only in the new table", "only_new", rows.ONLY_NEW, ""),
        ("more in the old table", "more_old", rows.MORE_OLD, "that both have"),
        ("more in the new table", "more_new", rows.MORE_NEW, "that both have"),
    ):
        number = counts[f"{name}_rows"]
        if not number and said:
            continue
        said = f"of {counts[f'{name}_keys']:,} {key(found)} {said}".strip() if number else ""
        examples = found.examples.get(at, [])
        yield Line(what, f"{number:,}", said, explained if number else "", bool(number), examples)


def changed(found: Comparison) -> Iterator[Line]:
    """Yield the columns whose values changed, those with most changes first."""
    counts = found.counts
    matched = counts["same"] + counts["within_tolerance"] + counts["changed"]
    by_number = sorted(counts.of_columns.items(), key=lambda each: (-each[1], each[0]))
    for at, number in by_number:
        pair = found.columns.compared[at]
        said = f"{number:,} of {plural(matched, 'matched row')}"
        if pair.tolerance:
            said += f" by more than {pair.tolerance.removesuffix('D')}"
        if marks := found.marks.get(pair.name.lower()):
            said += f"; values not shown: {marks}"
        yield Line(
            "changed", pair.name, said, _explained(found, pair.name), True,
            found.examples.get(at, []),
        )  # fmt: skip


def _explained(found: Comparison, name: str) -> str:
    return found.explanation.of_column(name) if found.explanation else ""


def plural(number: int, noun: str) -> str:
    """Return the number and the noun: 1 row, 2 rows."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def value(text: str | None) -> str:
    """Return a value of an example as it is shown."""
    if text is None:
        return "null"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def key_of(example: Example) -> str:
    """Return the key values of an example as they are shown. Empty if they are hidden."""
    return ", ".join(map(value, example.key or ()))
