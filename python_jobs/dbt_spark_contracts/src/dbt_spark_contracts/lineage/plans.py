"""What each step of a plan that Spark has analyzed makes of the columns below it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from dbt_spark_contracts.lineage.expressions import value_of
from dbt_spark_contracts.lineage.relations import Relation
from dbt_spark_contracts.lineage.values import (
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
from dbt_spark_contracts.plan import steps
from dbt_spark_contracts.plan.steps import listed
from dbt_spark_contracts.plan.tree import kind_of, names

# They hand on all of their columns, and what else they do shows in their fields. What names its
# rows, or orders them by columns, is read by itself.
PASSES = steps.PASSES - names("SubqueryAlias Sort") | names("CTERelationDef Subquery")
# Of those, they choose rows, though by no column.
LIMITS = names("GlobalLimit LocalLimit Offset Tail Sample")

# How dbt calls what an ephemeral model becomes in the query of another.
EPHEMERAL = "__dbt__cte__"

# They list names and types, and no value of a column.
LISTS = names("""
    ShowTables ShowTablesCommand ShowViews ShowViewsCommand ShowNamespaces ShowColumns
    DescribeRelation DescribeTableCommand DescribeColumn
""")

# What cannot be seen through, in words.
UNTRACED = {
    "LogicalRDD": "rows that came through Python, an RDD or a checkpoint",
    "ExternalRDD": "rows that came through an RDD",
    "LocalRelation": "rows that stand in the code or came through Python",
    "LogicalRelation": "files that the model reads by itself",
    "DataSourceV2Relation": "a table that is read without its name",
}

# Columns that Iceberg adds to each table, which may hold values of others: a file's path names the
# values that it is partitioned by.
TELLTALES = names("_file _partition")


@dataclass(frozen=True)
class Column:
    """A column of a step: Spark's number of it, its name, what is known of its values."""

    id: int
    name: str
    value: Value


@dataclass(frozen=True)
class Table:
    """A step's columns, and what its rows are chosen, joined or grouped by."""

    columns: tuple[Column, ...]
    rows: Value = NOTHING


