"""A column's lineage as a text tree: up to its roots, or down to its readers."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from textwrap import wrap

from dbt_spark_contracts.cli.lineage.project import (
    COLUMN_KINDS,
    ROW_KINDS,
    Lineage,
    Place,
    place_of,
)
from dbt_spark_contracts.lineage.record import Origin

# Words for the downstream direction.
USES = {
    "copy": "copied to",
    "computed": "used to compute",
    "aggregated": "aggregated into",
    "condition": "decides",
    "window": "is in the window of",
}
ROW_USES = {"filter": "filters", "join": "joins", "group": "groups", "sort": "sorts"}
ROOTS = {"seed": "(seed)", "source": "(source)", "table": "(a table unknown to dbt)"}
SEEN = "(see above)"


def upstream(
    lineage: Lineage, place: Place, width: int = 100, has_rows: bool = True
) -> Iterator[str]:
    """Yield the tree of a column's origins, line by line.

    Args:
        lineage: The project's lineage.
        place: The column.
        width: The maximum width of a line.
        has_rows: Whether to show the columns that select the rows on the way.
    """
    yield from title(lineage, place, width)
    seen = {place: None}  # a dict keeps the order
    yield from above(lineage, place, "", seen, width)
    on_the_way = unique(each.node for each in seen)
    if has_rows:
        yield from rows(lineage, on_the_way, width)
    yield from changed(lineage, on_the_way, width)


def downstream(
    lineage: Lineage, place: Place, width: int = 100, has_rows: bool = True
) -> Iterator[str]:
    """Yield the tree of what is computed from a column, down to the exposures.

    Args:
        lineage: The project's lineage.
        place: The column.
        width: The maximum width of a line.
        has_rows: Whether to show the models whose rows it selects.
    """
    yield from title(lineage, place, width)
    seen: dict[Place, None] = {place: None}
    read: set = set()
    yield from below(lineage, place, "", seen, read, width)
    if has_rows:
        yield from row_effects(lineage, seen, width)
    yield from perhaps(lineage, seen, width)
    yield from changed(lineage, unique(each.node for each in seen), width)


def title(lineage: Lineage, place: Place, width: int) -> Iterator[str]:
    """Yield the column itself: its name, type, marks and description."""
    yield described(lineage, place)
    yield from wrap(
        lineage.column(place).description, width, initial_indent="", break_on_hyphens=False
    )


def described(lineage: Lineage, place: Place) -> str:
    """Return a column in one line: model.column  type  [marks]  (seed)."""
    column, kind = lineage.column(place), lineage.nodes[place.node].kind
    marks = [f"[{mark}]" for mark in column.marks]
    root = ROOTS.get(kind, "")
    return "  ".join(filter(None, [lineage.name(place), column.data_type, *marks, root]))


def above(
    lineage: Lineage, place: Place, indent: str, seen: dict[Place, None], width: int
) -> Iterator[str]:
    """Yield the branches of a column's origins. `seen` holds the printed places."""
    column = lineage.column(place)
    by_place = grouped(column.origins)
    unknown = [f"? cannot be traced completely: {reason}" for reason in column.untraced]
    if column.known:
        unknown = [read_by_code(lineage, place.node)]
    branches = len(by_place) + len(unknown)
    if not branches:
        yield from fork(nothing_above(lineage, place), indent, True, width)
    for number, (origin, how) in enumerate(by_place.items(), 1):
        last = number == branches
        text = f"{how} {described(lineage, origin)}"
        again = origin in seen
        if again and has_more(lineage, origin):
            text += f"  {SEEN}"
        yield from fork(text, indent, last, width)
        if not again:
            seen[origin] = None
            if has_more(lineage, origin):
                yield from above(lineage, origin, indent + stem(last), seen, width)
    for number, reason in enumerate(unknown, len(by_place) + 1):
        yield from fork(reason, indent, number == branches, width)


def read_by_code(lineage: Lineage, node: str) -> str:
    """Return the line for sources that a model's own code reads, which no plan shows."""
    names = [lineage.nodes[key].label for key in lineage.nodes[node].sources]
    return f"read by the model's code from {', '.join(names)}  {ROOTS['source']}"


def has_more(lineage: Lineage, place: Place) -> bool:
    """Return whether a place has branches of its own in the upstream tree."""
    column = lineage.column(place)
    return bool(column.origins or column.untraced or place.node in lineage.recorded)


def nothing_above(lineage: Lineage, place: Place) -> str:
    """Return why a column has no origin."""
    if place.node in lineage.recorded:
        return "no origin: a constant, or a value of the run"
    return "a root: no dbt model creates it"


def grouped(origins: Iterable[Origin]) -> dict[Place, str]:
    """Return each place once, with all its kinds in words."""
    by_place = defaultdict(list)
    for origin in origins:
        by_place[place_of(origin)].append(origin)
    return {place: in_words(each, COLUMN_KINDS) for place, each in by_place.items()}


def in_words(
    origins: Iterable[Origin], words: dict[str, str], of_part: str = "its {part} {how}"
) -> str:
    """Return how one column comes from another: copy of and decided by, its a, b computed from."""
    parts = defaultdict(list)
    for origin in origins:
        parts[origin.kind, bool(origin.field)].append(origin.field)
    texts = [
        of_part.format(part=", ".join(unique(fields)), how=words[kind]) if has_part else words[kind]
        for (kind, has_part), fields in parts.items()
    ]
    return " and ".join(texts)


