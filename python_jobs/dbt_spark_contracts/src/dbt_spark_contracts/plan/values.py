"""What is known about a value in a plan: its source columns, and how it is made of them."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

# How a value is made of a column.
COPY, COMPUTED, AGGREGATED = DIRECT = ("copy", "computed", "aggregated")
# How else a column affects a value.
CONDITION, WINDOW = ("condition", "window")
FILTER, JOIN, GROUP, SORT = ("filter", "join", "group", "sort")


class Origin(NamedTuple):
    """A column that a value comes from.

    Attributes:
        node: The dbt node, or the table if there is none.
        column: The column.
        kind: How the value is made of the column.
        masking: Whether the value hides the column's: a hash, a count or a test.
        field: The struct field that is the value. Empty for a whole column.
    """

    node: str
    column: str
    kind: str
    masking: bool = False
    field: str = ""

    def as_dict(self) -> dict:
        """Return the origin in the format of column_lineage.json."""
        told = {"node": self.node, "column": self.column, "kind": self.kind}
        masking = {"masking": True} if self.masking else {}
        return told | masking | ({"field": self.field} if self.field else {})


@dataclass(frozen=True)
class Value:
    """What is known about one value, or about the values of one column.

    Attributes:
        origins: The source columns. For a struct, those of the struct as a whole. An array or a map
            has the origins of its elements.
        fields: The fields of a struct.
        untraced: The parts that cannot be traced, in words.
        recipe: A digest of the way the value is made.
    """

    origins: frozenset[Origin] = frozenset()
    fields: "tuple[Value, ...] | None" = None
    untraced: frozenset[str] = frozenset()
    recipe: str = ""

    def whole(self) -> "Value":
        """Return the value with the origins of all its fields combined."""
        if self.fields is None:
            return self
        parts = [field.whole() for field in self.fields]
        return Value(
            self.origins.union(*(part.origins for part in parts)),
            None,
            self.untraced.union(*(part.untraced for part in parts)),
            self.recipe,
        )

    def field(self, position: int) -> "Value":
        """Return the struct field at this position."""
        if self.fields is None:
            return replace(self, origins=frozenset(_inside(self.origins, position)))
        if position >= len(self.fields):
            return self.sealed()
        field = self.fields[position]
        return replace(
            field, origins=field.origins | self.origins, untraced=field.untraced | self.untraced
        )

    def sealed(self) -> "Value":
        """Return the whole value, with positions that no longer match its fields."""
        whole = self.whole()
        return replace(whole, origins=frozenset(_sealed(whole.origins)))

    def used_as(self, kind: str) -> "Value":
        """Return the whole value, used in this way."""
        whole = self.whole()
        weaker = DIRECT[: DIRECT.index(kind)] if kind in DIRECT else None
        return replace(
            whole,
            origins=frozenset(
                origin._replace(kind=kind, masking=False)
                if weaker is None
                else origin._replace(kind=kind)
                if origin.kind in weaker
                else origin
                for origin in whole.origins
            ),
            # A condition on a value passes on none of its untraced parts.
            untraced=frozenset() if kind in (CONDITION, WINDOW) else whole.untraced,
        )

    def masked(self) -> "Value":
        """Return the whole value, hidden by a masking expression."""
        whole = self.whole()
        origins = frozenset(origin._replace(masking=True) for origin in whole.origins)
        return replace(whole, origins=origins)

    def untraceable(self, reason: str) -> "Value":
        """Return the value with a reason why it cannot be fully traced."""
        return replace(self, untraced=self.untraced | {reason})

    def made_by(self, recipe: str) -> "Value":
        """Return the value with this recipe."""
        return replace(self, recipe=recipe)


def merge(values: Iterable[Value]) -> Value:
    """Return what is known about a value that may be any of these. Structs merge by field."""
    values = [value for value in values if value != NOTHING]
    if len(values) == 1:
        return values[0]
    structs = [value.fields for value in values if value.fields is not None]
    if len({len(fields) for fields in structs}) > 1:
        values, structs = [value.whole() for value in values], []
    return Value(
        frozenset().union(*(value.origins for value in values)),
        tuple(merge(fields) for fields in zip(*structs, strict=True)) if structs else None,
        frozenset().union(*(value.untraced for value in values)),
        digest(*(value.recipe for value in values)),
    )


NOTHING = Value()

# The node name of a lambda variable until it is bound. Its column is a path of field positions. The
# seal marks a point from which positions no longer match.
_VARIABLE = "lambda "
_SEALED = "*"


def variable(number: int) -> Value:
    """Return a lambda variable. It stands for the value that `bind` assigns later."""
    return Value(frozenset([Origin(f"{_VARIABLE}{number}", "", COPY)]), recipe="variable")


def bind(value: Value, variables: dict[str, Value]) -> Value:
    """Replace lambda variables by the values they stand for.

    Args:
        value: A value that refers to variables.
        variables: The values, by the variable's node as `variable` names it.

    Returns:
        The value with the variables replaced.
    """
    found = merge(
        _bound(origin, variables[origin.node])
        for origin in value.origins
        if origin.node in variables
    )
    rest = frozenset(origin for origin in value.origins if origin.node not in variables)
    fields = value.fields and tuple(bind(field, variables) for field in value.fields)
    return merge([Value(rest, fields, value.untraced, value.recipe), found]).made_by(value.recipe)


def _bound(origin: Origin, value: Value) -> Value:
    for position in filter(None, origin.column.split(".")):
        value = value.sealed() if position == _SEALED else value.field(int(position))
    used = value if origin.kind == COPY else value.used_as(origin.kind)
    return used.masked() if origin.masking else used


def _inside(origins: Iterable[Origin], position: int) -> Iterable[Origin]:
    """Yield the origins of a field.

    A field of a lambda variable is tracked by its position. A field of a column counts as the whole
    column, and so does a field of anything made of the variable.
    """
    for origin in origins:
        is_open = origin.kind == COPY and not origin.column.endswith(_SEALED)
        is_variable = origin.node.startswith(_VARIABLE) and is_open and not origin.masking
        yield origin._replace(column=f"{origin.column}.{position}") if is_variable else origin


def _sealed(origins: Iterable[Origin]) -> Iterable[Origin]:
    for origin in origins:
        is_variable = origin.node.startswith(_VARIABLE)
        yield origin._replace(column=f"{origin.column}.{_SEALED}") if is_variable else origin


def digest(*parts: object) -> str:
    """Return a short hash of the parts. It is the same in every process."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
