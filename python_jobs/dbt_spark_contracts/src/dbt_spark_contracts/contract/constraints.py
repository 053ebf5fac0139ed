"""dbt's constraints, at a column and at the model: what is enforced here, and what is told of.

`not_null` and `check` are. What the query says of `primary_key` and `unique` is in keys.py. Of
`foreign_key` and `custom` dbt's own warning says that they are not.
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

# Types that Iceberg keeps as strings of any length.
_SHORT_TEXT = re.compile(r"(?:var)?char\s*\(\s*(\d+)\s*\)", re.IGNORECASE)


@dataclass(frozen=True)
class Check:
    """A condition on a row. As in SQL, a row for which it is null passes."""

    expression: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.expression})" if self.name else self.expression


def not_null(model: dict) -> set[str]:
    """The names of the columns that the model promises to hold no null.

    Raises CompilationError if it promises that of a column that it does not name.
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
    """The checks of the model and of its columns, and the lengths of its varchars.

    Raises CompilationError if one has no expression.
    """
    found = []
    for name, column in model["columns"].items():
        found += _checks(model, f"column {name}", _of(column))
        data_type = str(column.get("data_type") or "").strip()
        if length := _SHORT_TEXT.fullmatch(data_type):
            found.append(Check(f"length({quoted(name)}) <= {length[1]}", f"{name} {data_type}"))
    return found + _checks(model, "the model", _of(model))


def keys(model: dict) -> dict[tuple[str, ...], bool]:
    """The keys that the model promises: the columns of each, by which no two rows are equal.

    Returns:
        The keys, with whether it is to be said of one that nothing enforces it: `warn_unenforced`.

    Raises:
        CompilationError: If one names a column that the contract does not name.
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
    """Say, in dbt's own words, which of the model's constraints nobody enforces."""
    for column in model["columns"].values():
        for written in _of(column):
            _warn(adapter, ColumnLevelConstraint.from_dict(written))
    for written in _of(model):
        _warn(adapter, ModelLevelConstraint.from_dict(written))


def _warn(adapter: Any, constraint: Any) -> None:
    if constraint.type in _KEYS:
        return
    if not constraint.warn_unenforced:  # dbt-spark, which puts them into its DDL, asks for this
        return
    if constraint.type != ConstraintType.custom:
        adapter.process_parsed_constraint(constraint, lambda ignored: None)
    elif constraint.warn_unsupported:  # dbt says nothing of it
        warn_or_error(
            ConstraintNotSupported(constraint=constraint.type.value, adapter=adapter.type())
        )


def _of(described: dict) -> list[dict]:
    return described.get("constraints") or []


def _type(written: dict) -> ConstraintType:
    return ConstraintType(written["type"])


def _named(model: dict, written: dict) -> list[str]:
    columns = written.get("columns") or []
    # Of `columns: car` dbt makes a list of letters.
    text = "".join(columns) if all(len(name) == 1 for name in columns) else ""
    if len(text) > 1 and (text in model["columns"] or not {*text} <= {*model["columns"]}):
        raise CompilationError(
            f"{model['name']}: the columns of the constraint {_type(written).value} are a text: "
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
    """Raises CompilationError, in one line, for a check that is no condition on one row of `frame`.

    Costs an analysis of the check alone, and no Spark job.
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
