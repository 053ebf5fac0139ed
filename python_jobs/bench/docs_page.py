"""The latest figures in docs/performance.md, between markers."""

from pathlib import Path


class NoMarkersError(Exception):
    """The page does not have the two markers of a part."""


def replace_part(page: Path, part: str, text: str) -> None:
    """Replace the text between the markers of a part of a page.

    Args:
        page: The Markdown file.
        part: The part's name: it is between `<!-- bench: PART -->` and `<!-- bench: PART end -->`.
        text: The new text.

    Raises:
        NoMarkersError: If the page has no such part.
    """
    begin, end = f"<!-- bench: {part} -->", f"<!-- bench: {part} end -->"
    before, begun, rest = page.read_text(encoding="utf-8").partition(begin)
    _, ended, after = rest.partition(end)
    if not begun or not ended:
        raise NoMarkersError(f"{page.name} needs a line {begin} and below it a line {end}.")
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")
