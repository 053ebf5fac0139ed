"""The places where a marked column may be: `stays_in` in its meta, as dbt selectors."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache

STAYS_IN = "stays_in"
# `silver_only: true` means `stays_in: schema`: all models in the schema of the column's table.
SILVER_ONLY = "silver_only"
SCHEMA = "schema"

# The key of a column in the graph: the unique ids of the nodes that may hold its values.
PLACE = "place"
Place = frozenset[str]

# The resource types that hold values. Stored failures of tests are in a separate schema.
HOLDERS = ("model", "seed", "snapshot", "source")


class Places:
    """Finds the places of the marked columns of a project. Created once per command.

    Args:
        nodes: dbt's nodes and sources, by unique id.
        select: Returns the unique ids of the nodes that a selector names.
    """

    def __init__(self, nodes: Mapping[str, dict], select: Callable[[str], Iterable[str]]) -> None:
        self._nodes = nodes
        self._select = cache(lambda word: Place(select(word)))
        self._of_schema = cache(self._find_schema)

    def of(self, node: dict, column: dict) -> Place:
        """Return the nodes that may hold a marked column of a node, including that node.

        A column without `stays_in` may be in the schema of its table.
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
    """Return the database and the schema of a node's table."""
    return node.get("database"), node["schema"]


def words(column: dict) -> list[str]:
    """Return the selectors in a column's `stays_in`. Empty if it has none."""
    told = column["meta"].get(STAYS_IN)
    if isinstance(told, str):
        return [told]
    return [str(word) for word in told] if isinstance(told, list) else []


def said(column: dict) -> str:
    """Return a column's `stays_in` or `silver_only` as in its yml. Empty if it has neither."""
    if named := words(column):
        return f"{STAYS_IN}: {', '.join(named)}"
    return SILVER_ONLY if column["meta"].get(SILVER_ONLY) is True else ""


def told(node: dict, column: str) -> str:
    """Return the same for a node's column and its fields. For an inherited mark, its name."""
    return next(filter(None, map(said, with_fields(node, column))), STAYS_IN)


def place_of(node: dict, column: str) -> Place | None:
    """Return the nodes that may hold a node's column and its fields. None if all may."""
    found: Place | None = None
    for each in with_fields(node, column):
        if PLACE in each:
            found = each[PLACE] if found is None else found & each[PLACE]
    return found


def with_fields(node: dict, column: str) -> Iterator[dict]:
    """Yield a node's column, and those of its fields that its yml names."""
    wanted = column.lower()
    for each in node["columns"].values():
        name = each["name"].lower()
        if name == wanted or name.startswith(f"{wanted}."):
            yield each
