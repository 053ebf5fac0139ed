"""What a plan proves of its rows, without data: that no two of them are equal in some columns.

The question goes down the plan: a step answers it, or says by which columns the rows below it would
have to be unique. What is not understood proves nothing.

There are two ways to count nulls. As equal, as in `group by`: then a table's key tells something if
its columns hold no null. As different, as in a constraint: then any key of a table does, as long as
nothing on the way makes a value of a null, or looks for one.
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

# The keys of tables, by the name that they have in plans: the names of columns, in lower case.
Keys = Mapping[str, Sequence[frozenset[str]]]

# How many steps a proof may take: some joins of joins have more ways than anyone would wait for.
_PATIENCE = 20_000

_SIDES = ("LeftOuter", "RightOuter")

# The types of numbers that a sequence goes on by.
_STEPS = names("byte short integer long")


class Uniqueness:
    """Reads one plan.

    Args:
        plan: The plan.
        keys: The keys that tables are known to have.
        is_deterministic: Whether the plan is, as Spark says.
        nulls_differ: Whether two nulls count as different.
        elsewhere: The first columns of relations that are another state of their table, by number:
            of those, no key is known.
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
        """Can no two rows of the plan, or of a step, be equal in the columns at these positions?"""
        step = step or self.plan
        ids = outputs(step)
        try:
            return self._is_unique(step, frozenset(ids[at] for at in positions))
        except RecursionError:  # joins of joins of joins
            return False

    def told_by_a_row(self, join: Tree, side: Tree) -> frozenset[int]:
        """The columns whose values a row of that side of a join tells, its own and others."""
        return self._known(frozenset(outputs(side)), conjuncts(join.expressions("condition")))

    def numbers_rows(self, step: Tree) -> bool:
        """Does the step number rows, or look at their numbers?"""
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
        """Does the step alone keep its rows apart, by these columns?"""
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
        """Has each row of a part its own number, and do these columns tell both?"""
        own = ids.intersection(_window_ids(step))
        partition = step.expressions("partitionSpec")
        told = ids | self._made_alike(step.children[0], ids)
        if not all(part.id in told or literal(part) is not None for part in partition):
            return False
        if own & self._row_numbers:
            return True
        if self.nulls_differ or not own & self._ranks:
            return False
        # Two rows of a part have one rank if they are equal in what it is ordered by.
        by = (self._determined_by(order.children[0]) for order in step.expressions("orderSpec"))
        parts = frozenset(part.id for part in partition if part.id is not None)
        return self._is_unique(step.children[0], parts.union(*by))

    def _below(self, step: Tree, ids: frozenset[int]) -> frozenset[int]:
        """By which columns the rows below the step have to be unique, so that its own are."""
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
        """The columns below a projection or an aggregate that are told by these of its own."""
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
        """Of the columns that the step makes, those that the given ones tell: Spark makes a column
        of its own of what a window is partitioned by."""
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
        """Those of the expressions whose values are told by others, or by known columns."""
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
            # A row of the kept side may stand alone: there the condition tells nothing of it.
            kept, of_kept, other, of_other = sides[_SIDES.index(kind)]
            return self._is_unique(
                other, self._known(ids | of_kept, conditions) & of_other
            ) and self._is_unique(kept, ids & of_kept)
        if kind not in ("Inner", "Cross"):
            return False
        known = self._known(ids, conditions)
        # Equal rows have one row of this side; and so, with all of its columns, one of the other.
        return any(
            self._is_unique(other, self._known(known | of_one, conditions) & of_other)
            and self._is_unique(one, known & of_one)
            for one, of_one, other, of_other in sides
        )

    def _of_union(self, step: Tree, ids: frozenset[int]) -> bool:
        """Is each of its branches unique, and do no two have an equal row?"""
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
        """The literal that the column has in each row; None if it is not known to have one."""
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
        """With the columns that are told by others, in rows for which the conditions hold."""
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
        """The row number of which the condition leaves the first one only."""
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


# The steps that hand the question on: no two of their rows are made of one row below them.
_GOES_ON = PASSES | names(
    "Project Aggregate Filter Window Distinct Deduplicate Intersect Except Generate"
)


def _repeats(step: Tree, ids: frozenset[int]) -> bool:
    """May a row below the step become two that are equal in these columns?"""
    if step.kind == "Generate":
        generator = step.expressions("generator")[0]
        if generator.kind == "GeneratorOuter":
            generator = generator.children[0]
        # The place in an array is another each time; so is each element of a sequence.
        is_apart = generator.kind == "PosExplode" or _is_of_sequence(generator)
        return not is_apart or step.expressions("generatorOutput")[0].id not in ids
    return step.kind == "Sample" and step.fields.get("withReplacement") is not False


def _is_of_sequence(generator: Tree) -> bool:
    if generator.kind != "Explode" or generator.children[0].kind != "Sequence":
        return False
    _, _, *given = generator.children[0].children
    # A step of months and days at once, which is of the type "interval", may come back.
    types = [bare(step).fields.get("dataType") for step in given]
    return all(type_ in _STEPS or str(type_).startswith("interval ") for type_ in types)


def _leaves_unmatched(step: Tree) -> bool:
    """Does a filter leave those rows of a left join's left side that find no row on the right?

    Where they find one, a column that has to be equal has a value.
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
    """The columns that windows of a plan make by functions of these kinds."""
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
    """The expressions that are equal where the conditions hold, each way round."""
    kinds = ("EqualTo",) if nulls_differ else ("EqualTo", "EqualNullSafe")
    for condition in conditions:
        is_one = condition.kind == "In" and len(condition.children) == 2
        if is_one or condition.kind in kinds:
            one, other = condition.children
            yield one, other
            yield other, one


def _differ(constants: list, others: list) -> bool:
    """Have two branches of a union no equal row, by what is constant in the columns of each?"""
    return any(
        one is not None and other is not None and one[1:] == other[1:] and one[0] != other[0]
        for one, other in zip(constants, others, strict=True)
    )


def _renumbered(ids: frozenset[int], above: list[int], below: list[int]) -> frozenset[int]:
    return frozenset(new for old, new in zip(above, below, strict=True) if old in ids)
