"""Finds the key for matching rows if there is no --key: the primary key of a contract."""

from collections.abc import Iterable

from dbt_spark_contracts.cli.compare.problem import CannotCompare

PRIMARY = "primary_key"


def primary_key(nodes: Iterable[dict | None]) -> list[str]:
    """Return the primary key of the first of these nodes that has one.

    Raises:
        CannotCompare: If none of them has one.
    """
    for node in filter(None, nodes):
        for written in node.get("constraints") or ():
            if written["type"] == PRIMARY and written.get("columns"):
                return list(written["columns"])
        for column in node["columns"].values():
            if any(written["type"] == PRIMARY for written in column.get("constraints") or ()):
                return [column["name"]]
    raise CannotCompare("no model with a primary key in its contract is compared: give a --key")
