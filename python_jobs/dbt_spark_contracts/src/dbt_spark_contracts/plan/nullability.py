"""Prove which columns of a plan hold no null."""

from dbt_spark_contracts.plan.steps import NEVER_NULL, PASSES, bare, conjuncts, made, outputs
from dbt_spark_contracts.plan.tree import Tree, names

# Joins that keep only real rows of a side, none padded with nulls: (left, right).
_KEPT_SIDES = {
    **dict.fromkeys(("Inner", "Cross"), (True, True)),
    **dict.fromkeys(("LeftOuter", "LeftSemi", "LeftAnti"), (True, False)),
    "RightOuter": (False, True),
}

# Steps that pass on the columns below them. A step with several children passes on the first's.
_KEEPS = PASSES | names("CTERelationDef Distinct Deduplicate Except Generate LateralJoin Expand")


def never_null(plan: Tree) -> list[bool]:
    """Return, for each column of the plan in order, whether it is proven to hold no null.

    A proof is a column that is not null in its table, an expression that is never null, or a filter
    that removes nulls.
    """
    # Children come first, and a common table expression comes before its references.
    proven: dict[int, frozenset[int]] = {}
    ctes: dict[int, tuple[bool, ...]] = {}
    for step in plan.upwards():
        below = [proven.pop(id(child)) for child in step.children]
        found = _proven(step, below, ctes)
        if step.kind == "CTERelationDef":
            ctes[step.fields["id"]] = tuple(number in found for number in outputs(step))
        proven[id(step)] = found
    return [number in proven[id(plan)] for number in outputs(plan)]


def _proven(
    step: Tree, below: list[frozenset[int]], ctes: dict[int, tuple[bool, ...]]
) -> frozenset[int]:
    """Return the ids of the step's columns that are never null. It may include columns below."""
    own = frozenset(step.fields.get(NEVER_NULL) or ())
    kind = step.kind
    if kind in ("Project", "Aggregate"):
        listed = made(step)
        copies = {number for number, named in listed.items() if _copied(named) in below[0]}
        handed_on = below[0].intersection(outputs(step)).difference(listed)
        return own | handed_on | {number for number in copies if number is not None}
    if kind == "Window":
        return own | below[0]
    if kind == "Filter":
        return below[0].union(_not_null(step))
    if kind == "WithCTE":
        return below[step.fields["plan"]]
    if kind == "CTERelationRef":
        pairs = zip(outputs(step), ctes.get(step.fields["cteId"], ()), strict=False)
        return own.union(number for number, is_proven in pairs if is_proven)
    if kind in ("Union", "Intersect"):
        sides = [
            {at for at, number in enumerate(outputs(child)) if number in side}
            for child, side in zip(step.children, below, strict=True)
        ]
        enough = set.intersection if kind == "Union" else set.union
        numbers = outputs(step)
        return frozenset(numbers[at] for at in enough(*sides))
    if kind == "Join":
        kept = _KEPT_SIDES.get(step.word("joinType"), (False, False))
        both = zip(kept, below, step.children, strict=True)
        return own.union(
            *(found.intersection(outputs(side)) for is_kept, found, side in both if is_kept)
        )
    return own | below[0] if kind in _KEEPS else own


def _not_null(step: Tree) -> set[int]:
    """Return the columns that a filter's condition requires to be not null."""
    tests = (test for test in conjuncts(step.expressions("condition")) if test.kind == "IsNotNull")
    copied = (_copied(test.children[0]) for test in tests)
    return {number for number in copied if number is not None}


def _copied(expression: Tree) -> int | None:
    """Return the column that an expression passes on unchanged, or None if it computes a value."""
    tree = bare(expression)
    while tree.kind == "Cast":
        inner = bare(tree.children[0])
        if inner.fields.get("dataType") != tree.fields.get("dataType"):
            return None
        tree = inner
    return tree.id if tree.kind == "AttributeReference" else None
