"""The report as one page that needs no network and runs no script.

All that comes from the tables stands in it as text. A content security policy admits the page's own
style and nothing else.
"""

from collections.abc import Iterable
from html import escape
from pathlib import Path
from string import Template

from dbt_spark_contracts.cli.compare.report import words
from dbt_spark_contracts.cli.compare.report.words import Line
from dbt_spark_contracts.cli.compare.result import Comparison
from dbt_spark_contracts.cli.compare.rows import Example
from dbt_spark_contracts.cli.terminal import harmless

HERE = Path(__file__).parent


def html(found: Comparison) -> str:
    """The page, as a text."""
    since = found.explanation.since if found.explanation else ""
    page = Template(_part("page.html")).substitute(
        style=_part("page.css"),
        verdict=_text(words.verdict(found)),
        kind="equal" if found.is_equal else "different",
        old=_text(found.old),
        new=_text(found.new),
        old_size=_text(words.size(found, "old")),
        new_size=_text(words.size(found, "new")),
        notes="".join(f"<p>{_text(note)}</p>" for note in words.notes(found)),
        columns=_section("Columns", words.columns(found), ("", "column", "")),
        rows=_section(
            f"Rows, by {words.key(found)}", words.of_rows(found), ("", "rows", ""), is_number=True
        ),
        values=_section("Values", words.changed(found), ("", "column", "")),
        since=f"<footer>Explained by {_text(since)}.</footer>" if since else "",
    )
    # Half a surrogate pair is no letter.
    return page.encode("utf-8", "replace").decode("utf-8")


def _part(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _text(text: str) -> str:
    """A text as HTML that shows it; what turns the order of letters stands there escaped."""
    return f"<bdi>{escape(harmless(text))}</bdi>"


def _section(
    title: str, lines: Iterable[Line], heads: tuple[str, ...], is_number: bool = False
) -> str:
    body = "".join(_line(line, is_number) for line in lines)
    if not body:
        return ""
    head = "".join(f"<th>{name}</th>" for name in heads)
    table = f"<table><thead><tr>{head}</tr></thead>{body}</table>"
    return f"<section><h2>{_text(title)}</h2>{table}</section>"


def _line(line: Line, is_number: bool) -> str:
    kind = "different" if line.is_difference else "equal"
    number = ' class="number"' if is_number else ""
    explained = f'<p class="explained">{_text(line.explained)}</p>' if line.explained else ""
    said = f"<p>{_text(line.said)}</p>" if line.said else ""
    examples = "".join(f"<tr>{_example(each)}</tr>" for each in line.examples)
    shown = f'<table class="examples">{examples}</table>' if examples else ""
    return (
        f'<tbody class="{kind}"><tr><td class="what">{_text(line.what)}</td>'
        f"<td{number}>{_text(line.name)}</td><td>{said}{explained}{shown}</td></tr></tbody>"
    )


def _example(example: Example) -> str:
    key = "".join(f'<td class="key">{_text(words.value(part))}</td>' for part in example.key or ())
    if example.old is None and example.new is None:
        return key
    return f"{key}{_value(example.old, 'old')}<td>→</td>{_value(example.new, 'new')}"


def _value(text: str | None, side: str) -> str:
    null = " null" if text is None else ""
    return f'<td class="{side}{null}">{_text(words.value(text))}</td>'
