"""What the macros of macros/contract ask of the adapter."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from dbt.adapters.base.meta import AdapterMeta, available
from dbt.events.types import JinjaLogWarning
from dbt_common.events.base_types import EventLevel
from dbt_common.events.functions import fire_event, warn_or_error
from dbt_common.events.types import Note
from dbt_common.exceptions import CompilationError, DbtRuntimeError
from pyspark.errors import ParseException

from dbt_spark_contracts import schemas, tables
from dbt_spark_contracts.compat.pyspark import sql_parser
from dbt_spark_contracts.connection import explained
from dbt_spark_contracts.contract import check, constraints, keys, merge, table
from dbt_spark_contracts.contract.check import Drift
from dbt_spark_contracts.contract.promise import Promise, listed, promise
from dbt_spark_contracts.errors import PromiseBroken
from dbt_spark_contracts.nodes import is_enforced
from dbt_spark_contracts.publish import tell
from dbt_spark_contracts.schemas import Change, plain
from dbt_spark_contracts.spark import session

if TYPE_CHECKING:
    from dbt_spark_contracts.invocation import Invocation
    from dbt_spark_contracts.lineage.project import Project


class ContractDoors(metaclass=AdapterMeta):
    """A model's contract, as the steps of a materialization hold to it."""

    invocation: "Invocation"

    # The adapter's: lineage/doors.py.
    project_of: "Callable[[dict], Project]"

    @available
    def get_promise(
        self,
        model: dict,
        relation: Any,
        staged: Any,
        full_refresh: bool,
        internal: Sequence[str] = (),
        dbts_own: Sequence[str] = (),
    ) -> Promise:
        """What the model, which is staged, promises of its table: see `promise`.

        Says which of its constraints nobody enforces.
        """
        with explained():
            made = promise(
                session.get(), model, relation.render(), str(staged), full_refresh, internal
            )
        made.kept_as_found = {name.lower() for name in dbts_own}
        if made.enforced:
            constraints.warn_of_others(type(self), model)
        return made

    @available
    def require_grants(self, relation: Any) -> None:
        """Raises CompilationError, in one line, where Spark has no statement for dbt's `grants`.

        Else it would be known once the table is written. An extension of Spark's may have one.
        """
        try:
            sql_parser(session.get()).parsePlan("grant select on t to `someone`")
        except ParseException:
            raise CompilationError(
                f"{relation}: grants cannot be kept: this Spark has no statement `grant`. Take "
                "them out, and grant rights where the catalog or the storage has them."
            ) from None

    @available
    def check_staged(self, made: Promise) -> None:
        """Hold the staged view against the promise: see `check_staged`."""
        with explained():
            check.check_staged(self.invocation.rows_of(made.staged), made)

    @available
    def merge_columns(self, staged: Any, config: str, names: Any) -> list[str]:
        """The columns that this config of a merge names: see `merge.columns`."""
        if not (wanted := listed(names)):
            return []
        with explained():
            return merge.columns(self.invocation.rows_of(str(staged)), config, wanted)

    @available
    def check_keys(self, staged: Any, model: dict, graph: dict) -> None:
        """Hold the staged view against the keys of an enforced contract: see `keys.judge`.

        Says of each key that nothing proves who decides about it. Raises CompilationError, in one
        line for each, for a key of which the query, or a seed's file, has several rows; and, where
        the model's meta says `unproven_keys: error`, for one that nothing proves. Warns of a sum
        that counts a row several times.
        """
        if not is_enforced(model["config"]):
            return
        project = self.project_of(graph)
        with explained():
            verdicts, sums = keys.judge(self.invocation.rows_of(str(staged)), model, project)
        lines = [keys.refutation(model, found) for found in verdicts if found.is_refuted]
        for verdict in verdicts:
            if verdict.is_proven or verdict.is_refuted:
                continue
            line, is_open = keys.doubt(model, verdict, project)
            if (model["config"].get("meta") or {}).get(keys.UNPROVEN) == "error":
                lines.append(line)
            elif not is_open:
                fire_event(Note(msg=line))
            elif verdict.is_told_of:
                warn_or_error(JinjaLogWarning(msg=line))
        for found in sums:
            warn_or_error(JinjaLogWarning(msg=keys.multiplied(model, found)))
        if lines:
            raise PromiseBroken("key", (("", line) for line in lines))

    @available
    def check_snapshot_key(
        self, staged: Any, model: dict, graph: dict, unique_key: Any, is_first: bool
    ) -> None:
        """Look for two new rows of a snapshot that have one key: a later merge could not tell them.

        Args:
            staged: The staged view: of the first snapshot its rows, else what dbt would merge.
            model: dbt's model.
            graph: dbt's graph.
            unique_key: The snapshot's.
            is_first: Whether its table is yet to be made.

        Raises:
            CompilationError: In one line, if there are such rows.
        """
        wanted = listed(unique_key)
        rows = self.invocation.rows_of(str(staged))
        if is_first:
            by = {key: key for key in wanted}
        else:
            rows = rows.where("dbt_change_type = 'insert'")
            numbered = isinstance(unique_key, (list, tuple))
            by = {
                key: f"dbt_unique_key_{number}" if numbered else "dbt_unique_key"
                for number, key in enumerate(wanted, 1)
            }
        with explained():
            query = session.get().sql(model["compiled_code"])
            found = keys.several_of(rows, by, query, self.project_of(graph))
        if found is not None:
            raise CompilationError(
                f"{model['name']}: its unique_key promises one row per ({', '.join(wanted)}), and "
                f"the query has several of ({', '.join(map(str, found))}): let it keep one of "
                "each, or name more columns in unique_key. Nothing was written."
            )

    @available
    def get_drift(self, made: Promise) -> Drift:
        """How the table, if there is one, differs from the promise: see `Drift`."""
        with explained():
            staged = partial(self.invocation.rows_of, made.staged)
            return check.drift(session.get(), made, session.branch(), staged)

    @available
    def check_table(self, drift: Drift) -> None:
        """Hold the table, if there is one, against the promise: see `check_table`."""
        check.check_table(drift)

    @available
    def prepare_table(self, drift: Drift) -> list[str]:
        """Create the table, or let it follow the promise: see `prepare`."""
        made = drift.promise
        tell.change(f"{made.table}: prepare")
        branch = session.branch()
        with explained():
            names = table.prepare(session.get(), drift, branch)
            self.invocation.run.unpublished.show(session.get(), made.table, branch)
        self.invocation.prepared[plain(made.table)] = made
        return names

    @available
    def check_after_hooks(self, made: Promise, has_hooks: bool) -> None:
        """Hold the table, which is written, against the promise again: a hook may have changed it.

        Costs no Spark job without a hook, but for checks where a merge writes some columns only, so
        that a row is made of two. Raises CompilationError, in one line for each column and check,
        and puts the columns back. Of a model without a contract it only warns.
        """
        spark = session.get()
        with explained():
            lines = check.breaches(spark, made) if has_hooks else []
            if lines and made.enforced:
                schemas.put_fields(spark, made.table, [own.written for own in made.fields])
            elif has_hooks or made.is_merged_in_part:
                lines += check.broken_checks(spark, made, session.branch())
            newest = tables.newest_snapshot(spark, made.table, session.branch())
        if lines and made.enforced:
            raise CompilationError(_told(made.table, "its post-hooks", lines))
        if lines:
            warn_or_error(JinjaLogWarning(msg=_told(made.table, "its post-hooks", lines)))
        self.invocation.left_at[plain(made.table)] = newest
        if session.branch() is None:
            with explained():
                table.finish(spark, made)

    def check_before_publish(
        self, nodes: Mapping[str, dict], names: list[str], branch: str
    ) -> None:
        """Hold tables whose branch is about to be published against their contracts again.

        Costs a Spark job for each check of a table that was written after its own model had ended,
        or by the run that is retried. Raises CompilationError, and puts the columns back.
        """
        by_table = {plain(node.get("relation_name") or ""): node for node in nodes.values()}
        told = []
        with explained():
            for name in names:
                told += self._breaches_of(name, by_table.get(plain(name)), branch)
        if told:
            raise CompilationError("\n".join([*told, "Nothing was published."]))

    def _breaches_of(self, name: str, node: dict | None, branch: str) -> list[str]:
        spark = session.get()
        made = self.invocation.prepared.get(plain(name))
        if made is not None:
            lines = check.breaches(spark, made)
            columns = made.fields
        elif node and is_enforced(node["config"]):
            made = promise(spark, node, name, "", False)
            drift = check.drift(spark, made, branch)
            lines = check.differences(drift)
            stray = {own.id for own in drift.stray}
            columns = [own for own in schemas.fields(spark, name) if own.id not in stray]
        if made is None or not made.enforced:
            return []
        if lines:
            schemas.put_fields(spark, name, [own.written for own in columns])
        elif made.checks:
            newest = tables.newest_snapshot(spark, name, branch)
            if self.invocation.left_at.get(plain(name)) != newest:
                lines = check.broken_checks(spark, made, branch)
        return [_told(name, "the last write to it", lines)] if lines else []

    @available
    def drop_stray_columns(self, model: dict, relation: Any, dry_run: bool) -> list[str]:
        """Drop the columns of the model's table that its contract does not name. Out: which.

        Names them only, if it is a dry run.
        """
        spark = session.get()
        with explained():
            made = promise(spark, model, relation.render(), "", False)
            stray = [own.name for own in check.drift(spark, made, None).stray]
            if not dry_run:
                schemas.change(spark, made.table, Change(drop=stray))
        return stray

    @staticmethod
    def settle_changes(invocation: "Invocation") -> None:
        """The command ends: what it has not published is held back, see `Unpublished.settle`."""
        try:
            if invocation.run.unpublished or invocation.prepared:
                with explained():
                    _put_back(invocation)
                    invocation.run.unpublished.settle(session.get())
        except DbtRuntimeError as error:
            line = f"Columns of a branch may be seen, empty, until it is dropped: {error.msg}"
            fire_event(Note(msg=line), EventLevel.WARN)


def _put_back(invocation: "Invocation") -> None:
    """Undo what hooks and Python models have done to the columns of contracts in a run that failed
    after it."""
    spark = session.get()
    for name, made in invocation.prepared.items():
        is_settled = name in invocation.left_at and not invocation.run.is_held_back
        if is_settled or not made.enforced or not tables.exists(spark, made.table):
            continue
        if lines := check.breaches(spark, made):
            schemas.put_fields(spark, made.table, [own.written for own in made.fields])
            line = _told(made.table, "a hook or a model", [*lines, "Its columns were put back."])
            fire_event(Note(msg=line), EventLevel.WARN)


def _told(name: str, what: str, lines: list[str]) -> str:
    return "\n".join([f"{name} is not as its model promises it after {what}:", *lines])