def rows(lineage: Lineage, nodes: Iterable[str], width: int) -> Iterator[str]:
    """Yield the columns that select the rows of each node."""
    lines = []
    for node in (lineage.nodes[name] for name in nodes):
        told = by_kind(lineage, node.rows.origins)
        if node.sources and node.rows.untraced:
            told.append(read_by_code(lineage, node.id))
        else:
            told += [f"? cannot be traced completely: {reason}" for reason in node.rows.untraced]
        if told:
            lines += fork(f"{node.label}: {'; '.join(told)}", "", None, width)
    if lines:
        yield from ("", "Rows, and therefore all columns, of:", *lines)


def by_kind(lineage: Lineage, origins: Iterable[Origin]) -> list[str]:
    """Return row origins in words, one text per kind: filtered by silver.a, b, bronze.c."""
    texts = []
    for kind, how in ROW_KINDS.items():
        columns = defaultdict(list)
        for origin in origins:
            if origin.kind == kind:
                columns[origin.node].append(origin.column)
        names = [
            f"{lineage.nodes[node].label}.{', '.join(unique(each))}"
            for node, each in columns.items()
        ]
        texts += [f"{how} {', '.join(names)}"] if names else []
    return texts


def below(
    lineage: Lineage,
    place: Place,
    indent: str,
    seen: dict[Place, None],
    read: set[str],
    width: int,
) -> Iterator[str]:
    """Yield the branches below a column. `read` holds the nodes whose exposures are printed."""
    by_place = defaultdict(list)
    for user, origin in lineage.uses.get(place, []):
        by_place[user].append(origin)
    exposures = []
    if place.node not in read:
        read.add(place.node)
        exposures = [each for each in lineage.exposures if place.node in each.reads]
    branches = len(by_place) + len(exposures)
    if not indent and not branches:
        yield from fork("nothing depends on it: no column, no exposure", "", True, width)
    for number, (user, origins) in enumerate(by_place.items(), 1):
        last = number == branches
        again = user in seen
        more = lineage.uses.get(user) or any(user.node in each.reads for each in lineage.exposures)
        how = in_words(origins, USES, "{how} the {part} of")
        text = f"{how} {described(lineage, user)}"
        yield from fork(text + (f"  {SEEN}" if again and more else ""), indent, last, width)
        if not again:
            seen[user] = None
            yield from below(lineage, user, indent + stem(last), seen, read, width)
    for number, exposure in enumerate(exposures, len(by_place) + 1):
        model = lineage.nodes[place.node].label
        text = f"{model} is read by the {exposure.kind} {exposure.label}"
        yield from fork(text, indent, number == branches, width)


def row_effects(lineage: Lineage, places: Iterable[Place], width: int) -> Iterator[str]:
    """Yield the models whose rows the columns select, and their readers."""
    ways: dict = defaultdict(lambda: defaultdict(list))
    for place in sorted(places, key=lineage.name):
        for node, origin in lineage.row_uses.get(place, []):
            ways[node][lineage.name(place)].append(ROW_USES[origin.kind])
    if ways:
        yield from ("", "Rows, and therefore all columns, of:")
    for node, deciders in ways.items():
        told = [f"{name} {' and '.join(unique(hows))}" for name, hows in deciders.items()]
        line = f"{lineage.nodes[node].label}: {'; '.join(told)}"
        if readers := all_readers(lineage, node):
            line += f" (and therefore its readers: {', '.join(readers)})"
        yield from fork(line, "", None, width)


def all_readers(lineage: Lineage, node: str) -> list[str]:
    """Return the direct and indirect readers of a node: models, then exposures."""
    found = reading(lineage, node)
    names = [lineage.nodes[each].label for each in found[1:]]
    return names + [each.label for each in lineage.exposures if set(each.reads) & set(found)]


def reading(lineage: Lineage, node: str) -> list[str]:
    """Return the node and all that read it, directly or indirectly."""
    found = [node]
    for each in found:
        found += sorted(lineage.readers.get(each, set()) - set(found))
    return found


def perhaps(lineage: Lineage, places: Iterable[Place], width: int) -> Iterator[str]:
    """Yield the columns with incomplete lineage that may depend on these."""
    places = set(places)
    readers = {each for place in places for each in reading(lineage, place.node)[1:]}
    nodes = [node for key, node in lineage.nodes.items() if key in readers]
    names = [
        f"{node.label}.{column.name}"
        for node in nodes
        for column in node.columns.values()
        if column.untraced and Place(node.id, column.name) not in places
    ]
    names += [f"the rows of {node.label}" for node in nodes if node.rows.untraced]
    if names:
        yield from ("", "Possibly also, because these cannot be traced completely:")
        yield from fork(", ".join(names), "", None, width)


def changed(lineage: Lineage, nodes: Iterable[str], width: int) -> Iterator[str]:
    """Warn about models whose files have changed since the recording."""
    names = [lineage.nodes[node].label for node in nodes if lineage.nodes[node].changed]
    if names:
        text = f"Changed since this was recorded, so possibly outdated: {', '.join(names)}"
        yield from ("", *wrap(text, width, break_on_hyphens=False))


def fork(text: str, indent: str, last: bool | None, width: int) -> list[str]:
    """Return a text as a branch of the tree, wrapped if long. With `last` None, it is no branch."""
    first = "  " if last is None else "└── " if last else "├── "
    rest = "      " if last is None else stem(last) + "  "
    room = max(width, len(indent) + 50)  # deep down, a long line is more readable than a narrow one
    lines = wrap(
        text,
        room,
        initial_indent=indent + first,
        subsequent_indent=indent + rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return lines


def stem(last: bool) -> str:
    """Return the prefix below a branch, before its own branches."""
    return "    " if last else "│   "


def unique(items: Iterable) -> list:
    """Return each item once, in order."""
    return list(dict.fromkeys(items))
