"""Makes dbt's docs pages safe against the texts that they show.

dbt writes a project's texts unescaped into a script of the static page, so a `</script>` in a
description ends the script. Here they are in separate elements, as JSON without a `<`. A content
security policy allows the page's own scripts, by their hashes, and nothing else.
"""

import base64
import hashlib
import json
import re
from pathlib import Path

from dbt_spark_contracts.compat import dbt_docs
from dbt_spark_contracts.dbt_docs import overview

# The pages that dbt writes, and whether they contain the data.
PAGES = {"index.html": False, "static_index.html": True}

_POLICY = '<meta http-equiv="Content-Security-Policy" content="'
_HEAD = '<meta charset="utf-8">'
# dbt's script keeps columns and metas by name, and __proto__ is a possible name.
_FIRST = "<script>delete Object.prototype.__proto__</script>"


def protect(folder: Path) -> None:
    """Rewrite the docs pages that dbt has just written to its target folder.

    Args:
        folder: dbt's target folder.

    Raises:
        DbtRuntimeError: If dbt's page is not the known one.
    """
    _count(folder)
    for name, is_static in PAGES.items():
        file = folder / name
        data = [folder / each for each in dbt_docs.INLINE] if is_static else []
        if all(each.exists() for each in [file, *data]) and not _is_protected(file):
            file.write_text(page(data), encoding="utf-8", newline="\n")


def _count(folder: Path) -> None:
    """Insert counts into the overview, if dbt has written the files that are counted."""
    read = {}
    for name in (*dbt_docs.INLINE, "sources.json"):
        if (folder / name).is_file():
            read[name] = json.loads((folder / name).read_text(encoding="utf-8"))
    if read.keys() >= dbt_docs.INLINE.keys():
        overview.add_to(*(read.get(name, {}) for name in (*dbt_docs.INLINE, "sources.json")))
        text = json.dumps(read["manifest.json"])
        (folder / "manifest.json").write_text(text, encoding="utf-8")


def page(data: list[Path]) -> str:
    """Return the page.

    Args:
        data: The data files to embed. Empty if the page requests them from a server.

    Returns:
        The HTML.

    Raises:
        DbtRuntimeError: If dbt's page is not the known one.
    """
    text = dbt_docs.page()
    elements = []
    for file in data:
        place = dbt_docs.INLINE[file.name]
        if text.count(place) != 1:
            raise dbt_docs.unknown_page()
        text = text.replace(
            place, f'JSON.parse(document.getElementById("{file.name}").textContent)'
        )
        content = as_text_of_a_script(file.read_text(encoding="utf-8"))
        elements.append(f'<script id="{file.name}" type="application/json">{content}</script>')
    start, head, rest = text.partition(_HEAD)
    body, end, nothing = rest.rpartition("</body>")
    if not head or not end:
        raise dbt_docs.unknown_page()
    policy = f'{_POLICY}{policy_of(_FIRST + text)}">'
    return "".join([start, head, policy, _FIRST, body, *elements, end, nothing])


def as_text_of_a_script(text: str) -> str:
    """Return the same JSON with the characters escaped that are special in HTML.

    They occur only in strings, where JSON allows the escape.
    """
    return re.sub("[<>&\u2028\u2029]", lambda found: f"\\u{ord(found[0]):04x}", text)


def policy_of(html: str) -> str:
    """Return the content security policy of a page: only its current scripts may run.

    Pictures and styles may come from anywhere, as in Markdown.
    """
    scripts = re.findall(r"<script(?: defer(?:=\"defer\")?)?>(.*?)</script>", html, re.DOTALL)
    digests = (hashlib.sha256(script.encode()).digest() for script in scripts)
    hashes = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    return f"script-src {hashes}; object-src 'none'; base-uri 'none'; frame-src 'none'"


def _is_protected(file: Path) -> bool:
    with file.open(encoding="utf-8") as opened:
        return _POLICY in opened.read(2000)
