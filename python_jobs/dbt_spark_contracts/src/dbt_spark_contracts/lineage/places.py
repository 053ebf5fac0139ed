"""Where a marked column may be: `stays_in` in its meta, in words of dbt's node selection."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache

STAYS_IN = "stays_in"
# `silver_only: true` is `stays_in: schema`: the models of the schema of the column's own table.
SILVER_ONLY = "silver_only"
SCHEMA = "schema"

# In a column: the unique ids of the nodes that may hold its values.
PLACE = "place"
Place = frozenset[str]

# What may hold values. A test's stored failures are in a schema of their own.
HOLDERS = ("model", "seed", "snapshot", "source")


class Places:
    """Where the marked columns of a project may be. Made once for a command.

    Args:
        nodes: dbt's nodes and sources, by unique id.
        select: The unique ids of the nodes that a word of dbt's node selection names.
    """

    def __init__(self, nodes: Mapping[str, dict], select: Callable[[str], Iterable[str]]) -> None:
        self._nodes = nodes
        self._select = cache(lambda word: Place(select(word)))
        self._of_schema = cache(self._find_schema)

    def of(self, node: dict, column: dict) -> Place:
        """The nodes in which a marked column of a node may be; its own is one of them.

        A column that names no place may be in the schema of its table.
        """
        found = Place({node["unique_id"]})
        for word in words(column) or [SCHEMA]:
            found |= self._of_schema(schema(node)) if word == SCHEMA else self._select(word)
        return found

    def _find_schema(self, name: tuple) -> Place:
        return Place(
            unique_id
            for unique_id, node in self._nodes.items()
            if node["resource_type"] in HOLDERS and schema(node) == name
        )


def schema(node: dict) -> tuple:
    """The database and the schema of a node's table."""
    return node.get("database"), node["schema"]


def words(column: dict) -> list[str]:
    """The words of a column's `stays_in`; none, if it has none."""
    told = column["meta"].get(STAYS_IN)
    if isinstance(told, str):
        return [told]
    return [str(word) for word in told] if isinstance(told, list) else []


def said(column: dict) -> str:
    """How a column is marked to stay, as its yml says it; none, if that does not."""
    if named := words(column):
        return f"{STAYS_IN}: {', '.join(named)}"
    return SILVER_ONLY if column["meta"].get(SILVER_ONLY) is True else ""


def told(node: dict, column: str) -> str:
    """The same of a node's column and its fields; of a mark that no yml says, its name."""
    return next(filter(None, map(said, with_fields(node, column))), STAYS_IN)


def place_of(node: dict, column: str) -> Place | None:
    """The nodes in which a column of a project's node may be, and its fields; None if in any."""
    found: Place | None = None
    for each in with_fields(node, column):
        if PLACE in each:
            found = each[PLACE] if found is None else found & each[PLACE]
    return found


def with_fields(node: dict, column: str) -> Iterator[dict]:
    """A node's column and the fields of it that its yml names."""
    wanted = column.lower()
    for each in node["columns"].values():
        name = each["name"].lower()
        if name == wanted or name.startswith(f"{wanted}."):
            yield each
