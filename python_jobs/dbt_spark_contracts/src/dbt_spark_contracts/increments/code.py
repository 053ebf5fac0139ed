"""What decides about the rows of a Python model, except for the rows that it reads."""

import ast
import hashlib
import json
import re
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from dbt_spark_contracts.compat import pyspark
from dbt_spark_contracts.compat.cpython import parsed
from dbt_spark_contracts.increments.history import Unknown
from dbt_spark_contracts.lineage.relations import Relation, relations_of
from dbt_spark_contracts.plan.tree import names

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from dbt_spark_contracts.lineage.watch import Collected

# Modules of Python whose answers depend on their arguments only. Others may ask the clock, the
# environment or a file.
_PURE = names("""
    __future__ abc base64 bisect collections colorsys copy dataclasses decimal difflib enum
    fractions functools hashlib heapq html itertools json keyword math numbers operator re
    string textwrap types typing unicodedata
""")

# A text that Spark may read as a date, and that means another one tomorrow.
_DAY = re.compile(r"""(^|["'])\s*(now|today|tomorrow|yesterday)\b""", re.IGNORECASE)

# Leaves of a plan without rows of a table: the code itself says them, or another part of the plan.
_IN_THE_CODE = ("LocalRelation", "OneRowRelation", "Range", "CTERelationRef")


def checksum(model: dict, values: dict[str, Any]) -> str:
    """Return a checksum of a model's code, its contract, and these values of its config."""
    contract = (model.get("contract") or {}).get("checksum")
    unique_key, constraints = model["config"].get("unique_key"), model.get("constraints")
    return checksum_of(model["raw_code"], contract, unique_key, constraints, values)


def checksum_of(*told: Any) -> str:
    """Return a checksum of these values, and of the versions that run with them."""
    text = json.dumps([*told, _packages()], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def _packages() -> dict[str, str]:
    """Return the versions that run. Python reads and parses the metadata of a package each time."""
    return {name: version(name) for name in ("dbt-spark-contracts", "pyspark")}


def require_known(
    frame: "DataFrame", source: str, collected: "Collected", parents: "set[str]"
) -> None:
    """Check that a model's rows depend on nothing but its code, its config and its refs.

    Args:
        frame: What the model returns.
        source: Its code.
        collected: What it has collected while it ran.
        parents: The tables that it has from `ref` and `source`, and its own.

    Raises:
        Unknown: If something else may decide, too.
    """
    tree = parsed(source)
    for root in sorted({name.partition(".")[0] for name in _imported(tree)}):
        if root != "pyspark" and root not in _PURE:
            raise Unknown(f"the model imports {root}, which may change unseen")
    for text in _texts(tree):
        if day := day_in(text):
            raise Unknown(f"its text '{day}' may be a day that Spark takes from the clock")
    if collected.frames or collected.others:
        raise Unknown("the model uses values that it has collected, or read elsewhere")
    require_rows_only(frame, parents)


def require_rows_only(frame: "DataFrame", parents: "set[str]") -> "list[Relation]":
    """Check that a query depends on nothing but the rows of these tables.

    Args:
        frame: The query.
        parents: The full names of the tables, as `note.key` returns them.

    Returns:
        What it reads of them.

    Raises:
        Unknown: If something else may decide, too.
    """
    plan = pyspark.analyzed_plan(frame)
    of_the_day = pyspark.has_any(frame, "CURRENT_LIKE") or pyspark.casts_a_day(frame)
    if of_the_day or not plan.deterministic():
        raise Unknown("the model's rows depend on chance or on the clock")
    catalog = pyspark.current_catalog(frame.sparkSession).name().lower()
    # A table of another catalog may have the same schema and name.
    known = {*parents, *(f"{catalog}.{name}" for name in parents)}
    found, relations = [], relations_of(frame)
    for part in (plan, *pyspark.elements(plan.subqueriesAll())):
        for leaf in pyspark.elements(part.collectLeaves()):
            if leaf.nodeName() in _IN_THE_CODE or leaf.output().isEmpty():
                continue
            relation = relations.get(leaf.output().head().exprId().id())
            if relation is None or relation.name not in known:
                raise Unknown("the model reads something that is no ref")
            found.append(relation)
    return found


def day_in(text: str) -> str | None:
    """Return the word in a text that may be a day to Spark, such as `today`. None if there is none.

    Of a literal such as `date 'today'`, the plan has only the date.

    https://spark.apache.org/docs/3.5.9/sql-migration-guide.html#upgrading-from-spark-sql-31-to-32
    """
    found = _DAY.search(text)
    return found and found.group(2)


def _texts(tree: ast.AST) -> Iterator[str]:
    """Yield the texts in a model's code, without its docstrings."""
    nodes = [*ast.walk(tree)]
    alone = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone:
            yield node.value


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "."
        elif isinstance(node, ast.Name) and node.id in ("__import__", "eval", "exec", "compile"):
            yield "builtins." + node.id
