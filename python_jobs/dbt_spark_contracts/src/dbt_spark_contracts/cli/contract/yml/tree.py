"""A yml file as a tree of nodes, each with its place in the text.

PyYAML's own tree has a place for every node but an alias (`*name`), which it replaces by what it
stands for.
"""

from collections.abc import Iterator
from typing import Any

import yaml

MERGE = "tag:yaml.org,2002:merge"
LISTS = "tag:yaml.org,2002:seq"


class AliasNode(yaml.nodes.Node):
    """An alias, where it stands.

    Attributes:
        value: The node that it stands for.
    """

    id = "alias"


class _Loader(yaml.SafeLoader):
    def compose_node(self, parent: Any, index: Any) -> Any:
        if not self.check_event(yaml.events.AliasEvent):
            return super().compose_node(parent, index)
        event = self.peek_event()
        node = super().compose_node(parent, index)
        return AliasNode("", node, event.start_mark, event.end_mark)


def compose(text: str) -> "yaml.nodes.Node | None":
    """The tree of a text; None if it holds nothing. Raises yaml.YAMLError for what is no YAML."""
    return _Loader(text).get_single_node()


def value_of(mapping: "yaml.nodes.Node | None", key: str) -> Any:
    """The value of a key that the mapping itself has; None if it has none."""
    if not isinstance(mapping, yaml.MappingNode):
        return None
    return next((value for name, value in mapping.value if name.value == key), None)


def read(mapping: Any, key: str) -> Any:
    """The same, or that of a mapping which it merges (`<<: *name`)."""
    mapping = target(mapping)
    if (own := value_of(mapping, key)) is not None:
        return target(own)
    for name, value in mapping.value if isinstance(mapping, yaml.MappingNode) else ():
        if name.tag == MERGE:
            value = target(value)
            merged = value.value if value.tag == LISTS else [value]
            found = next((each for one in merged if (each := read(one, key)) is not None), None)
            if found is not None:
                return found
    return None


def target(node: Any) -> Any:
    """The node, or what it stands for."""
    return node.value if isinstance(node, AliasNode) else node


def items(sequence: "yaml.nodes.Node | None") -> "list[yaml.nodes.Node]":
    """The nodes of a list; none if it is no list."""
    return sequence.value if isinstance(sequence, yaml.SequenceNode) else []


def walk(node: Any) -> Iterator[Any]:
    """The node and all below it; what an alias stands for is not below it."""
    yield node
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from walk(key)
            yield from walk(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from walk(value)


def end_of(node: Any, text: str) -> int:
    """Where the node's own text ends: not the blank lines and comments that follow it."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        key, value = last if isinstance(last, tuple) else (None, last)
        is_empty = isinstance(value, yaml.ScalarNode) and value.value == "" and value.style is None
        return key.end_mark.index if key is not None and is_empty else end_of(value, text)
    return len(text[: node.end_mark.index].rstrip())
