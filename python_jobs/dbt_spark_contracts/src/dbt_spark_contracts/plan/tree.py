"""Steps and expressions of a plan, as trees."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, eq=False)
class Tree:
    """A step of a plan, or an expression.

    Attributes:
        kind: The name of its Spark class, without the package.
        fields: Its fields, as Spark writes them in JSON. An expression is a list of nodes.
            `nodes.py` leaves some fields of steps out, and adds shorter ones.
        children: The child steps, or the inputs of an expression.
        worked_out: Cached results, by the function that computed them.
    """

    kind: str
    fields: dict
    children: "tuple[Tree, ...]"
    worked_out: dict = field(default_factory=dict, repr=False)

    @property
    def id(self) -> int | None:
        """Spark's id of the column that it creates or refers to. None if it has none."""
        number = self.fields.get("exprId")
        return number["id"] if isinstance(number, dict) else None

    def expressions(self, *names: str) -> "list[Tree]":
        """Return the expressions in these fields. A field holds one, or a list of them."""
        if len(names) == 1:
            return self._expressions(names[0])
        return [tree for name in names for tree in self._expressions(name)]

    def word(self, name: str) -> str:
        """Return a field that holds one of a few words, such as the type of a join."""
        value = self.fields.get(name)
        value = value.get("object", "") if isinstance(value, dict) else value or ""
        return str(value).rstrip("$").rpartition(".")[2]

    def walk(self) -> "Iterator[Tree]":
        """Yield the tree and everything below it, parents first."""
        found = [self]
        while found:
            tree = found.pop()
            yield tree
            found += tree.children

    def upwards(self) -> "Iterator[Tree]":
        """Return everything below the tree from left to right, children first, then the tree."""
        return reversed([*self.walk()])

    def _expressions(self, name: str) -> "list[Tree]":
        if name not in self.worked_out:
            value = self.fields.get(name)
            self.worked_out[name] = _listed(value) if isinstance(value, list) else []
        return self.worked_out[name]


def read(nodes: Sequence[dict]) -> Tree:
    """Read a tree from nodes in the order of Spark's JSON, parents first."""
    trees: list[Tree] = []
    for node in reversed(nodes):  # children are done already, at any depth
        children = tuple(trees.pop() for _ in range(node["num-children"]))
        trees.append(Tree(kind_of(node["class"]), node, children))
    return trees.pop()


def names(text: str) -> frozenset[str]:
    """Return the Spark class names that a text lists."""
    return frozenset(text.split())


def kind_of(class_name: str) -> str:
    """Return the name of a class without its package."""
    return re.split(r"[.$]", class_name.rstrip("$"))[-1]


def _listed(value: list) -> list[Tree]:
    if value and isinstance(value[0], dict):
        return [read(value)]
    return [
        read(one) for one in value if isinstance(one, list) and one and isinstance(one[0], dict)
    ]