class PlanReader:
    """Reads one plan.

    Args:
        nodes: The dbt nodes by the name that they have in plans: `Project.names`.
        relations: What the plan's leaves read, by the number of their first column.
        files: The sources of files by the numbers of the columns that they were read with.
        has_literal_rows: Whether rows that stand in the plan are known to be literals of its query.
        collected: What the model has collected of columns that are marked or unknown, in words:
            then whatever is not a plain column may be made of it.
        volatile: Texts that differ in each run.
    """

    def __init__(
        self,
        nodes: Mapping[str, str],
        relations: Mapping[int, Relation],
        files: Mapping[int, str],
        has_literal_rows: bool = False,
        collected: str = "",
        volatile: tuple[str, ...] = (),
    ) -> None:
        self.nodes = nodes
        self.relations = relations
        self.files = files
        self.has_literal_rows = has_literal_rows and not collected
        self.collected = collected
        self.volatile = volatile
        self._ctes: dict[int, tuple[list[dict], dict[int, Value]]] = {}
        self._read_ctes: dict[int, Table] = {}
        self._is_in_view = False

    def read(self, plan: list[dict], outer: dict[int, Value] | None = None) -> Table:
        """The columns and rows that a plan ends in. In: its nodes, each before its children."""
        outer = outer or {}
        ends = _ends(plan)
        for start, node in enumerate(plan):
            if kind_of(node) == "CTERelationDef":
                self._ctes[node["id"]] = (plan[start : ends[start]], outer)
        tables: list = []
        in_views = _in_temporary_views(plan, ends)
        outside = self._is_in_view
        for position in reversed(range(len(plan))):
            node = plan[position]
            children = [tables.pop() for _ in range(node["num-children"])]
            below = plan[position + 1] if children else None
            self._is_in_view = outside or position in in_views
            tables.append(self._step(node, children, below, outer))
        self._is_in_view = outside
        return tables.pop()

    def subquery(self, plan: list[dict], scope: dict[int, Value]) -> tuple[list[Value], Value]:
        """The columns of a plan within an expression, and what chooses its rows."""
        table = self.read(plan, scope)
        return [column.value for column in table.columns], table.rows

    def literal(self, text: str) -> str:
        """A literal as it counts for the recipe."""
        for volatile in self.volatile:
            text = text.replace(volatile, "…")
        return text

    def _step(self, node: dict, children: list[Table], below: dict | None, outer: dict) -> Table:
        kind = kind_of(node)
        scope = dict(outer)
        for child in children:
            scope.update((column.id, column.value) for column in child.columns)

        def values(expressions: list | None) -> list[Value]:
            """The values of a list of expressions, or of one."""
            if expressions and isinstance(expressions[0], dict):
                expressions = [expressions]
            return [value_of(expression, scope, self) for expression in expressions or ()]

        if kind == "SubqueryAlias":
            return self._named(node, children[0], below)
        if kind == "WithCTE":
            return children[node["plan"]]
        if kind == "CTERelationRef":
            cte = self._cte(node["cteId"])
            ids = [_number(attribute) for attribute in node["output"]]
            renumbered = zip(ids, cte.columns, strict=True)
            return Table(tuple(replace(column, id=id) for id, column in renumbered), cte.rows)
        rows = _joined(children)
        if kind in LIMITS:
            limit = [value.recipe for value in values(node.get("limitExpr"))]
            rows = rows.made_by(digest(kind, rows.recipe, *limit))
        if kind in PASSES:
            return Table(children[0].columns, rows)
        if step := _STEPS.get(kind):
            made = step(node, children, rows, values)
            return self._with_files(node, made) if kind == "Project" and self.files else made
        if kind in LISTS or kind == "OneRowRelation" or (kind == "Range" and not self.collected):
            return Table(_outputs(node, lambda _: NOTHING))
        if not children and (begun := self._begun(node)):
            return begun
        if kind == "LateralJoin":
            right = self.read(node["right"][0]["plan"], scope)
            columns = children[0].columns + right.columns
            return Table(
                columns, _chosen(_joined([*children, right]), JOIN, values(node.get("condition")))
            )
        if kind == "LocalRelation" and self.has_literal_rows and not self._is_in_view:
            return Table(_outputs(node, lambda _: NOTHING))
        return self._unknown(kind, node, children, rows)

    def _named(self, node: dict, child: Table, below: dict | None) -> Table:
        """A step that names its rows. Anybody may give a name, so by itself it says nothing."""
        identifier = node["identifier"]
        parts = [*listed(identifier.get("qualifier")), identifier["name"]]
        name = ".".join(parts).lower()
        origin = self.nodes.get(name)
        if origin is None:
            return child
        if name.startswith(EPHEMERAL):  # is part of this plan, and so are the columns below it
            begun = _columns_of(origin, child.columns)
            both = zip(child.columns, begun, strict=True)
            return Table(
                tuple(replace(old, value=merge([new.value, old.value])) for old, new in both),
                child.rows,
            )
        # A view of the catalog: an alias has no qualifier, and a table is told by its leaf.
        if len(parts) == 1 or below is None or not below["num-children"]:
            return child
        return Table(_columns_of(origin, child.columns), Value(recipe=digest(origin)))

    def _with_files(self, project: dict, made: Table) -> Table:
        """The same, where a projection computes a column that is a source of files' own."""
        columns = list(made.columns)
        for position, named in enumerate(project["projectList"]):
            if kind_of(named[0]) == "Alias" and (source := self.files.get(_number(named))):
                (columns[position],) = _columns_of(source, (columns[position],))
        return Table(tuple(columns), made.rows)

    def _begun(self, node: dict) -> Table | None:
        """The table that a leaf reads; None if it has no name."""
        columns = _outputs(node, lambda _: NOTHING)
        if not columns:
            return None
        if all(column.id in self.files for column in columns):
            source = self.files[columns[0].id]
            return Table(_columns_of(source, columns), Value(recipe=digest(source)))
        relation = self.relations.get(columns[0].id)
        if relation is None:
            return None
        origin = self.nodes.get(relation.name, relation.name)
        begun = []
        for column in _columns_of(origin, columns, relation.renamed):
            value = column.value
            if relation.opaque:
                value = Value(recipe=value.recipe).untraceable(relation.opaque)
            elif column.name in TELLTALES:
                value = value.untraceable(f"Iceberg's {column.name}, which tells of other columns")
            elif relation.renamed.get(column.name, column.name) is None:
                value = value.untraceable(f"{column.name}, which {relation.name} has no more")
            begun.append(replace(column, value=value))
        return Table(tuple(begun), Value(recipe=digest(origin)))

    def _cte(self, number: int) -> Table:
        if number not in self._read_ctes:
            plan, outer = self._ctes[number]
            self._read_ctes[number] = self.read(plan, outer)
        return self._read_ctes[number]

    def _unknown(self, kind: str, node: dict, children: list[Table], rows: Value) -> Table:
        """A step that nothing is known of: each column may come from all that are below it."""
        functions = node.get("functionExpr") or node.get("func")
        if isinstance(functions, list) and functions:
            reason = f"the Python function {functions[0].get('name')}"
        else:
            reason = UNTRACED.get(kind, f"Spark's {kind}")
        inputs = [column.value for child in children for column in child.columns]
        recipe = digest(kind, *(value.recipe for value in inputs))
        opaque = Value(untraced=frozenset([reason]), recipe=recipe)
        value = merge([*(value.used_as(COMPUTED) for value in inputs), opaque]).made_by(recipe)
        columns = _outputs(node, lambda _: value)
        if not columns:
            below = (column for child in children for column in child.columns)
            columns = tuple(replace(column, value=value) for column in below)
        return Table(columns, merge([rows, opaque]))


