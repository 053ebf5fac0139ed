"""Find sums that count a row several times because a join has multiplied it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dbt_spark_contracts.plan.multiplicity import Finer, Table, finer
from dbt_spark_contracts.plan.steps import PASSES, attributes, made, named, outputs
from dbt_spark_contracts.plan.tree import Tree, names
from dbt_spark_contracts.plan.uniqueness import Uniqueness

_SUMS = names("Sum Average")
_MULTIPLIES = names("Inner Cross LeftOuter RightOuter")


@dataclass(frozen=True)
class FanOut:
    """A sum over rows that a join has multiplied.

    Attributes:
        summed: The columns that are summed.
        rows: The key of the joined side, which has several rows per join value.
        joined_by: The join columns.
    """

    summed: tuple[str, ...]
    rows: Finer
    joined_by: tuple[str, ...]


def fan_outs(plan: Tree, tables: Mapping[str, Table], uniqueness: Uniqueness) -> list[FanOut]:
    """Find the sums in a plan that count a row once per match of a join.

    Only certain cases are reported: a promised key shows that the other side has several rows per
    join value, and no step between the join and the sum removes the duplicates.

    Args:
        plan: The plan.
        tables: The known keys of tables, by their names in plans.
        uniqueness: The proofs of uniqueness for this plan.

    Returns:
        One entry per sum and join, without duplicates.
    """
    found: list[FanOut] = []
    for step in plan.walk():
        if step.kind == "Aggregate":
            for summed in _summed(step, uniqueness.is_deterministic):
                found += _below(step.children[0], summed, tables, uniqueness)
    return list(dict.fromkeys(found))


def _summed(step: Tree, is_deterministic: bool) -> Iterator[frozenset[int]]:
    """Yield the columns of each sum of a step."""
    for column in step.expressions("aggregateExpressions"):
        for tree in column.walk():
            is_sum = tree.kind == "AggregateExpression" and tree.children[0].kind in _SUMS
            if is_sum and not tree.fields.get("isDistinct"):
                columns = attributes(tree.children[0].children[0], is_deterministic)
                # A sum of doubles is fine here, although their equality is not reliable.
                if columns is None:
                    columns = frozenset(t.id for t in tree.walk() if t.id is not None)
                if columns:
                    yield columns


def _below(
    step: Tree, ids: frozenset[int], tables: Mapping[str, Table], uniqueness: Uniqueness
) -> Iterator[FanOut]:
    while step.children:
        if step.kind == "Project":
            listed = made(step)
            ids = ids.difference(listed).union(
                tree.id
                for id in ids & listed.keys()
                for tree in listed[id].walk()
                if tree.kind == "AttributeReference" and tree.id is not None
            )
        elif step.kind == "Join":
            sides = [side for side in step.children if ids <= {*outputs(side)}]
            if step.word("joinType") not in _MULTIPLIES or len(sides) != 1:
                return
            (one,) = sides
            (other,) = [side for side in step.children if side is not one]
            by = uniqueness.told_by_a_row(step, one)
            positions = [at for at, id in enumerate(outputs(other)) if id in by]
            is_one = uniqueness.is_proven(positions, other)
            rows = finer(other, positions, tables, uniqueness.is_deterministic)
            if rows and not is_one:
                called = dict([*named(one), *named(other)])
                yield FanOut(
                    tuple(called[id] for id in sorted(ids)),
                    rows,
                    tuple(named(other)[at][1] for at in positions),
                )
            step = one
            continue
        elif step.kind not in PASSES and not (
            step.kind in ("Filter", "Window") and not uniqueness.numbers_rows(step)
        ):
            return
        step = step.children[0]
