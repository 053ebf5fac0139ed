"""dbt's constraints of columns and models: which are enforced, and which only get a warning.

`not_null` and `check` are enforced. keys.py proves or refutes `primary_key` and `unique`. dbt's own
warning covers `foreign_key` and `custom`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dbt.adapters.events.types import ConstraintNotSupported
from dbt_common.contracts.constraints import (
    ColumnLevelConstraint,
    ConstraintType,
    ModelLevelConstraint,
)
from dbt_common.events.functions import warn_or_error
from dbt_common.exceptions import CompilationError
from pyspark.errors import AnalysisException, ParseException

from dbt_spark_contracts.schemas import quoted
from dbt_spark_contracts.spark_plan import is_made_row_by_row

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_KEYS = (ConstraintType.primary_key, ConstraintType.unique)

# Types that Iceberg stores as strings of any length.
_SHORT_TEXT = re.compile(r"(?:var)?char\s*\(\s*(\d+)\s*\)", re.IGNORECASE)


@dataclass(frozen=True)
class Check:
    """A condition on a row. As in SQL, a row for which it is null passes."""

    expression: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.expression})" if self.name else self.expression


def not_null(model: dict) -> set[str]:
    """Return the names of the columns that the model promises to be not null.

    Raises:
        CompilationError: If a constraint names a column that the contract does not name.
    """
    names = {
        name
        for name, column in model["columns"].items()
        if any(_type(written) == ConstraintType.not_null for written in _of(column))
    }
    for written in _of(model):
        if _type(written) == ConstraintType.not_null:
            names |= set(_named(model, written))
    return names


def checks(model: dict) -> list[Check]:
    """Return the checks of the model and its columns, and those for varchar lengths.

    Raises:
        CompilationError: If a check has no expression.
    """
    found = []
    for name, column in model["columns"].items():
        found += _checks(model, f"column {name}", _of(column))
        data_type = str(column.get("data_type") or "").strip()
        if length := _SHORT_TEXT.fullmatch(data_type):
            found.append(Check(f"length({quoted(name)}) <= {length[1]}", f"{name} {data_type}"))
    return found + _checks(model, "the model", _of(model))


def keys(model: dict) -> dict[tuple[str, ...], bool]:
    """Return the keys that the model promises, each as its columns.

    Returns:
        The keys, each with the flag whether to warn that it is not enforced: `warn_unenforced`.

    Raises:
        CompilationError: If a key names a column that the contract does not name.
    """
    found: dict[tuple[str, ...], bool] = {}
    for name, column in model["columns"].items():
        for written in _of(column):
            if _type(written) in _KEYS:
                found[(name,)] = written.get("warn_unenforced") is not False
    for written in _of(model):
        if _type(written) in _KEYS:
            found[tuple(_named(model, written))] = written.get("warn_unenforced") is not False
    return found


def _checks(model: dict, where: str, constraints: Iterable[dict]) -> list[Check]:
    found = []
    for written in constraints:
        if _type(written) == ConstraintType.check:
            if not (written.get("expression") or "").strip():
                raise CompilationError(f"{model['name']}: a check at {where} has no expression.")
            found.append(Check(written["expression"].strip(), written.get("name") or ""))
    return found


def warn_of_others(adapter: type, model: dict) -> None:
    """Warn, in dbt's own words, about the constraints that are not enforced."""
    for column in model["columns"].values():
        for written in _of(column):
            _warn(adapter, ColumnLevelConstraint.from_dict(written))
    for written in _of(model):
        _warn(adapter, ModelLevelConstraint.from_dict(written))


def _warn(adapter: Any, constraint: Any) -> None:
    if constraint.type in _KEYS:
        return
    if not constraint.warn_unenforced:  # dbt-spark's own DDL respects this, too
        return
    if constraint.type != ConstraintType.custom:
        adapter.process_parsed_constraint(constraint, lambda ignored: None)
    elif constraint.warn_unsupported:  # dbt does not warn about it
        warn_or_error(
            ConstraintNotSupported(constraint=constraint.type.value, adapter=adapter.type())
        )


def _of(described: dict) -> list[dict]:
    return described.get("constraints") or []


def _type(written: dict) -> ConstraintType:
    return ConstraintType(written["type"])


def _named(model: dict, written: dict) -> list[str]:
    columns = written.get("columns") or []
    # dbt turns `columns: car` into a list of letters.
    text = "".join(columns) if all(len(name) == 1 for name in columns) else ""
    if len(text) > 1 and (text in model["columns"] or not {*text} <= {*model["columns"]}):
        raise CompilationError(
            f"{model['name']}: the columns of the constraint {_type(written).value} are a string: "
            f"write a list, `columns: [{text}]`."
        )
    for name in columns:
        if name not in model["columns"]:
            raise CompilationError(
                f"{model['name']}: the constraint {_type(written).value} names the column {name}, "
                "and the contract has none of that name."
            )
    if not columns:
        raise CompilationError(
            f"{model['name']}: the model's constraint {_type(written).value} names no columns."
        )
    return columns


def require_conditions(frame: "DataFrame", table: str, conditions: Iterable[Check]) -> None:
    """Check that each check is a condition on a single row of `frame`.

    Each check is analyzed on its own. No Spark job.

    Raises:
        CompilationError: For the first check that is not. The message is one line.
    """
    for check in conditions:
        try:
            reason = _no_condition(frame.selectExpr(f"({check.expression}) as ok"), frame)
        except (AnalysisException, ParseException) as error:
            reason = str(error).strip().splitlines()[0]
        if reason:
            raise CompilationError(f"{table}: the check {check} cannot be enforced: {reason}")


def _no_condition(asked: "DataFrame", below: "DataFrame") -> str | None:
    if (kind := asked.schema[0].dataType.simpleString()) != "boolean":
        return f"it is {kind}, and no condition"
    if not is_made_row_by_row(asked, below):
        return "it has to be told from one row alone"
    return None
