"""Parses a yml file into a tree of nodes with their positions in the text.

PyYAML's own tree has no positions of aliases (`*name`), because it replaces them by their anchors.
"""

from collections.abc import Iterator
from typing import Any

import yaml

MERGE = "tag:yaml.org,2002:merge"
LISTS = "tag:yaml.org,2002:seq"


class AliasNode(yaml.nodes.Node):
    """An alias, with its own position.

    Attributes:
        value: The node of its anchor.
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
    """Return the tree of a text, or None if it is empty.

    Raises:
        yaml.YAMLError: If it is not valid YAML.
    """
    return _Loader(text).get_single_node()


def value_of(mapping: "yaml.nodes.Node | None", key: str) -> Any:
    """Return the value of a mapping's own key, or None."""
    if not isinstance(mapping, yaml.MappingNode):
        return None
    return next((value for name, value in mapping.value if name.value == key), None)


def read(mapping: Any, key: str) -> Any:
    """Return the value of a mapping's own key, or of a mapping that it merges (`<<: *name`)."""
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
    """Return the node, or the node of its anchor if it is an alias."""
    return node.value if isinstance(node, AliasNode) else node


def items(sequence: "yaml.nodes.Node | None") -> "list[yaml.nodes.Node]":
    """Return the nodes of a list. Empty if it is not a list."""
    return sequence.value if isinstance(sequence, yaml.SequenceNode) else []


def walk(node: Any) -> Iterator[Any]:
    """Yield the node and all nodes below it. Aliases are not followed."""
    yield node
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from walk(key)
            yield from walk(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from walk(value)


def end_of(node: Any, text: str) -> int:
    """Return where the node's own text ends, before the blank lines and comments after it."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        key, value = last if isinstance(last, tuple) else (None, last)
        is_empty = isinstance(value, yaml.ScalarNode) and value.value == "" and value.style is None
        return key.end_mark.index if key is not None and is_empty else end_of(value, text)
    return len(text[: node.end_mark.index].rstrip())
