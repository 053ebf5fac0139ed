"""Trace the columns of an analyzed plan, step by step, to the columns they come from."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from dbt_spark_contracts.plan import steps
from dbt_spark_contracts.plan.expressions import value_of
from dbt_spark_contracts.plan.steps import listed, named, outputs
from dbt_spark_contracts.plan.tree import Tree, names, read
from dbt_spark_contracts.plan.values import (
    COMPUTED,
    COPY,
    FILTER,
    GROUP,
    JOIN,
    NOTHING,
    SORT,
    Origin,
    Value,
    digest,
    merge,
)

# Steps that pass on all of their columns; their fields tell what else they do. Steps that name
# their rows, or sort them by columns, are handled separately.
PASSES = steps.PASSES - names("SubqueryAlias Sort") | names("CTERelationDef Subquery")
# Those of them that choose rows, but not by a column.
LIMITS = names("GlobalLimit LocalLimit Offset Tail Sample")

# Commands that list names and types but no column values. (DescribeColumn shows bounds.)
LISTS = names("""
    ShowTables ShowTablesCommand ShowViews ShowViewsCommand ShowNamespaces ShowColumns
    DescribeRelation DescribeTableCommand
""")

# Leaves that cannot be traced, in words for messages.
UNTRACED = {
    "LogicalRDD": "rows that came through Python, an RDD or a checkpoint",
    "ExternalRDD": "rows that came through an RDD",
    "LocalRelation": "rows that stand in the code or came through Python",
    "LogicalRelation": "files that the model reads by itself",
    "DataSourceV2Relation": "a table that is read without its name",
}

# Generators that make a row of each element, and those that make as many rows of each row.
EXPLODES = names("Explode PosExplode Inline")
GENERATE_AS_MANY = names("Stack JsonTuple")

# Metadata columns of Iceberg that may reveal values of other columns: a file's path contains its
# partition values.
TELLTALES = names("_file _partition")


class Relation(Protocol):
    """What one leaf of a plan reads."""

    @property
    def name(self) -> str:
        """The full name of the table, in lower case."""

    @property
    def opaque(self) -> str:
        """Why its columns are not the table's, in words. Empty if they are."""

    @property
    def renamed(self) -> Mapping[str, str | None]:
        """Today's column names for an older state of the table. None marks a dropped column."""


class Column(NamedTuple):
    """A column of a step: its name, and what is known about its values."""

    name: str
    value: Value


class Table(NamedTuple):
    """The columns of a step, and the values that choose, join or group its rows.

    Attributes:
        ids: Spark's ids of the columns, in order.
        known: What is known about each column, by id.
        rows: What the rows are chosen by.
    """

    ids: Sequence[int]
    known: dict[int, Column]
    rows: Value = NOTHING

    @property
    def columns(self) -> list[Column]:
        """The columns, in order."""
        return [self.known[id] for id in self.ids]


# Returns the values of expressions in a step.
_Values = Callable[[Iterable[Tree]], list[Value]]


