"""One difference between the base and the working tree."""

from dataclasses import dataclass, field
from enum import Enum


class Reach(Enum):
    """How far a difference reaches within a node."""

    # No plan shows the effect: all columns and rows may change.
    ALL = "all"
    # Part of the node's query: the plan shows which columns and rows change.
    QUERY = "query"
    # It may be passed to the node: only what the plan shows changes.
    PLAN = "plan"
    # The node moves or is replaced, but its values stay the same.
    NAME = "name"


@dataclass
class Change:
    """One difference.

    Attributes:
        kind: What differs: access, allowance, code, config, environment, exposure, gone, guard,
            import, macro, moved, new, profile, project, seed, test, var.
        text: The difference, in one line.
        file: The file that has, or had, it. "" if there is no single one.
        reaches: The affected nodes, with the reach in each.
        columns: The only columns that differ, if it is known that rows do not.
        details: More lines.
    """

    kind: str
    text: str
    file: str = ""
    reaches: dict[str, Reach] = field(default_factory=dict)
    columns: list[str] | None = None
    details: list[str] = field(default_factory=list)