def _columns_of(
    origin: str, columns: tuple[Column, ...], renamed: Mapping[str, str | None] | None = None
) -> tuple[Column, ...]:
    """The columns as plain copies of those of a node, or of those that they are called today."""
    names = [((renamed or {}).get(column.name) or column.name) for column in columns]
    return tuple(
        replace(
            column,
            value=Value(frozenset([Origin(origin, name, COPY)]), recipe=digest(origin, name)),
        )
        for column, name in zip(columns, names, strict=True)
    )


def _project(node, children, rows, values) -> Table:
    return Table(_listing(node["projectList"], values(node["projectList"])), rows)


def _aggregate(node, children, rows, values) -> Table:
    columns = _listing(node["aggregateExpressions"], values(node["aggregateExpressions"]))
    return Table(columns, _chosen(rows, GROUP, values(node["groupingExpressions"]), "aggregate"))


def _window(node, children, rows, values) -> Table:
    added = _listing(node["windowExpressions"], values(node["windowExpressions"]))
    return Table(children[0].columns + added, rows)


def _filter(node, children, rows, values) -> Table:
    return Table(children[0].columns, _chosen(rows, FILTER, values(node.get("condition"))))


def _sort(node, children, rows, values) -> Table:
    return Table(children[0].columns, _chosen(rows, SORT, values(node["order"])))


def _distinct(node, children, rows, values) -> Table:
    keys = values(node.get("keys")) or [column.value for column in children[0].columns]
    return Table(children[0].columns, _chosen(rows, GROUP, keys, "distinct"))


def _join(node, children, rows, values) -> Table:
    left, right = children
    kind = str(node["joinType"].get("object") or node["joinType"]).rstrip("$").rpartition(".")[2]
    columns = left.columns if kind in ("LeftSemi", "LeftAnti") else left.columns + right.columns
    return Table(columns, _chosen(rows, JOIN, values(node.get("condition")), kind))


def _union(node, children, rows, values) -> Table:
    columns = tuple(
        replace(first, value=merge([first.value, *(column.value for column in others)]))
        for first, *others in zip(*(child.columns for child in children), strict=True)
    )
    return Table(columns, rows)