class PlanReader:
    """Reads one plan.

    Args:
        nodes: The dbt node of each table or view, by its name in plans.
        relations: What the plan's leaves read, by the id of their first column.
        files: The file sources, by the ids of the columns that they were read with.
        has_literal_rows: Whether rows inside the plan are known to be literals of its query.
        collected: Which marked or unknown columns the program has collected, in words. Then
            anything but a plain column may be made of them.
        volatile: Texts that differ in each run.
        inlined: The name prefix of queries that are part of the plan but also have a name in
            `nodes`.
    """

    def __init__(
        self,
        nodes: Mapping[str, str],
        relations: Mapping[int, Relation],
        files: Mapping[int, str],
        has_literal_rows: bool = False,
        collected: str = "",
        volatile: tuple[str, ...] = (),
        inlined: str = "",
    ) -> None:
        self.nodes = nodes
        self.relations = relations
        self.files = files
        self.has_literal_rows = has_literal_rows and not collected
        self.collected = collected
        self.volatile = volatile
        self.inlined = inlined
        self._ctes: dict[int, Table] = {}
        self._is_in_view = False
        # The temporary views that are read, in lower case.
        self.views: set[str] = set()

    def read(self, plan: Tree, outer: Mapping[int, Value] | None = None) -> Table:
        """Return the columns and rows that a plan ends in.

        Args:
            plan: The plan.
            outer: The outer columns that it may refer to.

        Returns:
            The last step's table.
        """
        tables: list[Table] = []
        outside = self._is_in_view
        # Children come first, and a common table expression comes before its references.
        for step, is_in_view in reversed([*_with_views(plan)]):
            first = len(tables) - len(step.children)
            children, tables = tables[first:], tables[:first]
            self._is_in_view = outside or is_in_view
            tables.append(self._step(step, children, {} if outer is None else outer))
        self._is_in_view = outside
        return tables.pop()

    def subquery(self, plan: Tree, scope: Mapping[int, Value]) -> tuple[list[Value], Value]:
        """Return the columns of a plan inside an expression, and what chooses its rows."""
        table = self.read(plan, scope)
        return [column.value for column in table.columns], table.rows

    def literal(self, text: str) -> str:
        """Return a literal as it counts for the recipe."""
        for volatile in self.volatile:
            text = text.replace(volatile, "…")
        return text

    def _step(self, step: Tree, children: list[Table], outer: Mapping[int, Value]) -> Table:
        kind = step.kind
        scope = _Scope(children, outer)

        def values(expressions: Iterable[Tree]) -> list[Value]:
            return [value_of(expression, scope, self) for expression in expressions]

        if kind == "SubqueryAlias":
            return self._named(step, children[0])
        if kind == "WithCTE":
            return children[step.fields["plan"]]
        if kind == "CTERelationRef":
            cte = self._ctes[step.fields["cteId"]]
            ids = outputs(step)
            return Table(ids, dict(zip(ids, cte.columns, strict=True)), cte.rows)
        rows = _joined(children)
        if kind in LIMITS:
            limit = [value.recipe for value in values(step.expressions("limitExpr"))]
            rows = rows.made_by(digest(kind, rows.recipe, *limit))
        if kind in PASSES:
            passed = children[0]._replace(rows=rows)
            if kind == "CTERelationDef":
                self._ctes[step.fields["id"]] = passed
            return passed
        if make := _STEPS.get(kind):
            made = make(step, children, rows, values)
            return self._with_files(step, made) if kind == "Project" and self.files else made
        if kind in LISTS or kind == "OneRowRelation" or (kind == "Range" and not self.collected):
            return _alike(named(step), NOTHING)
        if not children and (begun := self._begun(step)):
            return begun
        if kind == "LateralJoin":
            (right,) = step.expressions("right")
            lateral = self.read(right.expressions("plan")[0], scope)
            condition = values(step.expressions("condition"))
            return _beside(children[0], lateral)._replace(
                rows=_chosen(_joined([*children, lateral]), JOIN, condition)
            )
        if kind == "LocalRelation" and self.has_literal_rows and not self._is_in_view:
            return _alike(named(step), NOTHING)
        return self._unknown(step, children, rows)

    def _named(self, step: Tree, child: Table) -> Table:
        """Return the table of a step that names its rows.

        Any query can name its rows, so a name alone proves nothing.
        """
        identifier = step.fields["identifier"]
        parts = [*listed(identifier.get("qualifier")), identifier["name"]]
        name = ".".join(parts).lower()
        if step.children[0].kind == "View" and step.children[0].fields.get("isTempView"):
            self.views.add(identifier["name"].lower())
        origin = self.nodes.get(name)
        if origin is None:
            return child
        begun = _columns_of(origin, child)
        # then the columns below it count as well
        if self.inlined and name.startswith(self.inlined):
            for id, column in begun.known.items():
                both = merge([column.value, child.known[id].value])
                begun.known[id] = column._replace(value=both)
            return begun._replace(rows=child.rows)
        # A view of the catalog: an alias has no qualifier, and a table is identified by its leaf.
        is_view = len(parts) > 1 and step.children[0].children
        return begun if is_view else child

    def _with_files(self, project: Tree, made: Table) -> Table:
        """Return the table with the columns that a projection computes for a file source."""
        known = dict(made.known)
        for column in project.expressions("projectList"):
            if column.kind == "Alias" and (source := self.files.get(_id(column))):
                name = column.fields["name"]
                known[_id(column)] = Column(name, _copy_of(source, name))
        return made._replace(known=known)

    def _begun(self, leaf: Tree) -> Table | None:
        """Return the table that a leaf reads, or None if it has no name."""
        table = _alike(named(leaf), NOTHING)
        if not table.ids:
            return None
        if all(id in self.files for id in table.ids):
            return _columns_of(self.files[table.ids[0]], table)
        relation = self.relations.get(table.ids[0])
        if relation is None:
            return None
        renamed = relation.renamed
        begun = _columns_of(self.nodes.get(relation.name, relation.name), table, renamed)
        for id, (name, value) in begun.known.items():
            if relation.opaque:
                value = Value(recipe=value.recipe).untraceable(relation.opaque)
            elif name in TELLTALES:
                value = value.untraceable(f"Iceberg's {name}, which tells of other columns")
            elif renamed.get(name, name) is None:
                value = value.untraceable(f"{name}, which {relation.name} has no more")
            begun.known[id] = Column(name, value)
        return begun

    def _unknown(self, step: Tree, children: list[Table], rows: Value) -> Table:
        """Return the table of an unknown step: each column may come from all columns below it."""
        functions = step.expressions("functionExpr", "func")
        if functions:
            reason = f"the Python function {functions[0].fields.get('name')}"
        else:
            reason = UNTRACED.get(step.kind, f"Spark's {step.kind}")
        below = [column for child in children for column in child.columns]
        recipe = digest(step.kind, *(column.value.recipe for column in below))
        opaque = Value(untraced=frozenset([reason]), recipe=recipe)
        inputs = (column.value.used_as(COMPUTED) for column in below)
        value = merge([*inputs, opaque]).made_by(recipe)
        columns = named(step)
        if not columns and steps.COLUMNS not in step.fields:
            columns = [(id, child.known[id].name) for child in children for id in child.ids]
        return _alike(columns, value)._replace(rows=merge([rows, opaque]))


