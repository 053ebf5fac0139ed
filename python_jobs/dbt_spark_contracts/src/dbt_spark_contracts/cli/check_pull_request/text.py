"""Texts that others wrote, as a part of Markdown: names, owners, rows, messages."""

import re


def inline(text: object) -> str:
    """A text as one line of Markdown that shows it, and makes no HTML, link, image or mention."""
    line = " ".join(str(text).split())
    line = re.sub(r"(<|\](?=\())", r"\\\1", line)
    # A name after "@" would have GitHub write to whoever is called so.
    return re.sub(r"(?<!\w)@(?=\w)", "@\u2060", line)


def cell(text: object) -> str:
    """The same, in a table."""
    return inline(text).replace("|", r"\|")


def fenced(lines: list[str]) -> list[str]:
    """Lines as they are, in a fence that none of them ends."""
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}text", *lines, fence]
