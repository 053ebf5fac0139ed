"""`dbt-spark-contracts erase`: looks everywhere, erases on request, and looks again."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dbt.flags import get_flags
from dbt_common.exceptions import DbtRuntimeError
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException

from dbt_spark_contracts import tables
from dbt_spark_contracts.errors import explain
from dbt_spark_contracts.nodes import MATERIALIZED
from dbt_spark_contracts.publish import branches, log, record, tell
from dbt_spark_contracts.publish.branches import Move
from dbt_spark_contracts.publish.command import Command, is_run_name
from dbt_spark_contracts.publish.erase import outside, rewrite
from dbt_spark_contracts.publish.erase.asked import UNKNOWN, Asked
from dbt_spark_contracts.publish.erase.conditions import INSIDE, match, used
from dbt_spark_contracts.publish.erase.look import Look, Rule, find_snapshots, look
from dbt_spark_contracts.publish.ownership import Ownership
from dbt_spark_contracts.publish.rows import micros
from dbt_spark_contracts.schemas import plain
from dbt_spark_contracts.spark import session as spark_session

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# A shorter value is in too many texts that have nothing to do with it.
SHORTEST = 4

# Why a table that holds the value is not rewritten.
NOT_OURS = "not a table of this project"
A_SOURCE = "a source: erase it there"
NOT_ICEBERG = "not Iceberg: build it again"
THE_LOG = "the log of publishes"


@dataclass(frozen=True)
class Place:
    """A table in which the value may be.

    Attributes:
        name: The table.
        node: dbt's node or source of it. Empty if there is none.
        why_not: Why it is not rewritten. Empty if it is.
    """

    name: str
    node: Mapping[str, Any]
    why_not: str = ""

    @property
    def keys(self) -> list[str]:
        """The names of the columns that identify a row."""
        config = self.node.get("config") or {}
        unique = config.get("unique_key") or []
        found = [unique] if isinstance(unique, str) else list(unique)
        for constraint in self.node.get("constraints") or ():
            if constraint["type"] == "primary_key":
                found += constraint.get("columns") or []
        for column in (self.node.get("columns") or {}).values():
            kinds = {each["type"] for each in column.get("constraints") or ()}
            found += [column["name"]] if "primary_key" in kinds else []
        return found


def erase(owner: Ownership, command: Command, graph: Mapping[str, Any], asked: Asked) -> list[dict]:
    """Look for a value in everything that the project has stored, and erase it on request.

    Args:
        owner: What this command owns.
        command: This command.
        graph: dbt's graph.
        asked: What is to be erased.

    Returns:
        What holds it, a row each. `look` is 1 for what was found first and, after an erasure, 2 for
        what is left.

    Raises:
        DbtRuntimeError: If a build runs, nothing is built, or it cannot be erased. The message is
            one line without the value.
    """
    if spark_session.get().conf.get("spark.eventLog.enabled", "false") == "true":
        raise DbtRuntimeError(
            "Spark's event log would keep the value, for it has each statement: run the command "
            "with spark.eventLog.enabled = false."
        )
    if asked.rewrites:
        owner.lock(command, graph["nodes"], "erase")
    else:
        owner.look(command, graph["nodes"])
    with _without_the_value(asked):
        search = Search(owner, graph, asked)
        first = search.look()
        rows = search.told(first, 1)
        if not asked.rewrites:
            return rows
        if any(first.values()):
            search.check_can_be_erased(first)
            search.erase(first, command.run_name("erase"))
        tell.line("Looking again.")
        return rows + search.told(search.look(first), 2)


class Search:
    """The tables of a project, and what is to be erased in them."""

    def __init__(self, owner: Ownership, graph: Mapping[str, Any], asked: Asked) -> None:
        self._owner, self._graph, self._asked = owner, graph, asked
        self._spark: SparkSession = spark_session.get()
        self._places = _places(owner, graph)

    def look(self, known: Mapping[str, Look] | None = None) -> dict[str, Look]:
        """Look into each table.

        Args:
            known: What an earlier look has found.

        Returns:
            What each table holds, by its key in `_places`.

        Raises:
            DbtRuntimeError: If no table of the project is there.
        """
        found, built = {}, False
        for key, place in self._places.items():
            if branches.find(self._spark, place.name) is not None:
                files = known[key].rows if known and key in known else ()
                one = look(self._spark, place.name, self._rule(place), self._asked, files)
                tell.line(f"{place.name}: {len(one.rows)} of {one.files} data files hold it")
            elif place.node and (other := self._look_at_rows(place)) is not None:
                one = other
                tell.line(f"{place.name}: not Iceberg, so only its rows were looked at")
            else:
                continue
            found[key] = one
            built = built or place.node.get("resource_type") in ("model", "seed", "snapshot")
        if not built:
            raise DbtRuntimeError("Nothing is built: run `dbt build` first.")
        return found

    def _rule(self, place: Place) -> Rule:
        rules = self._asked.rules.get(place.node.get("unique_id", ""), {})
        return lambda column: rules.get(column, UNKNOWN)

    def _look_at_rows(self, place: Place) -> Look | None:
        """Look at the rows of a table that is not Iceberg. None if there is no such table."""
        try:
            frame = self._spark.table(place.name)
        except PySparkException:
            return None
        rule, found = self._rule(place), Look(place.name)
        typed = ((own.name, own.dataType.simpleString()) for own in frame.schema)
        wanted = [match(name, kind, rule(name.lower()), self._asked) for name, kind in typed]
        matches = [each for each in wanted if each]
        if matches:
            counts = ", ".join(f"count_if({each.sql})" for each in matches)
            query = f"select {counts} from {place.name}"
            (numbers,) = self._spark.sql(query, args=used(self._asked, query)).collect()
            for each, number in zip(matches, numbers, strict=True):
                if number:
                    found.matches[each.column.lower()] = each
                    found.rows.setdefault("", {})[each.column.lower()] = number
            found.current = set(found.rows)
        return found

    def told(self, looks: Mapping[str, Look], number: int) -> list[dict]:
        """Return a row for each column and each file that holds the value."""
        rows = [
            row | {"look": number}
            for key, one in looks.items()
            for row in _rows(self._places[key], one)
        ]
        sources = self._graph["sources"].values()
        folders = {
            source["external"]["location"]
            for source in sources
            if (source.get("external") or {}).get("location")
        }
        for folder in sorted(folders):
            tell.line(f"{folder}: looking into the files")
        found = [
            row
            for folder in sorted(folders)
            for row in outside.landing_files(self._spark, folder, self._asked)
        ]
        project = Path(get_flags().PROJECT_DIR)
        found += outside.seed_files(self._graph["nodes"].values(), project, self._asked)
        found += [
            {"kind": outside.CHECKPOINT, "path": path}
            for path in self._owner.checkpoints.left(is_run_name)
        ]
        return rows + [row | {"look": number} for row in found]

    def check_can_be_erased(self, looks: Mapping[str, Look]) -> None:
        """Check that what would be replaced inside of texts is the value.

        Raises:
            DbtRuntimeError: If it is too short to tell.
        """
        if len(self._asked.value) >= SHORTEST:
            return
        for one in looks.values():
            if any(found.how == INSIDE for found in one.matches.values()):
                raise DbtRuntimeError(
                    f"A value of less than {SHORTEST} characters may be anything in the texts of "
                    f"{one.table}: erase a longer value of the person. Nothing was changed."
                )

    def erase(self, looks: Mapping[str, Look], name: str) -> None:
        """Erase what was found.

        Args:
            looks: What was found.
            name: The name of this run.
        """
        owner, spark = self._owner, self._spark
        found = [
            (self._places[key], one)
            for key, one in looks.items()
            if one and not self._places[key].why_not
        ]
        for _, one in found:
            for ref in one.refs:
                owner.check_lease()
                if is_run_name(ref):
                    tell.line(f"{ref} is dropped: its run has held the value back.")
                    owner.drop_branch(ref, owner.tables_with_branches())
                else:
                    tell.change(f"{one.table}: drop {ref}")
                    branches.drop(spark, one.table, ref)
        expired = {one.table: self._rewritten(place, one) for place, one in found}
        self._log(name, list(expired))
        for _, one in found:
            owner.check_lease()
            if ids := expired[one.table]:
                tell.line(f"{one.table}: {len(ids)} snapshots expire")
                rewrite.expire(spark, one.table, sorted(ids))
            rewrite.delete_unnamed(spark, one.table, sorted(one.rows))

    def _rewritten(self, place: Place, one: Look) -> set[int]:
        """Rewrite what readers see of a table. Return the snapshots that then hold the value."""
        owner, spark = self._owner, self._spark
        owner.check_lease()
        if one.current:
            tell.line(f"{one.table}: rewritten")
            rewrite.rewrite_rows(spark, one, place.keys, self._asked)
        now = self._now(one)
        if now.current:
            rewrite.rewrite_files(spark, one.table)
            now = self._now(one)
        if tables.newest_snapshot(spark, one.table, None) in now.named_by:
            owner.check_lease()
            rewrite.forget_removed(spark, one.table)
        return set(now.named_by)

    def _now(self, one: Look) -> Look:
        """Return which snapshots now name a file that holds the value."""
        now = Look(one.table)
        find_snapshots(self._spark, now, {*one.rows}.union(*one.named_by.values()))
        return now

    def _log(self, name: str, touched: list[str]) -> None:
        """Log where main is now, so that a roll back does not look for an expired snapshot."""
        if not self._owner.has_log():
            return
        published = self._owner.log.published_at(micros(record.now()))
        moves = []
        for table in touched:
            now = tables.newest_snapshot(self._spark, table, None)
            seen = published.get(table)
            if seen and now is not None and seen.snapshot_id != now:
                moves.append(Move(table, seen.snapshot_id, now))
        self._owner.log.write(name, log.PUBLISHED, moves)


def _places(owner: Ownership, graph: Mapping[str, Any]) -> dict[str, Place]:
    """Return where the value may be, by plain names in lower case."""
    found: dict[str, Place] = {}

    def add(name: str, node: Mapping[str, Any], why_not: str) -> None:
        found.setdefault(plain(name).lower(), Place(name, node, why_not))

    ours = {*owner.project_tables()}
    for node in graph["nodes"].values():
        name = node.get("relation_name")
        if name and node["config"]["materialized"] in MATERIALIZED:
            add(name, node, "" if name in ours else NOT_ICEBERG)
    for source in graph["sources"].values():
        if not (source.get("external") or {}).get("location"):
            add(source["relation_name"], source, A_SOURCE)
    for name in owner.record_tables:
        add(name, {}, "")
    for name in (owner.log.table, owner.lock_table):
        add(name, {}, THE_LOG)
    for name in owner.tables_with_branches():
        add(name, {}, NOT_OURS)
    return found


def _rows(place: Place, one: Look) -> Iterator[dict]:
    """Yield a row for each column of a table that holds the value."""
    told = {
        "kind": "table",
        "table": plain(place.name),
        "node": place.node.get("unique_id"),
        "not_rewritten": place.why_not or None,
    }
    for name, found in sorted(one.matches.items()):
        files = {file for file, rows in one.rows.items() if name in rows}
        yield told | {
            "column": found.column,
            "found": found.how,
            "rows": sum(one.rows[file][name] for file in files & one.current),
            "files": len(files),
            "unnamed_files": len(files & one.unnamed),
            "snapshots": sorted(id for id, named in one.named_by.items() if named & files),
            "refs": one.refs,
        }
    if one.named_by and not one.matches:
        yield told | {
            "column": None,
            "found": "bounds of removed files",
            "rows": 0,
            "files": 0,
            "unnamed_files": 0,
            "snapshots": sorted(one.named_by),
            "refs": one.refs,
        }


@contextmanager
def _without_the_value(asked: Asked) -> Iterator[None]:
    """Explain errors in one line, which does not have the value: dbt logs it.

    Raises:
        DbtRuntimeError: For each error of Spark, Java or the guard.
    """
    try:
        yield
    except (DbtRuntimeError, Py4JError, PySparkException) as error:
        text = " ".join(explain(error).split()).replace(asked.value, "(the value)")
        raise DbtRuntimeError(text) from None
