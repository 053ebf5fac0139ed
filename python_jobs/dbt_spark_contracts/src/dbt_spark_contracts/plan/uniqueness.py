"""Prove from a plan, without data, that no two rows are equal in some columns.

The question goes down the plan. Each step either answers it, or says which columns must be unique
in the rows below it. A step that is not understood proves nothing.

Nulls count in one of two ways. If they count as equal, as in `group by`, a table's key proves
something only if its columns hold no null. If they count as different, as in a constraint, any key
of a table does, as long as no step turns a null into a value or looks for nulls.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

from dbt_spark_contracts.plan.steps import (
    PASSES,
    attributes,
    bare,
    conjuncts,
    ctes,
    determined_by,
    flattened,
    literal,
    made,
    named,
    outputs,
    spelled,
    table_name,
)
from dbt_spark_contracts.plan.tree import Tree, names

# The keys of tables, by their names in plans. Column names are in lower case.
Keys = Mapping[str, Sequence[frozenset[str]]]

# The limit of steps per proof. Nested joins have too many combinations to try them all.
_PATIENCE = 20_000

_SIDES = ("LeftOuter", "RightOuter")

# The integer types that a sequence counts in.
_STEPS = names("byte short integer long")


class Uniqueness:
    """Reads one plan.

    Args:
        plan: The plan.
        keys: The known keys of tables.
        is_deterministic: Whether Spark says that the plan is deterministic.
        nulls_differ: Whether two nulls count as different.
        elsewhere: The first column ids of relations that read another state of their table. No key
            is known for those.
    """

    def __init__(
        self,
        plan: Tree,
        keys: Keys,
        is_deterministic: bool,
        nulls_differ: bool = False,
        elsewhere: frozenset[int] = frozenset(),
    ) -> None:
        self.plan = plan
        self.keys = keys
        self.is_deterministic = is_deterministic
        self.nulls_differ = nulls_differ
        self._elsewhere = elsewhere
        self._ctes = ctes(plan)
        self._row_numbers = _numbers(plan, "RowNumber")
        self._ranks = _numbers(plan, "Rank DenseRank")
        self._steps = 0
        self._answers: dict[tuple[int, frozenset[int]], bool] = {}

    def is_proven(self, positions: Iterable[int], step: Tree | None = None) -> bool:
        """Return whether rows of the plan or step are unique in the columns at these positions."""
        step = step or self.plan
        ids = outputs(step)
        try:
            return self._is_unique(step, frozenset(ids[at] for at in positions))
        except RecursionError:  # deeply nested joins
            return False

    def told_by_a_row(self, join: Tree, side: Tree) -> frozenset[int]:
        """Return the columns whose values a row of that side of a join determines."""
        return self._known(frozenset(outputs(side)), conjuncts(join.expressions("condition")))

    def numbers_rows(self, step: Tree) -> bool:
        """Return whether the step numbers rows, or reads their numbers."""
        if step.kind == "Window":
            return not (self._row_numbers | self._ranks).isdisjoint(_window_ids(step))
        numbers = self._row_numbers | self._ranks
        conditions = step.expressions("condition")
        return any(tree.id in numbers for one in conditions for tree in one.walk())

    def _is_unique(self, step: Tree, ids: frozenset[int]) -> bool:
        asked = (id(step), ids)
        if asked not in self._answers:
            self._answers[asked] = self._prove(step, ids)
        return self._answers[asked]

    def _prove(self, step: Tree, ids: frozenset[int]) -> bool:
        while self._steps < _PATIENCE:
            self._steps += 1
            kind, children = step.kind, step.children
            if kind == "Join":
                return self._of_join(step, ids)
            if kind == "Union":
                return self._of_union(step, ids)
            if kind == "Filter" and _leaves_unmatched(step):
                ids = self._known(ids, conjuncts(step.expressions("condition")))
                step = children[0].children[0]
                ids = ids.intersection(outputs(step))
                continue
            if kind == "WithCTE":
                step = children[step.fields["plan"]]
                continue
            if kind == "CTERelationRef":
                below = self._ctes[step.fields["cteId"]]
                ids = _renumbered(ids, outputs(step), outputs(below))
                step = below
                continue
            if self._settles(step, ids):
                return True
            if not children or kind not in _GOES_ON or _repeats(step, ids):
                return False
            ids = self._below(step, ids)
            step = children[0]
        return False

    def _settles(self, step: Tree, ids: frozenset[int]) -> bool:
        """Return whether the step alone makes its rows unique in these columns."""
        kind = step.kind
        if kind in ("GlobalLimit", "LocalLimit"):
            return [literal(limit) for limit in step.expressions("limitExpr")] == [("1", "integer")]
        if kind == "OneRowRelation":
            return True
        if kind == "Range":
            return ids >= {*outputs(step)}
        if kind == "SubqueryAlias":
            return self._has_key(step, ids)
        if kind == "Aggregate":
            return self._has_groups(step, ids)
        if kind == "Deduplicate":
            return all(key.id in ids for key in step.expressions("keys"))
        if kind == "Distinct" or (kind in ("Intersect", "Except") and not step.fields["isAll"]):
            return ids >= {*outputs(step)}
        if kind == "Window":
            return self._is_numbered(step, ids)
        return False

    def _is_numbered(self, step: Tree, ids: frozenset[int]) -> bool:
        """Return whether each row of a partition has its own number and these columns hold both."""
        own = ids.intersection(_window_ids(step))
        partition = step.expressions("partitionSpec")
        told = ids | self._made_alike(step.children[0], ids)
        if not all(part.id in told or literal(part) is not None for part in partition):
            return False
        if own & self._row_numbers:
            return True
        if self.nulls_differ or not own & self._ranks:
            return False
        # Two rows of a partition share a rank if they are equal in the ordering columns.
        by = (self._determined_by(order.children[0]) for order in step.expressions("orderSpec"))
        parts = frozenset(part.id for part in partition if part.id is not None)
        return self._is_unique(step.children[0], parts.union(*by))

    def _below(self, step: Tree, ids: frozenset[int]) -> frozenset[int]:
        """Return the columns that must be unique below the step so that its own rows are."""
        if step.kind in ("Project", "Aggregate"):
            return self._below_list(step, ids)
        if step.kind == "Filter":
            return self._known(ids, conjuncts(step.expressions("condition")))
        if step.kind == "Window":
            return ids - {*_window_ids(step)}
        if step.kind == "Generate":
            return ids.difference(column.id for column in step.expressions("generatorOutput"))
        return ids

    def _below_list(self, step: Tree, ids: frozenset[int]) -> frozenset[int]:
        """Return the columns below a projection or an aggregate that these columns determine."""
        ids = ids.intersection(outputs(step))
        listed = made(step)
        by = (self._determined_by(listed[id]) for id in ids & listed.keys())
        return ids.difference(listed).union(*by)

    def _determined_by(self, expression: Tree) -> frozenset[int]:
        return determined_by(expression, self.nulls_differ)

    def _has_key(self, step: Tree, ids: frozenset[int]) -> bool:
        if not self._elsewhere.isdisjoint(outputs(step)[:1]):
            return False
        keys = self.keys.get(table_name(step), ())
        there = {name.lower() for id, name in named(step) if id in ids} if keys else set()
        return any(key <= there for key in keys)

    def _has_groups(self, step: Tree, ids: frozenset[int]) -> bool:
        listed = step.expressions("aggregateExpressions")
        groups = step.expressions("groupingExpressions")
        by = [one for one in listed if one.id in ids]
        known = frozenset().union(*map(self._determined_by, by))
        return len(self._told(groups, by, known)) == len(groups)

    def _made_alike(self, step: Tree, ids: frozenset[int]) -> frozenset[int]:
        """Return the columns that the step creates and that the given columns determine.

        Spark adds a column of its own for the partition expression of a window.
        """
        if step.kind != "Project":
            return frozenset()
        listed = made(step)
        known = self._below_list(step, ids)
        by = [column for id, column in listed.items() if id in ids]
        told = self._told(listed.values(), by, known)
        handed_on = known.intersection(outputs(step)).difference(listed)
        return handed_on.union(column.id for column in told if column.id is not None)

    def _told(
        self, expressions: Iterable[Tree], by: list[Tree], known: frozenset[int]
    ) -> list[Tree]:
        """Return the expressions whose values follow from others, or from known columns."""
        same = {spelled(column) for column in by}
        told = []
        for expression in expressions:
            made_of = attributes(expression, self.is_deterministic)
            is_alike = self.is_deterministic or made_of is not None
            is_same = spelled(expression) in same and is_alike
            if is_same or (made_of is not None and made_of <= known):
                told.append(expression)
        return told

    def _of_join(self, step: Tree, ids: frozenset[int]) -> bool:
        left, right = step.children
        lefts, rights = frozenset(outputs(left)), frozenset(outputs(right))
        kind = step.word("joinType")
        if lefts & rights:
            return False
        if kind in ("LeftSemi", "LeftAnti"):
            return self._is_unique(left, ids & lefts)
        conditions = conjuncts(step.expressions("condition"))
        sides = [(left, lefts, right, rights), (right, rights, left, lefts)]
        if kind in _SIDES:
            # A row of the kept side may have no match. Then the condition says nothing about it.
            kept, of_kept, other, of_other = sides[_SIDES.index(kind)]
            return self._is_unique(
                other, self._known(ids | of_kept, conditions) & of_other
            ) and self._is_unique(kept, ids & of_kept)
        if kind not in ("Inner", "Cross"):
            return False
        known = self._known(ids, conditions)
        # Equal rows share one row of this side, and all of its columns determine one row of the
        # other.
        return any(
            self._is_unique(other, self._known(known | of_one, conditions) & of_other)
            and self._is_unique(one, known & of_one)
            for one, of_one, other, of_other in sides
        )

    def _of_union(self, step: Tree, ids: frozenset[int]) -> bool:
        """Return whether each branch is unique and no two branches share an equal row."""
        positions = [at for at, id in enumerate(outputs(step)) if id in ids]
        branches = flattened([step], "Union")
        asked_of = [[outputs(branch)[at] for at in positions] for branch in branches]
        constants = [
            [self._constant(branch, id) for id in asked]
            for branch, asked in zip(branches, asked_of, strict=True)
        ]
        return all(_differ(*pair) for pair in combinations(constants, 2)) and all(
            self._is_unique(branch, frozenset(asked))
            for branch, asked in zip(branches, asked_of, strict=True)
        )

    def _constant(self, step: Tree, id: int) -> "tuple | None":
        """Return the literal that the column has in each row, or None if none is known."""
        while True:
            children = step.children
            if step.kind in ("Project", "Aggregate"):
                if listed := made(step).get(id):
                    column = bare(listed)
                    if (found := literal(column)) is not None:
                        return found
                    if column.kind != "AttributeReference":
                        return None
                    id = column.id or 0
            elif step.kind == "Filter":
                for one, other in _equalities(conjuncts(step.expressions("condition"))):
                    found = literal(other)
                    if bare(one).kind == "AttributeReference" and one.id == id and found:
                        return found
            elif step.kind == "WithCTE":
                step = children[step.fields["plan"]]
                continue
            elif step.kind not in PASSES:
                return None
            step = children[0]

    def _known(self, ids: frozenset[int], conditions: list[Tree]) -> frozenset[int]:
        """Return the columns plus those they determine in rows that satisfy the conditions."""
        known, before = ids, None
        while known != before:
            before = known
            for one, other in _equalities(conditions, self.nulls_differ):
                made_of = attributes(other, self.is_deterministic)
                if made_of is not None and made_of <= known:
                    known |= self._determined_by(one)
        for condition in conditions:
            if condition.kind == "IsNull" and not self.nulls_differ:
                known |= self._determined_by(condition.children[0])
            known |= self._first_of(condition)
            negated = condition.children[0] if condition.kind == "Not" else condition
            if negated.kind == "AttributeReference" and negated.id is not None:
                known |= {negated.id}
        return known

    def _first_of(self, condition: Tree) -> frozenset[int]:
        """Return the row number column if the condition keeps only the first row."""
        for kind, bound, number, limit in (
            ("LessThanOrEqual", "1", 0, 1),
            ("LessThan", "2", 0, 1),
            ("GreaterThanOrEqual", "1", 1, 0),
            ("GreaterThan", "2", 1, 0),
        ):
            if (
                condition.kind == kind
                and condition.children[number].id in self._row_numbers | self._ranks
                and literal(condition.children[limit]) == (bound, "integer")
            ):
                return determined_by(condition.children[number])
        return frozenset()


# Steps that pass the question on: each of their rows comes from a different row below.
_GOES_ON = PASSES | names(
    "Project Aggregate Filter Window Distinct Deduplicate Intersect Except Generate"
)


def _repeats(step: Tree, ids: frozenset[int]) -> bool:
    """Return whether a row below the step may become two that are equal in these columns."""
    if step.kind == "Generate":
        generator = step.expressions("generator")[0]
        if generator.kind == "GeneratorOuter":
            generator = generator.children[0]
        # The position in an array is different each time, and so is each element of a sequence.
        is_apart = generator.kind == "PosExplode" or _is_of_sequence(generator)
        return not is_apart or step.expressions("generatorOutput")[0].id not in ids
    return step.kind == "Sample" and step.fields.get("withReplacement") is not False


def _is_of_sequence(generator: Tree) -> bool:
    if generator.kind != "Explode" or generator.children[0].kind != "Sequence":
        return False
    _, _, *given = generator.children[0].children
    # A step of type "interval", with both months and days, may return to the same value.
    types = [bare(step).fields.get("dataType") for step in given]
    return all(type_ in _STEPS or str(type_).startswith("interval ") for type_ in types)


def _leaves_unmatched(step: Tree) -> bool:
    """Return whether a filter keeps only the left rows of a left join that have no match.

    In a matched row, a column of the equality condition is not null.
    """
    (join,) = step.children
    if join.kind != "Join" or join.word("joinType") != "LeftOuter":
        return False
    equal = {
        one.id
        for one, _ in _equalities(conjuncts(join.expressions("condition")), nulls_differ=True)
        if one.kind == "AttributeReference"
    }
    absent = {
        condition.children[0].id
        for condition in conjuncts(step.expressions("condition"))
        if condition.kind == "IsNull"
    }
    return not equal.isdisjoint(absent & {*outputs(join.children[1])})


def _numbers(plan: Tree, kinds: str) -> set[int]:
    """Return the columns that windows of a plan create by functions of these kinds."""
    return {
        column.id
        for step in plan.walk()
        if step.kind == "Window"
        for column in step.expressions("windowExpressions")
        if column.id is not None
        and bare(column).kind == "WindowExpression"
        and bare(column).children[0].kind in names(kinds)
    }


def _window_ids(step: Tree) -> list[int]:
    return [column.id for column in step.expressions("windowExpressions") if column.id is not None]


def _equalities(
    conditions: list[Tree], nulls_differ: bool = False
) -> "Iterable[tuple[Tree, Tree]]":
    """Yield the expressions that are equal where the conditions hold, in both directions."""
    kinds = ("EqualTo",) if nulls_differ else ("EqualTo", "EqualNullSafe")
    for condition in conditions:
        is_one = condition.kind == "In" and len(condition.children) == 2
        if is_one or condition.kind in kinds:
            one, other = condition.children
            yield one, other
            yield other, one


def _differ(constants: list, others: list) -> bool:
    """Return whether constants of two union branches show that no rows are equal."""
    return any(
        one is not None and other is not None and one[1:] == other[1:] and one[0] != other[0]
        for one, other in zip(constants, others, strict=True)
    )


def _renumbered(ids: frozenset[int], above: list[int], below: list[int]) -> frozenset[int]:
    return frozenset(new for old, new in zip(above, below, strict=True) if old in ids)
