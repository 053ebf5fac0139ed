"""The steps of a plan, and the expressions in them, as trees."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, eq=False)
class Tree:
    """A step of a plan, or an expression.

    Attributes:
        kind: The name of its class in Spark, without the package.
        fields: Its fields, as Spark writes them as JSON: an expression is a list of nodes. Of the
            steps that `nodes.py` reads some are left out, and others say the same in short.
        children: The steps that it takes its rows from; the inputs of an expression.
        worked_out: What has been told of it, by who tells it: it is asked for many times.
    """

    kind: str
    fields: dict
    children: "tuple[Tree, ...]"
    worked_out: dict = field(default_factory=dict, repr=False)

    @property
    def id(self) -> int | None:
        """Spark's number of the column that it is or names; None if it is no such expression."""
        number = self.fields.get("exprId")
        return number["id"] if isinstance(number, dict) else None

    def expressions(self, *names: str) -> "list[Tree]":
        """The expressions in those of its fields that hold one, or a list of them."""
        if len(names) == 1:
            return self._expressions(names[0])
        return [tree for name in names for tree in self._expressions(name)]

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

    def upwards(self) -> "Iterator[Tree]":
        """All that is below it, from left to right, each after its children; then itself."""
        return reversed([*self.walk()])

    def _expressions(self, name: str) -> "list[Tree]":
        if name not in self.worked_out:
            value = self.fields.get(name)
            self.worked_out[name] = _listed(value) if isinstance(value, list) else []
        return self.worked_out[name]


def read(nodes: Sequence[dict]) -> Tree:
    """The tree that a list of nodes spells as Spark's JSON does, each before its children."""
    trees: list[Tree] = []
    for node in reversed(nodes):  # each finds its children done, however deep they go
        children = tuple(trees.pop() for _ in range(node["num-children"]))
        trees.append(Tree(kind_of(node["class"]), node, children))
    return trees.pop()


def names(text: str) -> frozenset[str]:
    """The names of classes of Spark's that a text lists."""
    return frozenset(text.split())


def kind_of(class_name: str) -> str:
    """The name of a class, without its package."""
    return re.split(r"[.$]", class_name.rstrip("$"))[-1]


def _listed(value: list) -> list[Tree]:
    if value and isinstance(value[0], dict):
        return [read(value)]
    return [
        read(one) for one in value if isinstance(one, list) and one and isinstance(one[0], dict)
    ]
