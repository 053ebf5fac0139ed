"""Athena's SQL: read as Trino's, and written as Spark's."""

from collections.abc import Callable
from typing import ClassVar

import sqlglot
from sqlglot import exp
from sqlglot.dialects.trino import Trino
from sqlglot.errors import ParseError, TokenError

from tests.support.athena_double.casts import cast
from tests.support.athena_double.errors import NotInTheDouble, QueryFailed
from tests.support.athena_double.functions import spark_cast


class AthenaSql(Trino):
    """Trino as sqlglot reads it, with each function call left as it is written.

    sqlglot knows the functions of some thirty engines, and would take another engine's for Trino's.
    """

    class Parser(Trino.Parser):
        FUNCTIONS: ClassVar[dict] = {}
        FUNCTION_PARSERS: ClassVar[dict] = {
            name: Trino.Parser.FUNCTION_PARSERS[name] for name in ("CAST", "TRY_CAST")
        }


# The constructs that mean the same in Spark once sqlglot has written them there, or that
# `_to_spark` sees to.
KNOWN = {
    # Queries
    *(exp.Select, exp.From, exp.Where, exp.Group, exp.Having, exp.Order, exp.Ordered, exp.Limit),
    *(exp.With, exp.CTE, exp.Subquery, exp.Union, exp.Values, exp.Tuple, exp.Join, exp.Table),
    *(exp.TableAlias, exp.Alias, exp.Star, exp.Identifier, exp.Column, exp.Distinct, exp.Window),
    # Conditions
    *(exp.And, exp.Or, exp.Not, exp.Paren, exp.In, exp.Exists, exp.Between, exp.Is),
    *(exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ),
    *(exp.Case, exp.If),
    # Values
    *(exp.Literal, exp.Null, exp.Boolean, exp.Cast, exp.TryCast, exp.DataType, exp.DataTypeParam),
    *(exp.ColumnDef, exp.Anonymous, exp.Neg, exp.Add, exp.Sub, exp.Mul, exp.DPipe, exp.Dot),
    *(exp.Array, exp.AtTimeZone, exp.Lambda, exp.Bracket),
    # What writes
    *(exp.Insert, exp.Schema, exp.Merge, exp.Whens, exp.When, exp.Update, exp.Create),
    *(exp.Properties, exp.Property, exp.FileFormatProperty, exp.LocationProperty, exp.Var),
}


def read(sql: str) -> exp.Expression:
    """The one statement of Trino SQL. Raises QueryFailed if it is none that the double knows."""
    try:
        statements = [one for one in sqlglot.parse(sql, dialect=AthenaSql) if one is not None]
    except (ParseError, TokenError) as error:
        raise QueryFailed("SYNTAX_ERROR", str(error)) from error
    if len(statements) != 1:
        raise QueryFailed("SYNTAX_ERROR", f"{len(statements)} statements, where one is expected")
    for node in statements[0].walk():
        if type(node) not in KNOWN:
            raise NotInTheDouble(f"{type(node).__name__}: {node.sql('trino')}")
        if isinstance(node, exp.Distinct) and len(node.expressions) > 1:
            raise QueryFailed("SYNTAX_ERROR", "DISTINCT in a function takes one argument")
    return statements[0]


def write(statement: exp.Expression, name_table: Callable[[exp.Table], exp.Table]) -> str:
    """The same in Spark SQL, with each table as `name_table` names it.

    In: a statement that has been analyzed.
    """
    root = exp.Paren(this=statement.copy())
    # What is inside first: a translation puts parts together that are Spark's by then.
    for node in reversed(list(root.this.walk())):
        if isinstance(node, exp.Table) and not node.meta.get("is_query"):
            node.replace(name_table(node))
        elif (translated := _to_spark(node)) is not node:
            translated.meta["type"] = node.meta["type"]
            node.replace(translated)
    return root.this.sql(dialect="spark")


def _to_spark(node: exp.Expression) -> exp.Expression:
    kind = node.meta.get("type")
    match node:
        case exp.Cast():
            return cast(node, node.this.meta["type"], kind, _is_tried(node))
        case exp.Bracket():
            return node.meta["function"].build(
                "[]", [node.this, *node.expressions], _is_tried(node)
            )
        case exp.Anonymous():
            function = node.meta["function"]
            built = function.build(node.name.lower(), node.expressions, _is_tried(node))
            if function.retyped and isinstance(node.parent, exp.Window) and node.arg_key == "this":
                built.meta["retyped"] = True
                return built
            return spark_cast(built, kind) if function.retyped else built
        case exp.Window() if node.this.meta.get("retyped"):
            return spark_cast(node.copy(), kind)
        case exp.If(parent=exp.Expression() as around) if not isinstance(around, exp.Case):
            # Spark's has always three arguments.
            node.set("false", node.args.get("false") or exp.Null())
        case exp.AtTimeZone():
            return node.this
    return node


def _is_tried(node: exp.Expression) -> bool:
    """Is it within `try`, so that it must not fail?"""
    around = node.parent
    while around:
        if isinstance(around, exp.Anonymous) and around.name.lower() == "try":
            return True
        around = around.parent
    return False
