"""The report as one page that needs no network and runs no script.

All content from the tables is escaped. A content security policy allows only the page's own style.
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
    """Return the page as HTML."""
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
        columns=_section("Columns", words.columns(found)),
        rows=_section(f"Rows, by {words.key(found)}", words.of_rows(found)),
        values=_section("Values", words.changed(found)),
        since=f"<footer>Explained by {_text(since)}.</footer>" if since else "",
    )
    # A lone surrogate cannot be encoded.
    return page.encode("utf-8", "replace").decode("utf-8")


def _part(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _text(text: str) -> str:
    """Return a text as HTML. Characters that change the text direction are shown escaped."""
    return f"<bdi>{escape(harmless(text))}</bdi>"


def _section(title: str, lines: Iterable[Line]) -> str:
    body = "".join(map(_line, lines))
    return f"<section><h2>{_text(title)}</h2>{body}</section>" if body else ""


def _line(line: Line) -> str:
    kind = "different" if line.is_difference else "equal"
    parts = [f"<p>{_text(line.said)}</p>"] if line.said else []
    parts += [f'<p class="explained">{_text(line.explained)}</p>'] if line.explained else []
    parts += [f'<p class="example">{_example(each)}</p>' for each in line.examples]
    return (
        f'<div class="line {kind}"><span class="what">{_text(line.what)}</span>'
        f'<span class="name">{_text(line.name)}</span><div>{"".join(parts)}</div></div>'
    )


def _example(example: Example) -> str:
    key = f'<span class="key">{_text(words.key_of(example))}</span> ' if example.key else ""
    if example.old is None and example.new is None:
        return key
    return f"{key}{_value(example.old, 'old')} → {_value(example.new, 'new')}"


def _value(text: str | None, side: str) -> str:
    null = " null" if text is None else ""
    return f'<span class="{side}{null}">{_text(words.value(text))}</span>'
