"""The difference between two texts of a file, for people."""

import difflib
from collections.abc import Iterator


def difference(name: str, before: str, after: str) -> Iterator[str]:
    """Return the lines of a unified diff."""
    lines = (before.splitlines(), after.splitlines())
    yield from difflib.unified_diff(*lines, f"a/{name}", f"b/{name}", lineterm="")