def _set_operation(node, children, rows, values) -> Table:
    compared = [column.value for child in children for column in child.columns]
    return Table(children[0].columns, _chosen(rows, FILTER, compared, kind_of(node)))


def _expand(node, children, rows, values) -> Table:
    if node["projections"] is None:  # of `unpivot`, Spark does not write them down
        below = {column.id: column.value for column in children[0].columns}
        ids = [_number(attribute) for attribute in node["output"]]
        any_of_them = merge(below.values())
        return Table(_outputs(node, lambda at: below.get(ids[at], any_of_them)), rows)
    projections = [values(projection) for projection in node["projections"]]
    merged = [merge(column) for column in zip(*projections, strict=True)]
    return Table(_outputs(node, merged.__getitem__), rows)


def _generate(node, children, rows, values) -> Table:
    generator = node["generator"]
    if kind_of(generator[0]) == "GeneratorOuter":
        generator = generator[1:]
    kind = kind_of(generator[0])
    (value,) = values(node["generator"])
    number = len(node["generatorOutput"])

    def made(position: int) -> Value:
        if kind == "PosExplode" and position == 0:
            return value.used_as(COMPUTED)  # the last one tells how long it is, as its size does
        if kind == "Inline":
            return value.field(position)
        if kind == "Stack":
            return merge(value.fields[position::number])
        return value

    left_out = {*listed(node.get("unrequiredChildIndex"))}
    kept = (column for at, column in enumerate(children[0].columns) if at not in left_out)
    generated = _outputs(node, made, "generatorOutput")
    # How many rows one becomes depends on what is in it.
    return Table((*kept, *generated), merge([rows, Value(recipe=digest(kind, value.recipe))]))


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
}


def _joined(children: list[Table]) -> Value:
    """What chooses the rows of a step that has those of its children."""
    rows = merge(child.rows for child in children)
    return rows.made_by(digest(*(child.rows.recipe for child in children)))


def _chosen(rows: Value, kind: str, by: list[Value], *how: str) -> Value:
    """What chooses `rows`, and then some of them by these values, as that kind says."""
    recipe = digest(kind, *how, rows.recipe, *(value.recipe for value in by))
    return merge([rows, *(value.used_as(kind) for value in by)]).made_by(recipe)


def _listing(expressions: list[list[dict]], values: list[Value]) -> tuple[Column, ...]:
    """The columns that a list of named expressions makes, of these values."""
    pairs = zip(expressions, values, strict=True)
    return tuple(Column(_number(named), named[0]["name"], value) for named, value in pairs)


def _outputs(node: dict, value: Callable[[int], Value], *names: str) -> tuple[Column, ...]:
    """The columns that the node itself lists, with the value that `value` says by position."""
    attributes = [
        attribute
        for name in names or ("output", "dataCols", "partitionCols")
        for attribute in node.get(name) or ()
    ]
    return tuple(
        Column(_number(attribute), attribute[0]["name"], value(position))
        for position, attribute in enumerate(attributes)
    )


def _number(expression: list[dict]) -> int:
    return expression[0]["exprId"]["id"]


def _ends(plan: list[dict]) -> dict[int, int]:
    """Where the part of the plan ends that begins at each position."""
    ends: dict[int, int] = {}
    for position in reversed(range(len(plan))):
        end = position + 1
        for _ in range(plan[position]["num-children"]):
            end = ends[end]
        ends[position] = end
    return ends


def _in_temporary_views(plan: list[dict], ends: dict[int, int]) -> set[int]:
    """Which steps of a plan stand in a temporary view of the session.

    A staged model is one itself, below its name: what it holds is its own.
    """
    staged = 1 if kind_of(plan[0]) == "SubqueryAlias" else 0
    return {
        position
        for start, node in enumerate(plan)
        if start > staged and kind_of(node) == "View" and node.get("isTempView")
        for position in range(start, ends[start])
    }
