"""The problems that a check finds, and the reasons why it cannot run."""

from dataclasses import dataclass, field
from typing import NamedTuple


class CannotCheck(Exception):
    """The check cannot run. The message is one line."""


class Place(NamedTuple):
    """Where a problem shows: a file of the repository or "", a line, and a message."""

    file: str
    line: int
    text: str


@dataclass
class Problem:
    """One problem.

    Attributes:
        rule: The kind of problem, a key of RULES.
        title: The problem in a few words.
        places: Where it shows.
        details: More lines, as Markdown.
    """

    rule: str
    title: str
    places: list[Place]
    details: list[str] = field(default_factory=list)


# The kinds of problems, for JSON and SARIF.
RULES = {
    "parse": "The project does not parse.",
    "node-failed": "A model, a seed, a snapshot or a data test fails in a build without rows.",
    "contract": "A model's query does not have the columns that its contract names.",
    "leak": "A model returns a column that must stay where it is.",
    "key": "A model's query has more rows than a key of its contract allows.",
    "breaking-change": "A contract that readers rely on changes.",
    "moved": "A model with a contract gets another schema or name, so readers lose its table.",
    "lost-mark": "A column loses the mark that keeps it from readers.",
    "no-contract": "A model has no contract in a schema where contracts are required.",
    "exposure": "An exposure reads a column that does not exist.",
}
