"""Places in the project's files, for annotations of a pull request."""

import glob
import os
import re
from pathlib import Path

from dbt_spark_contracts.cli.check_pull_request.problem import Place
from dbt_spark_contracts.cli.check_pull_request.project import Project


class Locator:
    """Finds places in the files of a project.

    Args:
        project: The project.
    """

    def __init__(self, project: Project) -> None:
        self.project = project
        self.within = project.within()

    def file(self, path: str) -> str:
        """Return a file of the project, relative to the repository's root."""
        inside = Path(os.path.relpath(self.project.root / path, self.project.root))
        return (self.within / inside).as_posix() if path else ""

    def named(self, name: str) -> str:
        """Return the only file of the project with this name or ending. "" if it is not unique."""
        if not name:
            return ""
        listed = ("ls-files", "-z", "--cached", "--others", "--exclude-standard")
        ends = (f":(literal){name}", f":(glob)**/{glob.escape(name)}")
        found = {*self.project.git(*listed, "--", *ends).split("\0")} - {""}
        return found.pop() if len(found) == 1 else ""

    def in_yml(self, patch_path: str | None, node: str, column: str, text: str) -> Place:
        """Return the yml file of a node, with the line of its column, or else of the node."""
        file = self.file((patch_path or "").partition("://")[2])
        lines = self.project.read(file) if file else []
        start = _find(rf"^ *- name: {re.escape(node)}$", lines)
        indent = lines[start - 1].index("-") if start else 0
        end = _find(rf"^ {{{indent}}}- ", lines, start) or len(lines)
        found = column and _find(rf"(name: |\*){re.escape(column)}\b", lines[:end], start)
        return Place(file, found or start or 1, text)

    def in_model(self, path: str, column: str, text: str) -> Place:
        """Return a model's file, with the line that outputs a column, or its select or return."""
        file = self.file(path)
        lines = self.project.read(file)
        put_out = rf"""(^\s*["']?(\w+\.)?|\bas |alias\(["']){re.escape(column)}["']?\)?,?$"""
        for pattern in (put_out, r"\bselect\b", r"^    return\b", r"^def model\b"):
            if found := _find(pattern, lines[::-1]):
                return Place(file, len(lines) + 1 - found, text)
        return Place(file, 1, text)

    def in_file(self, path: str, pattern: str, text: str) -> Place:
        """Return the first line of a file that matches the pattern, or else line 1."""
        file = self.file(path)
        return Place(file, _find(pattern, self.project.read(file)) or 1, text)


def _find(pattern: str, lines: list[str], after: int = 0) -> int:
    """Return the number (from 1) of the first matching line after `after`, or 0."""
    numbers = range(after, len(lines))
    return next((number + 1 for number in numbers if re.search(pattern, lines[number])), 0)
