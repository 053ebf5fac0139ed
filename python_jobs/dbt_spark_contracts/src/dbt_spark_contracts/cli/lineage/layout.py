"""The layout of the page: a lane per layer, a box per node, and a row per column.

The same lineage always gives the same picture. All numbers are pixels at zoom 1.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from dbt_spark_contracts.cli.lineage.project import Exposure, Lineage, Node

ROW = 22  # height of a column's row
HEAD = 30  # height of a box's head, with the model's name
LETTER = 7.3  # width of a letter
GAP = 36  # vertical distance between boxes
BETWEEN = 150  # horizontal distance between boxes, with room for the edges
PADDING = 40  # of a lane
LANE_HEAD = 60
SHAPE = 1.4  # width to height of the space on a screen


@dataclass
class Box:
    """A node or an exposure: its corner, size and lane."""

    id: str
    width: float
    height: float
    lane: str
    x: float = 0
    y: float = 0


@dataclass
class Lane:
    """A layer's lane: its corner and size."""

    label: str
    x: float
    width: float
    y: float
    height: float


def lay_out(lineage: Lineage) -> tuple[list[Lane], dict[str, Box]]:
    """Return the lanes from left to right, and the boxes by their ids."""
    above = inputs(lineage)
    ranks = depths(above)
    boxes = {node.id: of_node(node) for node in lineage.nodes.values()}
    boxes |= {each.id: of_exposure(each) for each in lineage.exposures}
    pull_roots(ranks, above, boxes)
    stacks = stacked(boxes, ranks)
    for stack in stacks:  # left to right, so that what feeds a box has its place
        in_order(stack, above, boxes)
    return place(best_shape(stacks))


def inputs(lineage: Lineage) -> dict[str, set[str]]:
    """Return what each node and exposure reads."""
    above = defaultdict(set)
    for node, readers in lineage.readers.items():
        for reader in readers - {node}:
            above[reader].add(node)
    above |= {each.id: set(each.reads) for each in lineage.exposures}
    return {key: above.get(key, set()) & lineage.nodes.keys() for key in [*lineage.nodes, *above]}


def depths(above: dict[str, set[str]]) -> dict[str, int]:
    """Return the longest distance of each node to a root. Cycles are cut where they are found."""
    found: dict[str, int] = {}
    open_ones: set[str] = set()

    def depth(key: str) -> int:
        if key not in found:
            open_ones.add(key)
            steps = [depth(each) for each in sorted(above[key]) if each not in open_ones]
            open_ones.discard(key)
            found[key] = 1 + max(steps, default=-1)
        return found[key]

    for key in sorted(above):
        depth(key)
    return found


def pull_roots(ranks: dict[str, int], above: dict[str, set[str]], boxes: dict[str, Box]) -> None:
    """Move each root, such as a seed, next to its first reader.

    A node without any connection goes to the end of its lane.
    """
    alone = []
    for key in [key for key, reads in above.items() if not reads]:
        readers = [ranks[each] for each, reads in above.items() if key in reads]
        if not readers:
            alone.append(key)
        elif boxes[key].lane != "sources":
            ranks[key] = max(0, min(readers) - 1)
    for key in alone:
        lane = [ranks[each] for each in boxes if boxes[each].lane == boxes[key].lane]
        ranks[key] = max(lane)


def of_node(node: Node) -> Box:
    """Return a node's box, as wide as its longest line."""
    rows = [len(each.name) + len(each.data_type[:14]) + 4 for each in node.columns.values()]
    letters = max([len(node.label) * 1.15, *rows])
    return Box(node.id, size(letters), HEAD + ROW * len(node.columns), node.layer)


def of_exposure(exposure: Exposure) -> Box:
    """Return an exposure's box, which has only a head."""
    letters = len(exposure.label) * 1.15
    return Box(exposure.id, size(letters), HEAD + ROW, "exposures")


def size(letters: float) -> float:
    """Return the width of a box with this many letters."""
    return round(max(150, letters * LETTER + 34))


def stacked(boxes: dict[str, Box], ranks: dict[str, int]) -> list[list[Box]]:
    """Return the boxes as stacks from left to right: by lane, then by rank."""
    lanes: dict = defaultdict(lambda: defaultdict(list))
    for box in boxes.values():
        lanes[box.lane][ranks[box.id]].append(box)

    def where(lane: str) -> tuple:
        of_lane = [rank for rank, stack in lanes[lane].items() for _ in stack]
        return lane == "exposures", lane != "sources", sum(of_lane) / len(of_lane), lane

    return [lanes[lane][rank] for lane in sorted(lanes, key=where) for rank in sorted(lanes[lane])]


def in_order(stack: list[Box], above: dict[str, set[str]], boxes: dict[str, Box]) -> None:
    """Sort a stack by the position of each box's inputs, so that fewer edges cross."""

    def middle(box: Box) -> float:
        heights = [boxes[each].y + boxes[each].height / 2 for each in above[box.id]]
        return sum(heights) / len(heights) if heights else 0

    stack.sort(key=lambda box: (middle(box), box.id))
    y = -sum(box.height for box in stack) / 2
    for box in stack:
        box.y = y
        y += box.height + GAP


def best_shape(stacks: list[list[Box]]) -> list[list[Box]]:
    """Split high stacks, so that the page does not become a long strip."""
    tallest = max((box.height for stack in stacks for box in stack), default=0)
    tries = [cut(stacks, max(tallest, 400) * 1.25**step) for step in range(16)]
    return min(tries, key=lambda each: abs(shape(each) - SHAPE))


def cut(stacks: list[list[Box]], limit: float) -> list[list[Box]]:
    """Split each stack so that no part is higher than the limit."""
    parts: list[list[Box]] = []
    for stack in stacks:
        parts.append([])
        for box in stack:
            if parts[-1] and height([*parts[-1], box]) > limit:
                parts.append([])
            parts[-1].append(box)
    return parts


def height(stack: Iterable[Box]) -> float:
    """Return the height of a stack."""
    return sum(box.height + GAP for box in stack) - GAP


def shape(stacks: list[list[Box]]) -> float:
    """Return the ratio of width to height of these stacks, side by side."""
    width = sum(max(box.width for box in stack) + BETWEEN for stack in stacks)
    return width / (max(map(height, stacks), default=0) + LANE_HEAD + PADDING) if stacks else SHAPE


def place(stacks: list[list[Box]]) -> tuple[list[Lane], dict[str, Box]]:
    """Set the corners of all boxes and lanes. Stacks are side by side and vertically centered."""
    full = max(map(height, stacks), default=0)
    lanes: list[Lane] = []
    x = 0.0
    for stack in stacks:
        if not lanes or lanes[-1].label != stack[0].lane:
            lanes.append(
                Lane(stack[0].lane, x - PADDING, 0, -LANE_HEAD, LANE_HEAD + full + PADDING)
            )
        y = (full - height(stack)) / 2
        for box in stack:
            box.x, box.y = x, y
            y += box.height + GAP
        width = max(box.width for box in stack)
        lanes[-1].width = x + width + PADDING - lanes[-1].x
        x += width + BETWEEN
    return lanes, {box.id: box for stack in stacks for box in stack}
