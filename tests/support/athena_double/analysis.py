"""What Trino makes of a query's names and types: which column each is, of what type each part.

Spark finds more than Trino does (an alias beside it in the same select), and takes more for more
(text for a number): so Trino's rules are kept here, before Spark sees the query.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from sqlglot import exp

from tests.support.athena_double.errors import NotInTheDouble, QueryFailed
from tests.support.athena_double.functions import function
from tests.support.athena_double.types import IN_UTC, UNKNOWN, common, goes_for, parts, read_type

# A relation's columns: its names, lower case, and types, in order.
Columns = dict[str, str]

# What Trino calls a column that a query does not name, with its position.
UNNAMED = "_col"

# Of a function, in Trino.
MOST_ARGUMENTS = 127

COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ)


@dataclass
class Scope:
    """What names mean in a query: its relations' columns, the with-queries, and those around it."""

    relations: dict[str, Columns] = field(default_factory=dict)
    queries: dict[str, Columns] = field(default_factory=dict)
    outer: "Scope | None" = None

    def query(self, name: str) -> Columns | None:
        """The columns of the with-query of that name; None if there is none."""
        return self.queries.get(name) or (self.outer.query(name) if self.outer else None)

    def column(self, names: list[str]) -> str:
        """The type of `a`, `t.a`, `a.field`, `t.a.field`. Raises QueryFailed if there is none, or
        more than one."""
        found = []
        if len(names) > 1 and names[1] in self.relations.get(names[0], {}):
            found.append(_field(self.relations[names[0]][names[1]], names[2:]))
        for columns in self.relations.values():
            if not found and names[0] in columns:
                found += [_field(columns[names[0]], names[1:])]
            elif len(names) == 1 and names[0] in columns:
                raise QueryFailed("AMBIGUOUS_NAME", f"Column '{names[0]}' is ambiguous")
        if found:
            return found[0]
        if self.outer:
            return self.outer.column(names)
        raise QueryFailed("COLUMN_NOT_FOUND", f"Column '{'.'.join(names)}' cannot be resolved")


