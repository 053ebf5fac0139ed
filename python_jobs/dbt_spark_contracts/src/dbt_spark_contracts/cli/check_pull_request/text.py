"""Text by others as part of Markdown: names, owners, rows, messages."""

import re


def inline(text: object) -> str:
    """Return a text as one line of Markdown, without HTML, links, images or mentions."""
    line = " ".join(str(text).split())
    line = re.sub(r"(<|\](?=\())", r"\\\1", line)
    # GitHub would notify a user whose name follows an "@".
    return re.sub(r"(?<!\w)@(?=\w)", "@\u2060", line)


def cell(text: object) -> str:
    """Return the same, for a table cell."""
    return inline(text).replace("|", r"\|")


def fenced(lines: list[str]) -> list[str]:
    """Return the lines in a code fence that none of them closes."""
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}text", *lines, fence]
