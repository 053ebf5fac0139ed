"""Limits that a run must keep for its tables to be published: `hold_back` in a model's meta.

    meta:
      hold_back: {rows_fall_by: 0.2, rejected_rise_by: 0.1}

The sizes come from Iceberg's manifest lists, so nothing is scanned. Knows no Spark by itself.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from dbt_common.exceptions import DbtRuntimeError

from dbt_spark_contracts.nodes import WITHOUT_TABLE, has_guard
from dbt_spark_contracts.publish.command import is_number
from dbt_spark_contracts.schemas import plain

# In a model's meta: its limits, and the model of which it holds the rejected records.
HOLD_BACK, HOLDS_REJECTS_OF = "hold_back", "holds_rejects_of"

# The limits, each a share of the rows that readers see. Below 1: a table cannot lose more than all.
ROWS_FALL_BY, REJECTED_RISE_BY = "rows_fall_by", "rejected_rise_by"
_EXAMPLE = f"`{HOLD_BACK}: {{{ROWS_FALL_BY}: 0.2, {REJECTED_RISE_BY}: 0.1}}`"

# What has a table of the guard's.
_KINDS = ("model", "seed", "snapshot")

Nodes = Mapping[str, dict]


def check(nodes: Nodes) -> None:
    """Check all limits of a project, and what its models say of rejected records.

    Args:
        nodes: dbt's nodes by unique id, as in its graph.

    Raises:
        DbtRuntimeError: With a line for each that has no meaning.
    """
    wrong = [line for node in nodes.values() for line in _wrong(node, nodes)]
    has_rejects = any(_meta(node).get(HOLDS_REJECTS_OF) for node in nodes.values())
    limited = [node["name"] for node in nodes.values() if REJECTED_RISE_BY in _limits(node)]
    if limited and not has_rejects and not wrong:
        wrong.append(
            f"{limited[0]}: meta {HOLD_BACK}: {REJECTED_RISE_BY} limits nothing, because no model "
            f"says whose rejected records it holds: `meta: {{{HOLDS_REJECTS_OF}: the model}}`."
        )
    if wrong:
        raise DbtRuntimeError("\n".join(dict.fromkeys(wrong)))


def has_limits(node: dict) -> bool:
    """Return whether a node has limits."""
    return bool(_meta(node).get(HOLD_BACK))


def rejects_of(nodes: Nodes) -> dict[str, list[str]]:
    """Return which nodes hold the rejected records of a node, by unique id."""
    found: dict[str, list[str]] = {}
    for key, node in nodes.items():
        if name := _meta(node).get(HOLDS_REJECTS_OF):
            for of in _named(nodes, name):
                found.setdefault(of, []).append(key)
    return found


def exceeded(
    nodes: Nodes, written: Iterable[str], size: Callable[[str], "tuple[int, int] | None"]
) -> list[str]:
    """Return a phrase for each limit that a run does not keep.

    Args:
        nodes: dbt's nodes by unique id.
        written: The names of the tables that the run has written.
        size: Returns the rows of a table that readers see, and those of the run; None for a table
            that readers have not seen yet.
    """
    by_table = {
        plain(node["relation_name"]): node
        for node in nodes.values()
        if node.get("relation_name") and has_limits(node)
    }
    found: list[str] = []
    for table in sorted(written):
        node = by_table.get(plain(table))
        if node and (rows := size(table)):
            found += _exceeded(table, node, *rows)
    return found


def _exceeded(table: str, node: dict, before: int, after: int) -> Iterable[str]:
    limits, of = _limits(node), _meta(node).get(HOLDS_REJECTS_OF)
    if of:
        name, change, what = REJECTED_RISE_BY, after - before, f"rejected records of {of}"
    else:
        name, change, what = ROWS_FALL_BY, before - after, "rows"
    limit = limits.get(name)
    if limit is None or change <= 0 or (before and change / before <= limit):
        return
    share = f"{_percent(change / before)} {'more' if of else 'fewer'}" if before else "more"
    yield (
        f"{table}: readers see {before:,} {what}, and this run has {after:,}, which is {share}; "
        f"{name} allows {_percent(limit)}"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.4g}%"


def _wrong(node: dict, nodes: Nodes) -> Iterable[str]:
    meta, name = _meta(node), node["name"]
    told = meta.get(HOLD_BACK)
    if told is not None and told is not False and not isinstance(told, Mapping):
        yield f"{name}: meta {HOLD_BACK} is {told!r}, and has to be like {_EXAMPLE}."
    for key, value in _limits(node).items():
        if key not in (ROWS_FALL_BY, REJECTED_RISE_BY):
            yield f"{name}: meta {HOLD_BACK} has no {key}: it is like {_EXAMPLE}."
        elif not is_number(value) or not 0 <= value < (1 if key == ROWS_FALL_BY else float("inf")):
            most = " and less than 1" if key == ROWS_FALL_BY else ""
            yield (
                f"{name}: meta {HOLD_BACK}: {key} is {value!r}, and has to be a share of the rows, "
                f"at least 0{most}: 0.2 is a fifth."
            )
    of = meta.get(HOLDS_REJECTS_OF)
    if of is None or of is False:
        return
    count = len(_named(nodes, of))
    if count != 1:
        yield (
            f"{name}: meta {HOLDS_REJECTS_OF} is {of!r}, which names {count or 'no'} "
            f"model{'s' if count else ''}: name the one whose rejected records it holds."
        )
    config = node["config"]
    if config.get("materialized") in WITHOUT_TABLE or not has_guard(config):
        yield (
            f"{name}: meta {HOLDS_REJECTS_OF} needs an Iceberg table that is written here, where "
            "the rows are counted: make it one, or take that out."
        )


def _named(nodes: Nodes, name: Any) -> list[str]:
    return [
        key
        for key, node in nodes.items()
        if node["name"] == name and node["resource_type"] in _KINDS
    ]


def _limits(node: dict) -> Mapping[str, Any]:
    found = _meta(node).get(HOLD_BACK)
    return found if isinstance(found, Mapping) else {}


def _meta(node: dict) -> dict:
    return (node.get("config") or {}).get("meta") or {}
