"""Finds Python models whose result depends on their code and their refs alone.

The syntax is analyzed, not run. Only what is listed here is allowed. A missing name or attribute
costs a proof, but never makes a wrong one.
"""

import ast
import functools
import inspect
import typing
from collections.abc import Collection, Iterable, Iterator

from dbt_spark_contracts.cli.check_pull_request.proof.words import depends_on_when_or_where
from dbt_spark_contracts.compat.cpython import parsed
from dbt_spark_contracts.plan.tree import names

LIBRARIES: dict[str, "set[str] | None"] = {
    "pyspark.sql": {"functions", "types", "Window", "DataFrame", "Column"},
    "pyspark.sql.functions": set(),  # see `_functions`
    "pyspark.sql.types": None,
    "pyspark.sql.window": {"Window"},
    "functools": {"reduce", "partial"},
    "typing": None,
    "__future__": None,
}
BUILTINS = names("""
    len range list dict tuple zip map filter enumerate sorted reversed min max sum any all
    str int float bool abs round ValueError TypeError
""")
# They pass values to Python, or run another program.
NOT_OF_SPARK = {"udf", "pandas_udf", "udtf", "call_udf", "call_function", "broadcast_udf"}
OF_DATAFRAMES = names("""
    select selectExpr where filter withColumn withColumns withColumnRenamed
    withColumnsRenamed drop join crossJoin groupBy groupby agg union unionAll unionByName
    distinct dropDuplicates drop_duplicates orderBy sort limit alias hint columns dtypes
    schema fields names name toDF na fill fillna dropna transform rollup cube exceptAll
    intersect intersectAll subtract colRegex melt unpivot repartition sortWithinPartitions
    sum avg mean min max count dataType nullable
""")
OF_WINDOWS = names("""
    partitionBy orderBy rowsBetween rangeBetween unboundedPreceding unboundedFollowing
    currentRow
""")
OF_PYTHON = names("""
    items keys values append extend join split lower upper strip replace startswith endswith
    copy index get
""")
OF_DBT = {"ref", "source", "config", "affected"}
GROUPS = ("groupBy", "groupby", "rollup", "cube")
# A DataFrame has an action, and Spark a function, with each of these names.
AMBIGUOUS = ("count", "first")

# Statements and operators that may check identity, or keep state.
NOT_ALLOWED = (
    ast.Try, ast.With, ast.AsyncWith, ast.AsyncFor, ast.AsyncFunctionDef, ast.Await, ast.ClassDef,
    ast.Global, ast.Nonlocal, ast.Delete, ast.Is, ast.IsNot, ast.Set, ast.SetComp, ast.Yield,
    ast.YieldFrom,
)  # fmt: skip


def is_pure_python(source: str, modules: Collection[str], schemas: Iterable[str]) -> bool:
    """Return whether the source makes the same of its refs in each run, as its plan shows it.

    Args:
        source: The text of a model, or of a module that it imports.
        modules: The project's own modules, which are checked as well.
        schemas: The schema names, which the code must not contain.

    Returns:
        Whether it is pure.
    """
    try:
        syntax = parsed(source)
    except (SyntaxError, ValueError):
        return False
    if depends_on_when_or_where(source, schemas):
        return False
    attributes = OF_DATAFRAMES | OF_WINDOWS | OF_PYTHON | OF_DBT | _of_pyspark()
    others = _other_attributes()
    known = {*_bound(syntax)} | BUILTINS
    spark = {each.args.args[1].arg for each in _models(syntax) if len(each.args.args) > 1}
    for node in ast.walk(syntax):
        if isinstance(node, NOT_ALLOWED) or type(node).__name__ == "Match":
            return False
        if isinstance(node, ast.Attribute) and not _is_allowed(node.attr, attributes, others):
            return False
        if isinstance(node, ast.Name) and not _is_given(node, known, spark):
            return False
        if isinstance(node, (ast.Import, ast.ImportFrom)) and not _is_known(node, modules):
            return False
        if isinstance(node, ast.Call) and _is_action(node):
            return False
    return True


def _is_allowed(name: str, attributes: Collection[str], others: Collection[str]) -> bool:
    """Return whether an attribute is harmless. A name that nothing else has is a column."""
    return name in attributes or not (name.startswith("_") or name in others)


def _is_given(name: ast.Name, known: Collection[str], spark: Collection[str]) -> bool:
    """Return whether the source defines the name, and it is not the session."""
    return not isinstance(name.ctx, ast.Load) or (name.id in known and name.id not in spark)


def _of_pyspark() -> set[str]:
    """Return the names of pyspark's column methods, functions and types."""
    from pyspark.sql import Column, types

    columns = {name for name in dir(Column) if not name.startswith("_")}
    return columns | _functions() | {name for name in dir(types) if name.endswith("Type")}


def _functions() -> set[str]:
    """Return pyspark's column functions, without what its module imports."""
    from pyspark.sql import functions

    return {
        name
        for name, each in vars(functions).items()
        if inspect.isfunction(each)
        and each.__module__ == functions.__name__
        and not name.startswith("_")
    } - NOT_OF_SPARK


def _other_attributes() -> set[str]:
    """Return attributes of DataFrames, modules, dbt and Python values, which are not columns."""
    from pyspark.sql import Column, DataFrame, SparkSession, Window, WindowSpec, functions, types
    from pyspark.sql.group import GroupedData

    owners = (
        *(Column, DataFrame, SparkSession, Window, WindowSpec, GroupedData, functions, types),
        *(
            functools,
            typing,
            str,
            bytes,
            list,
            dict,
            tuple,
            int,
            float,
            range,
            type,
            is_pure_python,
        ),
    )
    return {name for owner in owners for name in dir(owner)} | {"this", "is_incremental", "meta"}


def _bound(syntax: ast.Module) -> Iterator[str]:
    """Yield the names that the source itself defines."""
    for node in ast.walk(syntax):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.alias):
            yield (node.asname or node.name).partition(".")[0]


def _models(syntax: ast.Module) -> list[ast.FunctionDef]:
    return [
        node for node in syntax.body if isinstance(node, ast.FunctionDef) and node.name == "model"
    ]


def _is_known(node: "ast.Import | ast.ImportFrom", modules: Collection[str]) -> bool:
    if isinstance(node, ast.Import):
        return all(_is_module(alias.name, modules) for alias in node.names)
    names = {alias.name for alias in node.names}
    if node.level:
        return True  # a module of the project's own package, which is checked as well
    module = node.module or ""
    if module in LIBRARIES:
        allowed = LIBRARIES[module]
        if module == "pyspark.sql.functions":
            allowed = _functions()
        return "*" not in names and (allowed is None or names <= allowed)
    return _is_module(module, modules) and "*" not in names


def _is_module(name: str, modules: Collection[str]) -> bool:
    is_own = name in modules or f"{name}.__init__" in modules
    is_around = any(module.startswith(f"{name}.") for module in modules)
    return is_own or is_around or name in ("pyspark.sql.functions", "pyspark.sql.types")


def _is_action(call: ast.Call) -> bool:
    """Return whether the call requests rows: `frame.count()` does, unlike `F.count("x")`."""
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in AMBIGUOUS:
        return False
    of = call.func.value
    is_group = isinstance(of, ast.Call) and getattr(of.func, "attr", "") in GROUPS
    return not call.args and not call.keywords and not is_group