class _Scope(Mapping[int, Value]):
    """The values of the columns that a step's expressions may name. Few of them are used."""

    def __init__(self, tables: list[Table], outer: Mapping[int, Value]) -> None:
        self._tables = tables
        self._outer = outer

    def __getitem__(self, id: int) -> Value:
        for table in reversed(self._tables):
            if (column := table.known.get(id)) is not None:
                return column.value
        return self._outer[id]

    def __iter__(self) -> Iterator[int]:
        return iter({*self._outer, *(id for table in self._tables for id in table.known)})

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _with_views(plan: Tree) -> Iterator[tuple[Tree, bool]]:
    """Yield the steps, and whether each is inside a temporary view of the session.

    The order is right to left, parents before children. A staged model is a view itself, below its
    name; its own steps do not count as inside a view.
    """
    own = {plan, *(plan.children if plan.kind == "SubqueryAlias" else ())}
    left = [(plan, False)]
    while left:
        step, is_in_view = left.pop()
        is_view = step.kind == "View" and step not in own and step.fields.get("isTempView")
        is_in_view = is_in_view or bool(is_view)
        yield step, is_in_view
        left += [(child, is_in_view) for child in step.children]


def _columns_of(
    origin: str, table: Table, renamed: Mapping[str, str | None] | None = None
) -> Table:
    """Return the columns as plain copies of a node's columns, under today's names."""
    today = renamed or {}
    known = {
        id: Column(name, _copy_of(origin, today.get(name) or name))
        for id, (name, _) in table.known.items()
    }
    return Table(table.ids, known, Value(recipe=digest(origin)))


def _copy_of(origin: str, column: str) -> Value:
    return Value(frozenset([Origin(origin, column, COPY)]), recipe=digest(origin, column))


def _alike(columns: Iterable[tuple[int, str]], value: Value) -> Table:
    """Return a table of these columns, which all have the same value."""
    known = {id: Column(name, value) for id, name in columns}
    return Table([*known], known)


def _beside(left: Table, right: Table) -> Table:
    return Table([*left.ids, *right.ids], left.known | right.known)


def _project(step: Tree, children: list[Table], rows: Value, values: _Values) -> Table:
    ids, new = outputs(step), step.expressions("projectList")
    known = children[0].known | _listing(new, values(new))
    return Table(ids, {id: known[id] for id in ids}, rows)


def _aggregate(step: Tree, children: list[Table], rows: Value, values: _Values) -> Table:
    by = values(step.expressions("groupingExpressions"))
    new = step.expressions("aggregateExpressions")
    return Table(outputs(step), _listing(new, values(new)), _chosen(rows, GROUP, by, "aggregate"))


def _window(step: Tree, children: list[Table], rows: Value, values: _Values) -> Table:
    new = step.expressions("windowExpressions")
    return Table(outputs(step), children[0].known | _listing(new, values(new)), rows)


def _filter(step: Tree, children: list[Table], rows: Value, values: _Values) -> Table:
    condition = values(step.expressions("condition"))
    return children[0]._replace(rows=_chosen(rows, FILTER, condition))


def _sort(step: Tree, children: list[Table], rows: Value, values: _Values) -> Table:
    return children[0]._replace(rows=_chosen(rows, SORT, values(step.expressions("order"))))


def _distinct(step: Tree, children: list[Table], rows: Value, values: _Values) -> Table:
    keys = values(step.expressions("keys")) or [column.value for column in children[0].columns]
    return children[0]._replace(rows=_chosen(rows, GROUP, keys, "distinct"))


