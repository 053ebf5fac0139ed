"""Edits a yml file at exact positions, so that the rest stays the same byte for byte."""

import json
import re
from typing import Any

import yaml

from dbt_spark_contracts.cli.contract.yml.tree import end_of

_PLAIN = re.compile(r"[A-Za-z_][\w<>(): ,.{}-]*")


class Edits:
    """Collects changes and applies them together.

    Args:
        text: The text of the file.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._made: list[tuple[int, int, str]] = []

    def __bool__(self) -> bool:
        return bool(self._made)

    def replace(self, node: Any, by: str) -> None:
        """Replace a node's own text."""
        self._made.append((node.start_mark.index, end_of(node, self.text), by))

    def add_key(self, mapping: Any, key: str, value: str, after: Any = None) -> None:
        """Add a key to a mapping, below the node `after`, or at its end."""
        last = after if after is not None else mapping.value[-1][1] if mapping.value else None
        if mapping.flow_style or last is None:
            is_first = last is None
            at = mapping.end_mark.index - 1 if is_first else end_of(last, self.text)
            self._made.append((at, at, f"{'' if is_first else ', '}{key}: {value}"))
        else:
            indent = " " * mapping.start_mark.column
            self._add_line(
                self._end(mapping, last), f"{indent}{key}: {value}".replace(": \n", ":\n", 1)
            )

    def add_lines(self, after: Any, lines: list[str]) -> None:
        """Add whole lines below a node of block style."""
        self._add_line(end_of(after, self.text), "\n".join(lines))

    def add_item(self, sequence: Any, value: str) -> None:
        """Add an item in flow style to a list."""
        if sequence.flow_style:
            at = end_of(sequence.value[-1], self.text) if sequence.value else None
            at = sequence.end_mark.index - 1 if at is None else at
            self._made.append((at, at, f"{', ' if sequence.value else ''}{value}"))
        else:
            indent = " " * sequence.start_mark.column
            self._add_line(end_of(sequence.value[-1], self.text), f"{indent}- {value}")

    def remove_item(self, sequence: Any, item: Any) -> None:
        """Remove an item of a list of block style: its lines, and no comment above them."""
        start = self.text.rfind("\n", 0, item.start_mark.index) + 1
        end = self.text.find("\n", end_of(item, self.text))
        self._made.append((start, len(self.text) if end < 0 else end + 1, ""))

    def made(self) -> str:
        """Return the text with all changes."""
        text = self.text
        numbered = sorted(enumerate(self._made), key=lambda each: (each[1][0], each[0]))
        for _, (start, end, by) in reversed(numbered):
            text = text[:start] + by + text[end:]
        return text

    def _end(self, mapping: Any, value: Any) -> int:
        """Return where a value of a mapping ends. For an empty value, where its key ends."""
        if value.start_mark.index == value.end_mark.index:
            return next(key for key, own in mapping.value if own is value).end_mark.index + 1
        return end_of(value, self.text)

    def _add_line(self, after: int, line: str) -> None:
        end = self.text.find("\n", after)
        at = len(self.text) if end < 0 else end
        self._made.append((at, at, f"\n{line}"))


def scalar(value: Any, quote: bool = False) -> str:
    """Return a value in flow style, on one line.

    Args:
        value: A text, a number, a list or a dict.
        quote: Whether to always quote a text.
    """
    if isinstance(value, dict):
        return "{" + ", ".join(f"{scalar(k)}: {scalar(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(scalar, value))}]"
    if not isinstance(value, str):
        return json.dumps(value)
    if not quote and _PLAIN.fullmatch(value) and _reads_as(f"[{value}]", [value]):
        return value
    return json.dumps(value, ensure_ascii=False)


def data_type(value: str) -> str:
    """Return a data type as a value in block style, where a comma needs no quotes."""
    return value if _reads_as(f"x: {value}", {"x": value}) else json.dumps(value)


def _reads_as(text: str, value: Any) -> bool:
    try:
        return yaml.safe_load(text) == value
    except yaml.YAMLError:
        return False
