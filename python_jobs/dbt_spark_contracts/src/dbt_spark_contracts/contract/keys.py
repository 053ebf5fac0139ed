"""Check the keys that a contract promises against the plan of the staged view.

A key is a `primary_key` or `unique`. As in SQL and in dbt's own test, a null equals nothing.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dbt_spark_contracts import spark_plan
from dbt_spark_contracts.contract import constraints
from dbt_spark_contracts.contract.promise import listed
from dbt_spark_contracts.errors import explain
from dbt_spark_contracts.lineage.artifact import short_name
from dbt_spark_contracts.lineage.project import Project
from dbt_spark_contracts.lineage.relations import relations_of
from dbt_spark_contracts.nodes import is_enforced
from dbt_spark_contracts.plan.fan_out import FanOut, fan_outs
from dbt_spark_contracts.plan.multiplicity import Finer, Table, finer
from dbt_spark_contracts.plan.nodes import analyzed_plan
from dbt_spark_contracts.plan.steps import table_name
from dbt_spark_contracts.plan.tree import Tree
from dbt_spark_contracts.plan.uniqueness import Uniqueness
from dbt_spark_contracts.schemas import quoted

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

# The key in a model's meta that decides what happens if a key is neither proven nor refuted.
UNPROVEN = "unproven_keys"

# Generic tests for duplicate keys, with the argument that holds the columns.
_TESTS = {
    "unique": "column_name",
    "unique_combination": "columns",
    "unique_combination_of_columns": "combination_of_columns",
}

# For these, the staged rows are the whole table.
_WHOLE = ("table", "view", "ephemeral", "seed")

Key = tuple[str, ...]


@dataclass(frozen=True)
class Verdict:
    """What is known about a key before any data is read.

    Attributes:
        key: Its columns.
        is_told_of: Whether to warn if nothing proves it.
        is_proven: Whether it is proven unique.
        refuted_by: The rows of the query, if several of them can share a key.
        repeated: For a seed, a key that occurs several times in the file.
        reason: Why nothing is known, if the reason is not the query.
    """

    key: Key
    is_told_of: bool = True
    is_proven: bool = False
    refuted_by: Finer | None = None
    repeated: tuple | None = None
    reason: str = ""

    @property
    def is_refuted(self) -> bool:
        """Whether the key certainly cannot hold."""
        return self.refuted_by is not None or self.repeated is not None


def judge(frame: "DataFrame", model: dict, project: Project) -> tuple[list[Verdict], list[FanOut]]:
    """Judge the keys of a staged model by its analyzed plan, without a Spark job.

    A seed is judged by its rows, in a small Spark job.

    Args:
        frame: The staged view.
        model: dbt's model.
        project: The tables in plans, and dbt's nodes.

    Returns:
        A verdict per key. For a model with keys, also the sums that a join has multiplied.

    Raises:
        CompilationError: If a key names a column that the contract does not name.
    """
    promised = constraints.keys(model)
    if not promised:
        return [], []
    if model["resource_type"] == "seed":
        return [_of_rows(frame, key, is_told) for key, is_told in promised.items()], []
    try:
        plan = analyzed_plan(frame)
        known = tables_in(plan, project)
        uniqueness = both_ways(frame, plan, known)
        names = [name.lower() for name in frame.columns]
        verdicts = [
            _verdict(model, key, is_told, names, known, uniqueness)
            for key, is_told in promised.items()
        ]
        return verdicts, fan_outs(plan, known, uniqueness[0])
    except Exception as error:  # an unreadable plan neither proves nor refutes
        why = f"its plan cannot be read: {explain(error)}"
        return [Verdict(key, is_told, reason=why) for key, is_told in promised.items()], []


def several_of(
    frame: "DataFrame", by: Mapping[str, str], query: "DataFrame", project: Project
) -> tuple | None:
    """Find a key that several rows share. A null equals nothing.

    Costs a Spark job, unless the plan of the query proves the key.

    Args:
        frame: The rows.
        by: The key's columns or expressions: the name in the query, and the name in the rows.
        query: The query that returns these rows.
        project: The tables in plans, and dbt's nodes.

    Returns:
        The values of the key, or None if there is no duplicate.
    """
    try:
        plan = analyzed_plan(query)
        names = [name.lower() for name in query.columns]
        positions = [names.index(_bare(name).lower()) for name in by]
        ways = both_ways(query, plan, tables_in(plan, project))
        if any(way.is_proven(positions) for way in ways):
            return None
    except Exception:  # an unreadable plan or an expression proves nothing
        pass
    columns = [f"{key} as key_{number}" for number, key in enumerate(by.values())]
    rows = frame.selectExpr(*columns).dropna()
    counted = rows.groupBy(*rows.columns).count()
    found = counted.where("count > 1").drop("count").first()
    return tuple(found) if found else None


def _of_rows(frame: "DataFrame", key: Key, is_told_of: bool) -> Verdict:
    """Judge a key by the rows themselves. A null equals nothing."""
    rows = frame.select(*(quoted(name) for name in key)).dropna().collect()
    repeated = next((tuple(row) for row, count in Counter(rows).items() if count > 1), None)
    return Verdict(key, is_told_of, is_proven=repeated is None, repeated=repeated)


def both_ways(
    frame: "DataFrame", plan: Tree, known: Mapping[str, Table]
) -> tuple[Uniqueness, Uniqueness]:
    """Return both ways to prove a key: nulls count as equal, and as different."""
    elsewhere = frozenset(
        column for column, relation in relations_of(frame).items() if relation.renamed
    )
    is_deterministic = spark_plan.is_deterministic(frame)
    strict = {name: table.without_null for name, table in known.items()}
    keys = {name: table.promised for name, table in known.items()}
    return (
        Uniqueness(plan, strict, is_deterministic, elsewhere=elsewhere),
        Uniqueness(plan, keys, is_deterministic, nulls_differ=True, elsewhere=elsewhere),
    )


def _verdict(
    model: dict,
    key: Key,
    is_told_of: bool,
    names: list[str],
    known: Mapping[str, Table],
    uniqueness: tuple[Uniqueness, Uniqueness],
) -> Verdict:
    def positions(columns: Iterable[str]) -> list[int]:
        return [names.index(name.lower()) for name in columns]

    held, reason = held_by_write(model, key)
    if held is not None and any(way.is_proven(positions(held)) for way in uniqueness):
        return Verdict(key, is_told_of, is_proven=True)
    plan, is_deterministic = uniqueness[0].plan, uniqueness[0].is_deterministic
    rows = finer(plan, positions(key), known, is_deterministic)
    return Verdict(key, is_told_of, refuted_by=rows, reason=reason)


def refutation(model: dict, verdict: Verdict) -> str:
    """Say why a key cannot hold."""
    line = f"{model['name']}: the contract promises one row per {_told(verdict.key)}, and the"
    if verdict.repeated is not None:
        return f"{line} file has several of {_told(map(str, verdict.repeated))}."
    rows = verdict.refuted_by
    assert rows
    return (
        f"{line} query "
        f"has one per {_told(rows.columns)} of {rows.table}; the last step that makes them fewer: "
        f"{rows.last_step or 'none'}."
    )


def doubt(model: dict, verdict: Verdict, project: Project) -> tuple[str, bool]:
    """Say what decides about an unproven key.

    Returns:
        The line, and whether nothing decides.
    """
    key = {name.lower() for name in verdict.key}
    test = next((test for test, of in _tests_of(model["unique_id"], project) if of == key), "")
    why = f" ({verdict.reason})" if verdict.reason else ""
    line = f"{model['name']}: its query does not prove one row per {_told(verdict.key)}{why}"
    if test:
        return f"{line}; the data test {test} decides.", False
    return f"{line}, and no data test looks for it: add one, `unique` for instance.", True


def multiplied(model: dict, sum_of: FanOut) -> str:
    """Warn about a sum that counts rows several times."""
    rows = sum_of.rows
    return (
        f"{model['name']}: a sum of {', '.join(sum_of.summed)} counts a row as often as a join by "
        f"{_told(sum_of.joined_by)} finds {rows.table} for it, which has one per "
        f"{_told(rows.columns)}: sum before the join, or join by the whole key."
    )


def held_by_write(model: dict, key: Key) -> "tuple[Iterable[str] | None, str]":
    """By which columns the staged rows have to be unique, so that those of the table are.

    Args:
        model: dbt's model.
        key: The key. The existing rows of the table satisfy it.

    Returns:
        The columns. Or None and the reason, if new rows may duplicate existing ones.
    """
    config = model["config"]
    if config["materialized"] in _WHOLE:
        return key, ""
    if config["materialized"] != "incremental":
        return None, f"how the materialization {config['materialized']} writes it is not known"
    merged_by = [*map(_bare, listed(config.get("unique_key")))]
    strategy = config.get("incremental_strategy") or ("merge" if merged_by else "append")
    within = {name.lower() for name in key}
    if strategy == "merge":
        if config.get("incremental_predicates") or config.get("predicates"):
            return None, "its merge looks at some rows only"
        is_held = bool(merged_by) and {name.lower() for name in merged_by} <= within
        return (merged_by, "") if is_held else (None, f"it is merged by {_told(merged_by)}")
    if strategy == "delete+insert":
        is_held = bool(merged_by) and {name.lower() for name in merged_by} <= within
        return (key, "") if is_held else (None, f"it replaces rows by {_told(merged_by)}")
    if strategy == "insert_overwrite":
        layout = [
            part.rpartition("(")[2].rstrip(") ") for part in listed(config.get("partition_by"))
        ]
        columns = {part.rpartition(",")[2].strip(" `").lower() for part in layout}
        return (key, "") if columns <= within else (None, "it replaces some partitions only")
    if strategy == "microbatch":
        is_held = _bare(str(config.get("event_time") or "")).lower() in within
        return (key, "") if is_held else (None, "it replaces one batch at a time")
    return None, "its rows are appended to others"


def tables_in(plan: Tree, project: Project) -> dict[str, Table]:
    """What is promised of the tables in the plan, by the names that they have there."""
    there = {table_name(step) for step in plan.walk() if step.kind == "SubqueryAlias"}
    found = {}
    for name in there & set(project.names):
        unique_id = project.names[name]
        node = project.nodes[unique_id]
        promised = constraints.keys(node) if is_enforced(node["config"]) else {}
        merged_by = listed(node["config"].get("unique_key"))
        found[name] = Table(
            short_name(unique_id),
            [_lower(key) for key in promised],
            [_lower(key) for key in promised if {*key} <= constraints.not_null(node)],
            [
                *(key for _, key in _tests_of(unique_id, project)),
                *([_lower(merged_by)] if merged_by else []),
            ],
        )
    return found


def _tests_of(unique_id: str, project: Project) -> list[tuple[str, frozenset[str]]]:
    """Return the data tests for duplicate keys of a node: their names and keys.

    A test with unreadable columns gets an empty key, as if the table had one row. So it refutes
    nothing.
    """
    found = []
    for node in project.tests.get(unique_id, ()):
        asked = node["test_metadata"]
        if "unique" in asked["name"]:
            columns = asked.get("kwargs", {}).get(_TESTS.get(asked["name"], ""))
            found.append((node["name"], _lower(listed(columns))))
    return found


def _bare(name: str) -> str:
    """Return a column's name without quotes: `a` is a, and `a``b` is a`b."""
    name = name.strip()
    is_quoted = len(name) > 1 and name[0] == name[-1] and name[0] in '`"'
    return name[1:-1].replace(name[0] * 2, name[0]) if is_quoted else name


def _lower(names: Iterable[str]) -> frozenset[str]:
    return frozenset(_bare(name).lower() for name in names)


def _told(columns: Iterable[str]) -> str:
    return f"({', '.join(columns)})"
