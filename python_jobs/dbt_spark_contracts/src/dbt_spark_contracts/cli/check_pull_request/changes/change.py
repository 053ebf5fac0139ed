"""One difference between the base and the working tree."""

from dataclasses import dataclass, field
from enum import Enum


class Reach(Enum):
    """How far a difference reaches in a node that it stands in."""

    # What it does shows in no plan: all columns and rows may be others.
    ALL = "all"
    # It is a part of the node's query: the plan shows which columns and rows.
    QUERY = "query"
    # It may be handed to the node: only what the plan shows.
    PLAN = "plan"
    # Readers find the node elsewhere, or another one; its values are the same.
    NAME = "name"


@dataclass
class Change:
    """One difference.

    Attributes:
        kind: What is another: access, allowance, code, config, environment, exposure, gone, guard,
            import, macro, moved, new, profile, project, seed, test, var.
        text: What, in one line.
        file: The file where it stands, or stood; "" if there is no single one.
        reaches: The nodes that it stands in, and how far it reaches there.
        columns: Of those nodes, the only columns that differ, if it is known that rows do not.
        details: More lines.
    """

    kind: str
    text: str
    file: str = ""
    reaches: dict[str, Reach] = field(default_factory=dict)
    columns: list[str] | None = None
    details: list[str] = field(default_factory=list)
