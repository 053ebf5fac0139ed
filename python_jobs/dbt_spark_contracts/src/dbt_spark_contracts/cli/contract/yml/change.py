"""Changes of a model's contract in its yml."""

from dataclasses import dataclass, field
from typing import Any

from dbt_spark_contracts.cli.contract.yml.edits import data_type, scalar

NOT_NULL = {"type": "not_null"}


@dataclass
class ColumnChange:
    """A change of a column. The column is added if the yml does not have it.

    Attributes:
        name: Its name.
        data_type: Its new type, or None to keep it.
        description: Its new description, in the yml's syntax, or None to keep it.
        constraints: Constraints to add.
        meta: Keys to set in its `meta`.
    """

    name: str
    data_type: str | None = None
    description: str | None = None
    constraints: list[dict] = field(default_factory=list)
    meta: dict[str, Any] = field(default_factory=dict)

    def __bool__(self) -> bool:
        is_told = self.data_type is not None or self.description is not None
        return is_told or bool(self.constraints or self.meta)


@dataclass
class ModelChange:
    """A change of a model's entry. The entry is added if the yml does not have it.

    Attributes:
        name: The model's name.
        columns: Changes of columns, in the model's order.
        constraints: Constraints to add to the model.
        description: Its new description, in the yml's syntax, or None to keep it.
        config: Keys to add to its `config`.
        remove: The names of columns to remove.
    """

    name: str
    columns: list[ColumnChange] = field(default_factory=list)
    constraints: list[dict] = field(default_factory=list)
    description: str | None = None
    config: dict[str, Any] = field(default_factory=dict)
    remove: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        is_described = self.description is not None
        return is_described or bool(
            self.config or self.constraints or self.remove or any(self.columns)
        )


def lines_of(column: ColumnChange, dash: int) -> list[str]:
    """Return a new column for a list whose dashes have this indentation."""
    lines = [f"- name: {scalar(column.name)}"]
    if column.data_type:
        lines.append(f"  data_type: {data_type(column.data_type)}")
    if column.description:
        lines.append(f"  description: {scalar(column.description, quote=True)}")
    if column.constraints:
        lines.append(f"  constraints: {scalar(column.constraints)}")
    if column.meta:
        lines += ["  config:", f"    meta: {scalar(column.meta)}"]
    return [" " * dash + line for line in lines]


def lines_of_model(model: ModelChange, dash: int) -> list[str]:
    """Return a new model for a list whose dashes have this indentation."""
    lines = [f"- name: {scalar(model.name)}"]
    if model.description:
        lines.append(f"  description: {scalar(model.description, quote=True)}")
    if model.config:
        lines.append("  config:")
    lines += [f"    {key}: {scalar(value)}" for key, value in model.config.items()]
    if model.constraints:
        lines.append(f"  constraints: {scalar(model.constraints)}")
    if model.columns:
        lines.append("  columns:")
    lines = [" " * dash + line for line in lines]
    # Lists are indented from their key as much as the list of models.
    return lines + [line for each in model.columns for line in lines_of(each, dash + 2 + dash)]
