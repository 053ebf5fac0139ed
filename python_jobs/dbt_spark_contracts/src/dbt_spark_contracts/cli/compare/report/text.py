"""The report as text for a terminal."""

from collections.abc import Iterable, Iterator

from dbt_spark_contracts.cli.compare.report import words
from dbt_spark_contracts.cli.compare.report.words import Line
from dbt_spark_contracts.cli.compare.result import Comparison


def report(found: Comparison) -> Iterator[str]:
    """Yield the lines of the report."""
    yield f"old  {found.old}: {words.size(found, 'old')}"
    yield f"new  {found.new}: {words.size(found, 'new')}"
    for note in words.notes(found):
        yield ""
        yield note
    yield from _section("Columns", words.columns(found))
    yield from _section(f"Rows, by {words.key(found)}", words.of_rows(found))
    yield from _section("Values", words.changed(found), shows_what=False)
    if found.explanation:
        yield ""
        yield f"Explained by {found.explanation.since}."
    yield ""
    yield words.verdict(found)


def _section(title: str, lines: Iterable[Line], shows_what: bool = True) -> Iterator[str]:
    lines = list(lines)
    if not lines:
        return
    yield ""
    yield title
    wide = max(len(line.what) for line in lines)
    name = max(len(line.name) for line in lines)
    for line in lines:
        start = f"{line.what:{wide}}  " if shows_what else ""
        told = "; ".join(filter(None, (line.said, line.explained)))
        number = line.name.replace(",", "").isdigit()
        yield f"  {start}{line.name:{'>' if number else '<'}{name}}  {told}".rstrip()
        for example in line.examples:
            yield f"      {_example(example)}"


def _example(example: words.Example) -> str:
    key = words.key_of(example)
    if example.old is None and example.new is None:
        return key
    change = f"{words.value(example.old)} → {words.value(example.new)}"
    return f"{key}: {change}" if key else change
