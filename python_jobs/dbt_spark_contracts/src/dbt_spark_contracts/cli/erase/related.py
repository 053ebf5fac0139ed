"""Which columns may hold a column's values, by column lineage."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from dbt_spark_contracts.cli.lineage.project import CannotShow, Lineage, Place, close, place_of
from dbt_spark_contracts.lineage.record import Origin
from dbt_spark_contracts.publish.erase.asked import ORIGIN, SAME, SKIP, TEXT, UNKNOWN

COPY, CONDITION = "copy", "condition"
STORED = ("model", "seed", "snapshot")

# The next places from one, each with how the value comes there.
Steps = Callable[[Place], Iterable[tuple[Place, Origin]]]


@dataclass(frozen=True)
class Related:
    """The columns that may hold the values of some columns.

    Attributes:
        lineage: The project's lineage.
        same: The columns, and copies of them.
        origins: What they were made of, and copies of that.
        texts: What else was made of the same, or of them, so that a text may quote the value.
        unknown: The columns that are not traced.
    """

    lineage: Lineage
    same: frozenset[Place]
    origins: frozenset[Place]
    texts: frozenset[Place]
    unknown: frozenset[Place]

    @property
    def rules(self) -> dict[str, dict[str, str]]:
        """How the value is looked for, by node and column in lower case."""
        return {
            key: {name.lower(): self._rule(Place(key, name)) for name in node.columns}
            for key, node in self.lineage.nodes.items()
            if node.columns
        }

    def _rule(self, place: Place) -> str:
        for places, rule in (
            (self.same, SAME),
            (self.origins, ORIGIN),
            (self.unknown, UNKNOWN),
            (self.texts, TEXT),
        ):
            if place in places:
                return rule
        return SKIP

    @property
    def types(self) -> frozenset[str]:
        """The types of the columns."""
        return frozenset(filter(None, (self.lineage.column(each).data_type for each in self.same)))

    def derived(self, holding: Iterable[Place]) -> dict[Place, str]:
        """Return the columns that were computed from the value, and how.

        They do not hold the value as it is. Of a text that holds it, these are hashes.

        Args:
            holding: The columns in which the value was found.
        """
        found: dict[Place, str] = {}
        for start in sorted(self.same):
            for place, origin in self.lineage.uses.get(start, ()):
                if place not in self.same and origin.kind != CONDITION:
                    found[place] = _said(origin)
        for start in sorted({*holding} & {*self.origins, *self.texts, *self.unknown}):
            for place, origin in self.lineage.uses.get(start, ()):
                if origin.masking:
                    found[place] = _said(origin)
        copies = _reached(found, lambda place: _copies_below(self.lineage, place))
        return found | {place: "copy of one" for place in copies if place not in found}


def _said(origin: Origin) -> str:
    return "hash, count or test" if origin.masking else origin.kind


def find(lineage: Lineage, name: str) -> list[Place]:
    """Return the columns of a name: model.column, or a column of any table.

    Raises:
        CannotShow: If there is none. The message suggests similar names.
    """
    if "." in name:
        return [lineage.find(name)]
    found = [
        Place(node.id, column)
        for node in lineage.nodes.values()
        for column in node.columns
        if column.lower() == name.lower()
    ]
    if not found:
        names = sorted({column for node in lineage.nodes.values() for column in node.columns})
        raise CannotShow(f"no table has a column {name}{close(name, names)}")
    return found


def related(lineage: Lineage, starts: Iterable[Place]) -> Related:
    """Return what may hold the values of these columns."""
    unknown = {
        Place(node.id, column.name)
        for node in lineage.nodes.values()
        if node.kind in STORED
        for column in node.columns.values()
        if column.untraced
    }

    def copies(place: Place) -> Iterator[tuple[Place, Origin]]:
        yield from _copies_above(lineage, place)
        yield from _copies_below(lineage, place)

    same = _reached(starts, copies)
    above = _reached(same, lambda place: _above(lineage, place)) - same
    origins = _reached(above, copies) - same
    below = _reached({*same, *origins, *unknown}, lambda place: _below(lineage, place))
    texts = below - same - origins
    return Related(lineage, *map(frozenset, (same, origins, texts, unknown)))


def _reached(starts: Iterable[Place], steps: Steps) -> set[Place]:
    """Return the places that can be reached, with the starts."""
    found = {*starts}
    left = [*found]
    while left:
        for place, _ in steps(left.pop()):
            if place not in found:
                found.add(place)
                left.append(place)
    return found


def _is_copy(origin: Origin) -> bool:
    return origin.kind == COPY and not origin.masking and not origin.field


def _copies_above(lineage: Lineage, place: Place) -> Iterator[tuple[Place, Origin]]:
    return ((above, how) for above, how in _above(lineage, place) if _is_copy(how))


def _copies_below(lineage: Lineage, place: Place) -> Iterator[tuple[Place, Origin]]:
    return ((below, how) for below, how in _below(lineage, place) if _is_copy(how))


def _above(lineage: Lineage, place: Place) -> Iterator[tuple[Place, Origin]]:
    for origin in lineage.column(place).origins:
        if origin.kind != CONDITION:
            yield place_of(origin), origin


def _below(lineage: Lineage, place: Place) -> Iterator[tuple[Place, Origin]]:
    for below, origin in lineage.uses.get(place, ()):
        if origin.kind != CONDITION and not origin.masking:
            yield below, origin
