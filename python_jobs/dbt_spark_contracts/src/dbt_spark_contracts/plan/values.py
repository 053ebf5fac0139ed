"""What is known of a value in a plan: the columns that it comes from, and how."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

# How a value comes from a column: it is the column's; or is made of it.
COPY, COMPUTED, AGGREGATED = DIRECT = ("copy", "computed", "aggregated")
# How else a column has a say in it.
CONDITION, WINDOW = ("condition", "window")
FILTER, JOIN, GROUP, SORT = ("filter", "join", "group", "sort")


class Origin(NamedTuple):
    """A column that a value comes from.

    Attributes:
        node: The dbt node, or else the table.
        column: The column.
        kind: How the value comes from it.
        masking: Whether the value does not tell the column's: it is a hash, a count, a test.
        field: The part of a struct that is the value; empty, if it is all of a column.
    """

    node: str
    column: str
    kind: str
    masking: bool = False
    field: str = ""

    def as_dict(self) -> dict:
        """As column_lineage.json has it."""
        told = {"node": self.node, "column": self.column, "kind": self.kind}
        masking = {"masking": True} if self.masking else {}
        return told | masking | ({"field": self.field} if self.field else {})


@dataclass(frozen=True)
class Value:
    """What is known of one value, or of one column's values.

    A struct has `fields`, and as `origins` what holds for all of it. An array, or a map, is what
    its elements are. `untraced` says in words what cannot be seen through. `recipe` changes when
    the value is made in another way.
    """

    origins: frozenset[Origin] = frozenset()
    fields: "tuple[Value, ...] | None" = None
    untraced: frozenset[str] = frozenset()
    recipe: str = ""

    def whole(self) -> "Value":
        """The same without fields: all that is known of any of them."""
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
        """The field of a struct at that position."""
        if self.fields is None:
            return replace(self, origins=frozenset(_inside(self.origins, position)))
        if position >= len(self.fields):
            return self.sealed()
        field = self.fields[position]
        return replace(
            field, origins=field.origins | self.origins, untraced=field.untraced | self.untraced
        )

    def sealed(self) -> "Value":
        """All of this value, of which no field can be told any more: its own are somewhere else."""
        whole = self.whole()
        return replace(whole, origins=frozenset(_sealed(whole.origins)))

    def used_as(self, kind: str) -> "Value":
        """All of this value, where it is used for something of that kind."""
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
            # To decide about a value hands on nothing of what cannot be seen through.
            untraced=frozenset() if kind in (CONDITION, WINDOW) else whole.untraced,
        )

    def masked(self) -> "Value":
        """All of this value, where what is made of it does not tell it."""
        whole = self.whole()
        origins = frozenset(origin._replace(masking=True) for origin in whole.origins)
        return replace(whole, origins=origins)

    def untraceable(self, reason: str) -> "Value":
        """The same, of which cannot be told in full where it comes from."""
        return replace(self, untraced=self.untraced | {reason})

    def made_by(self, recipe: str) -> "Value":
        """The same, made in that way."""
        return replace(self, recipe=recipe)


def merge(values: Iterable[Value]) -> Value:
    """What is known of a value that may be any of `values`; of structs, field by field."""
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

# How a lambda's variable is called, as a node, until it is known what it stands for. Its column is
# a path: the positions of fields, and this where its fields are somewhere else from there on.
_VARIABLE = "lambda "
_SEALED = "*"


def variable(number: int) -> Value:
    """The variable of a lambda function: stands for what `bind` gives it later."""
    return Value(frozenset([Origin(f"{_VARIABLE}{number}", "", COPY)]), recipe="variable")


def bind(value: Value, variables: dict[str, Value]) -> Value:
    """`value` with what the variables stand for. In: a variable's node, as `variable` names it."""
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
    """Of a lambda's variable, a field is told by its position; of a column, it is the column's.

    Of what is made of the variable, it is the variable's as well.
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
    """A short hash of `parts`, the same in every process."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
