"""The steps of a plan, and the expressions in them, as trees.

In: what Spark writes as JSON, a list of nodes, each before its children.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, eq=False)
class Tree:
    """A step of a plan, or an expression.

    Attributes:
        kind: The name of its class in Spark, without the package.
        fields: Its fields, as Spark writes them: an expression is a list of nodes.
        children: The steps that it takes its rows from; the inputs of an expression.
    """

    kind: str
    fields: dict
    children: "tuple[Tree, ...]"
    _read: "dict[str, list[Tree]]" = field(default_factory=dict, repr=False)

    @property
    def id(self) -> int | None:
        """Spark's number of the column that it is or names; None if it is no such expression."""
        number = self.fields.get("exprId")
        return number["id"] if isinstance(number, dict) else None

    def expressions(self, *names: str) -> "list[Tree]":
        """The expressions in those of its fields that hold one, or a list of them."""
        found = []
        for name in names:
            if name not in self._read:
                self._read[name] = _expressions(self.fields.get(name) or [])
            found += self._read[name]
        return found

    def word(self, name: str) -> str:
        """The field where Spark has one of a few words, as the type of a join."""
        value = self.fields.get(name)
        value = value.get("object", "") if isinstance(value, dict) else value or ""
        return str(value).rstrip("$").rpartition(".")[2]

    def walk(self) -> "Iterator[Tree]":
        """Itself and all that is below it."""
        found = [self]
        while found:
            tree = found.pop()
            yield tree
            found += tree.children


class Once(list):
    """An expression that stands in many steps, and is read once."""

    tree: Tree | None = None


def read(nodes: list[dict]) -> Tree:
    """The tree that a list of nodes spells, each before its children."""
    if not isinstance(nodes, Once):
        return _read(nodes)
    if nodes.tree is None:
        nodes.tree = _read(nodes)
    return nodes.tree


def _read(nodes: list[dict]) -> Tree:
    trees: list[Tree] = []
    for node in reversed(nodes):  # each finds its children done, however deep they go
        children = tuple(trees.pop() for _ in range(node["num-children"]))
        trees.append(Tree(kind_of(node), node, children))
    return trees.pop()


def names(text: str) -> frozenset[str]:
    """The names of classes of Spark's that a text lists."""
    return frozenset(text.split())


def kind_of(node: dict) -> str:
    """The class of a node, without its package."""
    return re.split(r"[.$]", node["class"].rstrip("$"))[-1]


def _expressions(value: object) -> list[Tree]:
    if not isinstance(value, list):
        return []
    if value and isinstance(value[0], dict):
        return [read(value)]
    return [
        read(one) for one in value if isinstance(one, list) and one and isinstance(one[0], dict)
    ]