def _join(step: Tree, children: list[Table], rows: Value, values: _Values) -> Table:
    kind = step.word("joinType")
    rows = _chosen(rows, JOIN, values(step.expressions("condition")), kind)
    if kind in ("LeftSemi", "LeftAnti"):
        return children[0]._replace(rows=rows)
    return _beside(*children)._replace(rows=rows)


def _union(step: Tree, children: list[Table], rows: Value, values: _Values) -> Table:
    known = {
        id: first._replace(value=merge([first.value, *(column.value for column in others)]))
        for id, first, *others in zip(
            children[0].ids, *(child.columns for child in children), strict=True
        )
    }
    return Table(children[0].ids, known, rows)


def _set_operation(step: Tree, children: list[Table], rows: Value, values: _Values) -> Table:
    compared = [column.value for child in children for column in child.columns]
    return children[0]._replace(rows=_chosen(rows, FILTER, compared, step.kind))


def _expand(step: Tree, children: list[Table], rows: Value, values: _Values) -> Table:
    columns = named(step)
    if step.fields["projections"] is None:  # Spark does not write them for `unpivot`
        below = children[0].known
        any_of_them = merge(column.value for column in below.values())
        merged = [below[id].value if id in below else any_of_them for id, _ in columns]
    else:
        projections = [values(map(read, projection)) for projection in step.fields["projections"]]
        merged = [merge(column) for column in zip(*projections, strict=True)]
    known = {id: Column(name, value) for (id, name), value in zip(columns, merged, strict=True)}
    return Table([id for id, _ in columns], known, rows)


def _numbered(step: Tree, children: list[Table], rows: Value, values: _Values) -> Table:
    """Return the table of pandas-on-Spark's row index, next to the existing columns."""
    below = children[0].known
    known = {id: below.get(id) or Column(name, NOTHING) for id, name in named(step)}
    return Table([*known], known, rows)


def _generate(step: Tree, children: list[Table], rows: Value, values: _Values) -> Table:
    (generator,) = step.expressions("generator")
    function = generator.children[0] if generator.kind == "GeneratorOuter" else generator
    (value,) = values([generator])
    generated = step.expressions("generatorOutput")

    def made(position: int) -> Value:
        if function.kind == "PosExplode" and position == 0:
            # the last position tells the array's length, as `size` does
            return value.used_as(COMPUTED)
        if function.kind == "Inline":
            return value.field(position)
        if function.kind == "Stack":
            return merge((value.fields or ())[position :: len(generated)])
        return value

    known = children[0].known | _listing(generated, map(made, range(len(generated))))
    # How many rows one row becomes, which may be none.
    length = Value(recipe=value.recipe) if _makes_as_many_rows_of_each(function) else value
    rows = _chosen(rows, FILTER, [length], function.kind)
    ids = outputs(step)
    return Table(ids, {id: known[id] for id in ids}, rows)


def _makes_as_many_rows_of_each(generator: Tree) -> bool:
    """Return whether the query alone tells the number of rows that a generator makes of a row."""
    if generator.kind in GENERATE_AS_MANY:
        return True
    return generator.kind in EXPLODES and generator.children[0].kind == "CreateArray"


_STEPS: dict[str, Callable[..., Table]] = {
    "Project": _project,
    "Aggregate": _aggregate,
    "Window": _window,
    "Filter": _filter,
    "Sort": _sort,
    "Distinct": _distinct,
    "Deduplicate": _distinct,
    "Join": _join,
    "Union": _union,
    "Intersect": _set_operation,
    "Except": _set_operation,
    "Expand": _expand,
    "Generate": _generate,
    "AttachDistributedSequence": _numbered,
}


def _joined(children: list[Table]) -> Value:
    """Return what chooses the rows of a step that keeps those of its children."""
    rows = merge(child.rows for child in children)
    return rows.made_by(digest(*(child.rows.recipe for child in children)))


def _chosen(rows: Value, kind: str, by: list[Value], *how: str) -> Value:
    """Return what chooses the rows after these values have filtered them further."""
    recipe = digest(kind, *how, rows.recipe, *(value.recipe for value in by))
    return merge([rows, *(value.used_as(kind) for value in by)]).made_by(recipe)


def _listing(expressions: Iterable[Tree], values: Iterable[Value]) -> dict[int, Column]:
    """Return the columns that a list of named expressions creates with these values."""
    pairs = zip(expressions, values, strict=True)
    return {_id(named): Column(named.fields["name"], value) for named, value in pairs}


def _id(expression: Tree) -> int:
    assert expression.id is not None
    return expression.id
