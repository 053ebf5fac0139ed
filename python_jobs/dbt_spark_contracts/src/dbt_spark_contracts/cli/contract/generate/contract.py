"""Computes what to add to a model's yml so that it has the contract of its plan."""

from dataclasses import dataclass, field

from dbt_spark_contracts.cli.contract.generate.analysis import Found
from dbt_spark_contracts.cli.contract.generate.inherit import Descriptions
from dbt_spark_contracts.cli.contract.select import config_to_enforce
from dbt_spark_contracts.cli.contract.yml.change import NOT_NULL, ColumnChange, ModelChange
from dbt_spark_contracts.contract import constraints
from dbt_spark_contracts.lineage import marks
from dbt_spark_contracts.lineage.places import SILVER_ONLY, STAYS_IN
from dbt_spark_contracts.lineage.project import Project, marks_of


@dataclass
class Generated:
    """A generated contract.

    Attributes:
        change: The change of the yml.
        told: Messages for the user.
        contradicted: What the yml has and the plan does not, and is kept. One line each.
    """

    change: ModelChange
    told: list[str] = field(default_factory=list)
    contradicted: list[str] = field(default_factory=list)


def contract_of(
    node: dict,
    written: dict,
    found: Found,
    project: Project,
    descriptions: Descriptions,
    remove: bool,
) -> Generated:
    """Compare a model's yml with its plan.

    Existing descriptions, marks and constraints were decided by somebody, so they stay. A column
    that already has a type gets no new constraint. Only a type that differs from the plan changes.

    Args:
        node: The model.
        written: Its entry in the yml, unparsed by dbt.
        found: The result of its analysis.
        project: The tables in plans.
        descriptions: The descriptions of its parents' columns.
        remove: Whether to remove columns that the model no longer has.

    Returns:
        The generated contract.
    """
    name = node["name"]
    known = {str(each["name"]).lower(): each for each in written.get("columns") or ()}
    is_new = not any(each.get("data_type") for each in known.values())
    made = Generated(ModelChange(name, config=config_to_enforce(node)))
    not_null = {each.lower() for each in constraints.not_null(node)}
    for column, data_type in found.types.items():
        own = known.get(column.lower(), {})
        change = ColumnChange(column)
        typed = own.get("data_type")
        if str(typed or "").lower() != data_type:
            change.data_type = data_type
        if typed and change.data_type and _is_spelled_otherwise(str(typed), data_type):
            change.data_type = None
        if typed and change.data_type:
            made.told.append(f"{name}.{column}: {typed} becomes {data_type}")
        if not (own.get("description") or "").strip():
            text = descriptions.inherited(found.lineage.columns[column])
            change.description = text or None
        if column in found.not_null and column.lower() not in not_null:
            if typed:
                made.told.append(
                    f"{name}.{column} is never null, so its contract can have not_null"
                )
            else:
                change.constraints = [NOT_NULL]
        carried = marks.to_carry(node, column, found.lineage.columns[column], project.nodes)
        there = marks_of(node, column)
        for mark, value in carried.items():
            if (STAYS_IN if mark == SILVER_ONLY else mark) in there:
                continue
            change.meta[mark] = value
            made.told.append(
                f"{name}.{column} gets the mark {mark}, because it is computed from a marked column"
            )
        made.change.columns.append(change)
    promised = {column.lower() for column in not_null} - {each.lower() for each in found.not_null}
    for column in found.types:
        if column.lower() in promised:
            made.contradicted.append(
                f"{name}.{column}: the contract has not_null, but the query does not prove it"
            )
    _add_key(made, node, found, is_new)
    there = {column.lower() for column in found.types}
    for column in (str(each["name"]) for key, each in known.items() if key not in there):
        if remove:
            made.change.remove.append(column)
            made.told.append(f"{name}.{column} is removed, because the model has no such column")
        else:
            made.contradicted.append(
                f"{name}.{column} stays in the yml, but the model has no such column: remove it "
                "with --remove"
            )
    return made


def _add_key(made: Generated, node: dict, found: Found, is_new: bool) -> None:
    if not found.key or constraints.keys(node):
        return
    kind = "primary_key" if {*found.key} <= {*found.not_null} else "unique"
    if is_new:
        made.change.constraints = [{"type": kind, "columns": [*found.key]}]
    else:
        columns = ", ".join(found.key)
        made.told.append(
            f"{node['name']} has one row per ({columns}), so its contract can have {kind}"
        )


# Synonyms that Spark's parser accepts for types.
_SAME = {"integer": "int", "long": "bigint", "real": "float", "dec": "decimal", "short": "smallint"}


def _is_spelled_otherwise(typed: str, data_type: str) -> bool:
    """Return whether a yml names that type, possibly in another spelling. A varchar is a string."""
    bare = "".join(typed.lower().split())
    if data_type == "string" and bare.partition("(")[0] in ("varchar", "char"):
        return True
    return _SAME.get(bare, bare) == data_type


def applied(node: dict, change: ModelChange) -> None:
    """Put the generated contract into dbt's node, for the models that read it."""
    columns = {name.lower(): name for name in node["columns"]}
    for each in change.columns:
        key = columns.get(each.name.lower(), each.name)
        own = node["columns"].setdefault(
            key, {"name": each.name, "description": "", "meta": {}, "constraints": []}
        )
        own["data_type"] = each.data_type or own.get("data_type")
        own["constraints"] = [*(own.get("constraints") or []), *each.constraints]
        own["meta"] = {**(own.get("meta") or {}), **each.meta}
    for gone in change.remove:
        node["columns"].pop(columns[gone.lower()], None)
    node["constraints"] = [*(node.get("constraints") or []), *change.constraints]
    node["config"]["contract"] = {**(node["config"].get("contract") or {}), "enforced": True}