class Analysis:
    """Types a statement's parts: `node.meta` has then the `type` of each expression, and the
    `function` of each call."""

    def __init__(self, columns_of: Callable[[exp.Table], Columns]) -> None:
        self.columns_of = columns_of

    def query(self, node: exp.Expression, outer: Scope | None = None) -> Columns:
        """The result's columns of a query. Raises QueryFailed if Trino would not take it."""
        scope = Scope(outer=outer)
        if with_ := node.args.get("with_"):
            for cte in with_.expressions:
                columns = self.query(cte.this, scope)
                scope.queries[cte.alias.lower()] = _renamed(columns, cte.args["alias"])
        if isinstance(node, exp.Subquery):
            columns = self.query(node.this, scope)
        elif isinstance(node, exp.SetOperation):
            columns = self._set_operation(node, scope)
        elif isinstance(node, exp.Select):
            columns = self._select(node, scope)
        else:
            raise NotInTheDouble(f"{type(node).__name__} as a query")
        if not isinstance(node, exp.Select):
            self._modifiers(node, scope, columns)
        return columns

    def _select(self, node: exp.Select, scope: Scope) -> Columns:
        if from_ := node.args.get("from_"):
            self.relation(from_.this, scope)
        for join in node.args.get("joins") or []:
            if join.args.get("using") or join.method or join.kind not in ("", "INNER", "CROSS"):
                raise NotInTheDouble(f"the join {join.sql('trino')}")
            self.relation(join.this, scope)
            if on := join.args.get("on"):
                self.condition(on, scope)
        if where := node.args.get("where"):
            self.condition(where.this, scope)
        columns: Columns = {}
        for position, item in enumerate(node.expressions):
            for name, kind in self._item(item, position, scope):
                if name in columns:
                    raise NotInTheDouble(f"two columns of one name in a result: {name}")
                columns[name] = kind
        for part in ("group", "having"):
            if clause := node.args.get(part):
                for expression in [clause.this] if part == "having" else clause.expressions:
                    if not expression.is_int:
                        self.type(expression, scope)
        self._modifiers(node, scope, columns)
        return columns

    def _item(self, item: exp.Expression, position: int, scope: Scope):
        """The columns that one item of a select gives."""
        if isinstance(item, exp.Star):
            for columns in scope.relations.values():
                yield from columns.items()
        elif isinstance(item, exp.Column) and isinstance(item.this, exp.Star):
            if item.table.lower() not in scope.relations:
                raise QueryFailed("TABLE_NOT_FOUND", f"Table '{item.table}' cannot be resolved")
            yield from scope.relations[item.table.lower()].items()
        else:
            is_named = isinstance(item, exp.Alias | exp.Column | exp.Dot)
            name = item.alias_or_name.lower() if is_named else f"{UNNAMED}{position}"
            yield name, self.type(item, scope)

    def _modifiers(self, node: exp.Expression, scope: Scope, columns: Columns) -> None:
        """The order, which may name the result's columns, and the limit."""
        if order := node.args.get("order"):
            inner = Scope({"": columns}, outer=scope)
            for ordered in order.expressions:
                if not ordered.this.is_int:
                    self.type(ordered.this, inner)
        if limit := node.args.get("limit"):
            self.type(limit.expression, scope)

    def _set_operation(self, node: exp.SetOperation, scope: Scope) -> Columns:
        left, right = self.query(node.left, scope), self.query(node.right, scope)
        found = [common(*pair) for pair in zip(left.values(), right.values(), strict=False)]
        if len(left) != len(right) or None in found:
            kinds = [", ".join(columns.values()) for columns in (left, right)]
            raise QueryFailed("TYPE_MISMATCH", f"Columns of incompatible types: {kinds}")
        return dict(zip(left, found, strict=True))

    def relation(self, node: exp.Expression, scope: Scope) -> None:
        """Add a relation of `from` or `join` to the scope."""
        alias = node.args.get("alias")
        if isinstance(node, exp.Table):
            columns = None if node.db else scope.query(node.name.lower())
            node.meta["is_query"] = columns is not None
            columns = columns or self.columns_of(node)
        elif isinstance(node, exp.Subquery):
            columns = self.query(node, scope)
        elif isinstance(node, exp.Values):
            columns = self._values(node, scope)
        else:
            raise NotInTheDouble(f"{type(node).__name__} as a relation")
        name = node.alias_or_name.lower()
        if name in scope.relations:
            raise QueryFailed("SYNTAX_ERROR", f"Two relations are named '{name}'")
        scope.relations[name] = _renamed(columns, alias)

    def _values(self, node: exp.Values, scope: Scope) -> Columns:
        columns: list[str | None] = []
        for row in node.expressions:
            kinds = [self.type(one, scope) for one in row.expressions]
            columns = [
                common(*pair) for pair in zip(columns or [UNKNOWN] * len(kinds), kinds, strict=True)
            ]
            if None in columns:
                raise QueryFailed(
                    "TYPE_MISMATCH", f"Values rows have mismatched types: {node.sql()}"
                )
        return {f"{UNNAMED}{position}": kind for position, kind in enumerate(columns)}

    def type(self, node: exp.Expression, scope: Scope) -> str:
        """An expression's type. Raises QueryFailed if Trino would not take it."""
        kind = self._type(node, scope)
        node.meta["type"] = kind
        return kind

    def _type(self, node: exp.Expression, scope: Scope) -> str:
        match node:
            case exp.Alias() | exp.Paren() | exp.Ordered():
                return self.type(node.this, scope)
            case exp.Null():
                return UNKNOWN
            case exp.Literal():
                return _of_literal(node)
            case exp.Column() | exp.Dot():
                return scope.column([part.name.lower() for part in node.parts])
            case exp.Cast():
                self.type(node.this, scope)
                return read_type(node.to)
            case exp.Anonymous():
                return self._call(node, node.name.lower(), node.expressions, scope)
            case exp.Bracket():
                return self._call(node, "[]", [node.this, *node.expressions], scope)
            case exp.Identifier():
                return scope.column([node.name.lower()])
            case exp.Distinct(expressions=[one]):
                return self.type(one, scope)
            case exp.Window():
                order = node.args.get("order") or exp.Order()
                for one in [*node.args.get("partition_by", []), *order.expressions]:
                    self.type(one, scope)
                return self.type(node.this, scope)
            case exp.Case():
                return self._case(node, scope)
            case exp.If():
                self.condition(node.this, scope)
                return self._same([node.args["true"], node.args.get("false")], scope, node)
            case exp.Subquery():
                (kind,) = self.query(node, scope).values()
                return kind
            case exp.Array():
                return f"array({self._same(node.expressions, scope, node)})"
            case exp.DPipe():
                return function("concat", [self.type(one, scope) for one in _operands(node)])[1]
            case exp.Neg() | exp.Add() | exp.Sub() | exp.Mul():
                return self._number(node, scope)
            case exp.AtTimeZone():
                kind = self.type(node.this, scope)
                if node.args["zone"].name != "UTC" or "with time zone" not in kind:
                    raise NotInTheDouble(f"a time zone other than UTC: {node.sql('trino')}")
                return kind.removesuffix(IN_UTC) + IN_UTC
            case _:
                return self._boolean(node, scope)

    def _boolean(self, node: exp.Expression, scope: Scope) -> str:
        match node:
            case exp.Boolean():
                pass
            case exp.And() | exp.Or():
                for one in _operands(node):
                    self.condition(one, scope)
            case exp.Not():
                self.condition(node.this, scope)
            case exp.Exists():
                self.query(node.this, scope)
            case exp.Is(expression=exp.Null()):
                self.type(node.this, scope)
            case exp.In():
                query = node.args.get("query")
                self._same([node.this, *([query] if query else node.expressions)], scope, node)
            case exp.Between():
                self._same([node.this, node.args["low"], node.args["high"]], scope, node)
            case _ if isinstance(node, COMPARISONS):
                self._same(_operands(node), scope, node)
            case _:
                raise NotInTheDouble(f"{type(node).__name__}: {node.sql('trino')}")
        return "boolean"

    def _call(self, node: exp.Expression, name: str, arguments: list, scope: Scope) -> str:
        if len(arguments) > MOST_ARGUMENTS:
            raise QueryFailed(
                "TOO_MANY_ARGUMENTS", f"Too many arguments for function call {name}()"
            )
        kinds: list[str] = []
        for argument in arguments:
            if isinstance(argument, exp.Lambda):
                # Its parameter is an element of the array before it.
                elements = parts(kinds[0])[1].get("element", UNKNOWN) if kinds else UNKNOWN
                named = {parameter.name.lower(): elements for parameter in argument.expressions}
                kinds.append(f"-> {self.type(argument.this, Scope({'': named}, outer=scope))}")
            elif not isinstance(argument, exp.Star):
                kinds.append(self.type(argument, scope))
        node.meta["function"], kind = function(name, kinds)
        return kind

    def _case(self, node: exp.Case, scope: Scope) -> str:
        for branch in node.args["ifs"]:
            if node.this:
                self._same([node.this, branch.this], scope, node)
            else:
                self.condition(branch.this, scope)
        results = [*(branch.args["true"] for branch in node.args["ifs"]), node.args.get("default")]
        return self._same(results, scope, node)

    def _number(self, node: exp.Expression, scope: Scope) -> str:
        kind = self._same([node.this, node.args.get("expression")], scope, node)
        is_literal = isinstance(node, exp.Neg) and isinstance(node.this, exp.Literal)
        if kind not in ("integer", "bigint", "double") and not is_literal:
            raise NotInTheDouble(f"arithmetic with {kind}: {node.sql('trino')}")
        return kind

    def _same(self, nodes: list, scope: Scope, around: exp.Expression) -> str:
        """The type that all of them go for. Raises QueryFailed if there is none."""
        kinds = [self.type(node, scope) for node in nodes if node is not None]
        found: str | None = UNKNOWN
        for kind in kinds:
            found = found and common(found, kind)
        if found is None:
            raise QueryFailed(
                "TYPE_MISMATCH", f"Cannot take {', '.join(kinds)} together: {around.sql('trino')}"
            )
        return found

    def condition(self, node: exp.Expression, scope: Scope) -> None:
        """Types a condition. Raises QueryFailed if it is none."""
        self._must_be("boolean", node, scope)

    def _must_be(self, wanted: str, node: exp.Expression, scope: Scope) -> None:
        if not goes_for(kind := self.type(node, scope), wanted):
            raise QueryFailed(
                "TYPE_MISMATCH", f"{wanted} is expected, and this is {kind}: {node.sql('trino')}"
            )


def _operands(node: exp.Expression) -> list[exp.Expression]:
    return [node.this, node.expression]


def _renamed(columns: Columns, alias: exp.TableAlias | None) -> Columns:
    """The columns, by the names that an alias gives them: `as t (a, b)`."""
    names = [name.name.lower() for name in alias.columns] if alias else []
    if not names:
        return columns
    if len(names) != len(columns):
        raise QueryFailed(
            "MISMATCHED_COLUMN_ALIASES", f"{len(names)} names for {len(columns)} columns"
        )
    return dict(zip(names, columns.values(), strict=True))


def _field(kind: str, names: list[str]) -> str:
    """The type of a field of a field … of a row type."""
    for name in names:
        nested, fields = parts(kind)
        if nested != "row" or name not in fields:
            raise QueryFailed("COLUMN_NOT_FOUND", f"'{name}' is no field of {kind}")
        kind = fields[name]
    return kind


def _of_literal(node: exp.Literal) -> str:
    if node.is_string:
        return "varchar"
    text = node.this.lower()
    if "e" in text:
        return "double"
    if "." in text:
        before, _, after = text.partition(".")
        return f"decimal({len(before.lstrip('0')) + len(after)}, {len(after)})"
    return "integer" if int(text) < 2**31 else "bigint"
