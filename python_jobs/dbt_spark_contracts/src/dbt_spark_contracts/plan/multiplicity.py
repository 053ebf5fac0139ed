"""Find rows of a plan that can certainly be equal in some columns.

The search follows the plan down to a table whose contract promises a key. If no step on the way
removes rows that differ only in that key, then two rows of the table can become two rows of the
plan that are equal in the columns in question. A step that is not understood refutes nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from dbt_spark_contracts.plan.steps import (
    attributes,
    conjuncts,
    ctes,
    literal,
    made,
    named,
    outputs,
    spelled,
    table_name,
    unguarded,
)
from dbt_spark_contracts.plan.tree import Tree, names

# Steps that pass on every row.
_HANDS_ON = names("""
    SubqueryAlias View Sort Repartition RepartitionByExpression RebalancePartitions ResolvedHint
    """)

# Expressions that yield values, and different ones, whatever else is in the row.
_HAS_VALUES = names("""
    AttributeReference Alias Cast Literal Upper Lower StringTrim Concat ConcatWs Sha2 Md5 Sha1 Hex
    DateFormatClass Year Month DayOfMonth TruncDate TruncTimestamp ParseToDate
    CreateNamedStruct StructsToJson
    """)


@dataclass(frozen=True)
class Table:
    """The known keys of a table. Column names are in lower case.

    Attributes:
        label: The display name of the table.
        promised: The keys that its contract promises.
        without_null: The promised keys whose columns the contract declares not null.
        possible: Other keys it may have: from a unique data test, or the merge key.
    """

    label: str
    promised: Sequence[frozenset[str]]
    without_null: Sequence[frozenset[str]] = ()
    possible: Sequence[frozenset[str]] = ()


@dataclass(frozen=True)
class Finer:
    """Rows of the plan with a finer grain than the columns in question.

    Attributes:
        columns: The key of these rows.
        table: The table that the rows, or the groups of rows, come from.
        last_step: The last step that reduces rows, as Spark's name of its kind. Empty if there is
            none.
    """

    columns: tuple[str, ...]
    table: str
    last_step: str = ""


@dataclass(frozen=True)
class _Pair:
    """Two rows that the search looks for on the way down.

    Attributes:
        same: The columns in which the rows must be equal.
        present: The columns that must not be null.
        groups: The grouping columns, if the rows were grouped: a name, and the columns it is made
            of. The rows must differ in one of them.
        last_step: See Finer.
    """

    same: frozenset[int]
    present: frozenset[int] = frozenset()
    groups: "tuple[tuple[str, frozenset[int]], ...] | None" = None
    last_step: str = ""


def finer(
    plan: Tree, positions: Iterable[int], tables: Mapping[str, Table], is_deterministic: bool
) -> Finer | None:
    """Find rows of the plan that can be equal in the columns at these positions.

    Args:
        plan: The plan.
        positions: The positions of the columns in question.
        tables: The known keys of tables, by their names in plans.
        is_deterministic: Whether Spark says that the plan is deterministic. If not, nothing is
            certain.

    Returns:
        The rows, or None if nothing is certain.
    """
    if not is_deterministic:
        return None
    ids = outputs(plan)
    defined = ctes(plan)
    left = [(plan, _Pair(frozenset(ids[at] for at in positions)))]
    while left:
        step, pair = left.pop(0)
        table = tables.get(table_name(step)) if step.kind == "SubqueryAlias" else None
        if table is None:
            left += _below(step, pair, defined)
        elif found := _in_table(step, pair, table):
            return found
    return None


def _in_table(step: Tree, pair: _Pair, table: Table) -> Finer | None:
    """Return the rows if the table can hold such a pair, else None."""
    same = {name.lower() for id, name in named(step) if id in pair.same}
    if not table.promised or any(key <= same for key in (*table.promised, *table.possible)):
        return None
    if pair.groups is None:
        key = table.promised[0]
        columns = tuple(name for _, name in named(step) if name.lower() in key)
    elif any(made_of - pair.same for _, made_of in pair.groups):
        columns = tuple(name for name, _ in pair.groups)
    else:
        return None
    return Finer(columns, table.label, pair.last_step)


def _below(step: Tree, pair: _Pair, defined: Mapping[int, Tree]) -> Iterator[tuple[Tree, _Pair]]:
    """Yield pairs of rows below the step. Each of them would become this pair."""
    kind, children = step.kind, step.children
    found: _Pair | None = None
    if kind in _HANDS_ON:
        found = pair
    elif kind in ("GlobalLimit", "LocalLimit"):
        # `dbt build --empty` asks for no rows. The question is about the model with rows.
        limits = [literal(limit) for limit in step.expressions("limitExpr")]
        found = pair if limits == [("0", "integer")] else None
    elif kind == "Project":
        found = _made(pair, step)
    elif kind == "Filter":
        found = _filtered(pair, conjuncts(step.expressions("condition")))
    elif kind in ("Aggregate", "Distinct", "Deduplicate"):
        found = _grouped(pair, step)
    elif kind == "Window":
        windows = {column.id for column in step.expressions("windowExpressions")}
        found = None if windows & (pair.same | pair.present) else pair
    elif kind == "WithCTE":
        yield children[step.fields["plan"]], pair
    elif kind == "CTERelationRef":
        yield _renumbered(defined[step.fields["cteId"]], pair, outputs(step))
    elif kind == "Union":
        for child in children:
            yield _renumbered(child, pair, outputs(step))
    elif kind == "Join":
        yield from _joined(step, pair)
    if found:
        yield children[0], found


def _renumbered(below: Tree, pair: _Pair, above: list[int]) -> tuple[Tree, _Pair]:
    """Return the pair with the column ids that apply below the step."""
    number = dict(zip(above, outputs(below), strict=True))
    return below, _mapped(pair, {id: frozenset([new]) for id, new in number.items()})


def _mapped(pair: _Pair, made_of: Mapping[int, frozenset[int]]) -> _Pair:
    """Return the pair in terms of the columns that its own columns are made of."""

    def of(ids: Iterable[int]) -> frozenset[int]:
        return frozenset().union(*(made_of[id] for id in ids))

    groups = pair.groups and tuple(
        (name, of(ids)) for name, ids in pair.groups if ids <= set(made_of)
    )
    return replace(pair, same=of(pair.same), present=of(pair.present), groups=groups)


def _made(pair: _Pair, step: Tree) -> _Pair | None:
    """Return the pair of rows that a projection or an aggregate turns into this one."""
    listed, own = made(step), {*outputs(step)}
    made_of: dict[int, frozenset[int]] = {}
    for id in pair.same.union(pair.present, *(ids for _, ids in pair.groups or ())):
        column = listed.get(id)
        inputs = _inputs(column) if column else frozenset([id]) if id in own else None
        if inputs is not None:
            made_of[id] = inputs
    return _mapped(pair, made_of) if pair.same | pair.present <= set(made_of) else None


def _filtered(pair: _Pair, conditions: list[Tree]) -> _Pair | None:
    """Return the pair of rows that also satisfies these conditions.

    A not-null condition on one row says nothing about another row. Any other condition may leave
    one row per key, as `where is_current` does.
    """
    present = set(pair.present)
    for condition in conditions:
        if condition.kind == "IsNotNull":
            inputs = _inputs(condition.children[0])
            if inputs is None:
                return None
            present |= inputs
        elif condition.kind != "Literal" or condition.fields.get("value") not in ("true", "false"):
            return None  # `where false` is dbt's --empty
    return replace(pair, present=frozenset(present))


def _grouped(pair: _Pair, step: Tree) -> _Pair | None:
    """Return the pair of rows that falls into two groups."""
    found: _Pair | None = pair
    if step.kind == "Aggregate":
        listed = step.expressions("aggregateExpressions")
        # An aggregate function combines several rows, so `_inputs` does not know it.
        found = _made(pair, step)
        called = {spelled(column): column.fields["name"] for column in reversed(listed)}
        groups = [
            (called.get(spelled(group), group.fields.get("name") or group.kind), inputs)
            for group in step.expressions("groupingExpressions")
            if (inputs := _inputs(group))
        ]
    elif step.kind == "Deduplicate":
        keys = step.expressions("keys")
        groups = [(key.fields["name"], frozenset([key.id])) for key in keys if key.id is not None]
        if not pair.same <= {key.id for key in keys}:
            return None  # of the other columns, it is not known which row gives them
    else:
        groups = [(name, frozenset([id])) for id, name in named(step)]
    if found is None:
        return None
    if found.groups is None:
        found = replace(found, groups=tuple(groups))
    return replace(found, last_step=pair.last_step or step.kind)


def _joined(step: Tree, pair: _Pair) -> Iterator[tuple[Tree, _Pair]]:
    """Yield the pair on the side of a join that keeps all of its rows.

    An outer join keeps every row of one side. An inner join may leave one row per key.
    """
    left, right = step.children
    kind = step.word("joinType")
    is_cross = kind == "Cross" or (kind == "Inner" and not step.expressions("condition"))
    kept = {"LeftOuter": left, "RightOuter": right}.get(kind)
    for side, other in ((left, right), (right, left)):
        own = frozenset(outputs(side))
        is_there = side is kept and pair.same | pair.present <= own
        if is_there or (is_cross and _is_table(other)):
            yield side, _within(pair, own)


def _within(pair: _Pair, own: frozenset[int]) -> _Pair:
    """Return the part of the pair that concerns the columns of one side."""
    groups = pair.groups and tuple((name, made_of & own) for name, made_of in pair.groups)
    return replace(
        pair, same=pair.same & own, present=pair.present & own,
        groups=groups,
    )  # fmt: skip


def _is_table(step: Tree) -> bool:
    """Return whether the step is a table, which can hold rows with any values."""
    while step.kind in _HANDS_ON:
        step = step.children[0]
    return step.kind in ("DataSourceV2Relation", "RelationV2", "LogicalRelation")


def _inputs(expression: Tree) -> frozenset[int] | None:
    """Return the columns that decide the expression's value.

    Returns:
        Their ids, or None if the expression may have no value for some rows.
    """
    value = unguarded(expression)
    for tree in value.walk():
        if tree.kind not in _HAS_VALUES:
            return None
        if tree.kind == "Literal" and tree.fields.get("value") is None:
            return None
    return attributes(value, True)
