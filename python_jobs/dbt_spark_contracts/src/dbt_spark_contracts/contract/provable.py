"""What the analyzed plan of a staged model proves of its rows, whatever its contract says."""

from copy import copy
from typing import TYPE_CHECKING

from dbt_spark_contracts.contract.keys import Key, both_ways, held_by_write, tables_in
from dbt_spark_contracts.contract.promise import listed
from dbt_spark_contracts.lineage.project import Project
from dbt_spark_contracts.plan.nodes import analyzed_plan

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def key_of(
    frame: "DataFrame", model: dict, project: Project, not_null: "list[str]"
) -> "Key | None":
    """The smallest key that can be found of a model's table; None if its plan proves none.

    One column is tried first, then as few as are left when one after the other is taken out: those
    that may be null first, then the last ones.

    Args:
        frame: The staged model's rows.
        model: dbt's model.
        project: The tables in plans, and dbt's nodes.
        not_null: The columns that hold no null.
    """
    names = frame.columns
    plan = analyzed_plan(frame)
    ways = both_ways(frame, plan, tables_in(plan, project))
    lowered = [name.lower() for name in names]

    def is_proven(key: "Key") -> bool:
        held, _ = held_by_write(model, key)
        if held is None:
            return False
        positions = [lowered.index(name.lower()) for name in held]
        # Each of its own, because a proof has a limited number of steps.
        return any(copy(way).is_proven(positions) for way in ways)

    ordered = sorted(names, key=lambda name: name not in not_null)
    is_merged = model["config"]["materialized"] == "incremental"
    if is_merged and (merged_by := listed(model["config"].get("unique_key"))):
        merged = {name.lower() for name in merged_by}
        key = tuple(name for name in names if name.lower() in merged)
        return key if key and is_proven(key) else None
    if (single := next(((name,) for name in ordered if is_proven((name,))), None)) is not None:
        return single
    left = tuple(ordered)
    if not is_proven(left):
        return None
    for name in reversed(ordered):
        fewer = tuple(each for each in left if each != name)
        if fewer and is_proven(fewer):
            left = fewer
    return tuple(name for name in names if name in left)
