"""Draws layers, and which layer reads which, as SVG."""

from html import escape

WIDTH, HEIGHT, GAP, MARGIN = 150, 84, 60, 8
# The height of arcs that skip a box, over the boxes, or lead back, under them.
ROOM = 44

_STYLE = (
    "text{font-family:sans-serif;font-size:13px;fill:#333;text-anchor:middle}"
    ".name{font-weight:bold;font-size:15px}"
    "rect{fill:#f5f7f9;stroke:#5b6b7a;stroke-width:1.5}"
    "path{fill:none;stroke:#5b6b7a;stroke-width:1.5}"
)
_HEAD = (
    '<marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
    'orient="auto"><path d="M0 0L10 5L0 10z" style="fill:#5b6b7a;stroke:none"/></marker>'
)


def picture(boxes: list[list[str]], arrows: set[tuple[int, int]]) -> str:
    """Boxes in a row, and arrows between them.

    Args:
        boxes: The lines of each box, from left to right; the first is its name.
        arrows: The places of two boxes each, from and to.

    Returns:
        The SVG.
    """
    over = ROOM if any(end > start + 1 for start, end in arrows) else MARGIN
    under = ROOM if any(end < start for start, end in arrows) else MARGIN
    width = len(boxes) * (WIDTH + GAP) - GAP + 2 * MARGIN
    height = over + HEIGHT + under
    drawn = [_box(_left(number), over, lines) for number, lines in enumerate(boxes)]
    drawn += [_arrow(start, end, over) for start, end in sorted(arrows)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}"><style>{_STYLE}</style><defs>{_HEAD}</defs>'
        f"{''.join(drawn)}</svg>"
    )


def _left(number: int) -> int:
    return MARGIN + number * (WIDTH + GAP)


def _box(left: int, top: int, lines: list[str]) -> str:
    told = [
        f'<text x="{left + WIDTH // 2}" y="{top + 28 + 21 * line}" '
        f'class="{"line" if line else "name"}">'
        f"{escape(text if len(text) <= 18 else text[:17] + '…')}</text>"
        for line, text in enumerate(lines)
    ]
    rect = f'<rect x="{left}" y="{top}" width="{WIDTH}" height="{HEIGHT}" rx="6"/>'
    return rect + "".join(told)


def _arrow(start: int, end: int, top: int) -> str:
    """Return an arrow: straight to the next box, above skipped boxes, or below them if backward."""
    if end == start + 1:
        y = top + HEIGHT // 2
        way = f"M{_left(start) + WIDTH} {y}L{_left(end)} {y}"
    else:
        y, turn = (top, MARGIN) if end > start else (top + HEIGHT, top + HEIGHT + ROOM - MARGIN)
        first, last = _left(start) + WIDTH * 2 // 3, _left(end) + WIDTH // 3
        way = f"M{first} {y}C{first} {turn} {last} {turn} {last} {y}"
    return f'<path d="{way}" marker-end="url(#head)"/>'
