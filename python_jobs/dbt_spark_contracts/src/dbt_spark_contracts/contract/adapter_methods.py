"""The adapter methods that macros/contract calls."""

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


class ContractMethods(metaclass=AdapterMeta):
    """The part of the adapter that checks a model's contract in the steps of a materialization."""

    invocation: "Invocation"

    # Provided by the adapter: lineage/adapter_methods.py.
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
        """Return what the staged model promises about its table: see `promise`.

        Warns about constraints that are not enforced.
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
        """Check that Spark has a statement for dbt's `grants`. An extension of Spark may have one.

        Without this check, the error would come after the table is written.

        Raises:
            CompilationError: If it has none. The message is one line.
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
        """Check the staged view against the promise: see `check_staged`."""
        with explained():
            check.check_staged(self.invocation.rows_of(made.staged), made)

    @available
    def merge_columns(self, staged: Any, config: str, names: Any) -> list[str]:
        """Return the columns that this config of a merge names: see `merge.columns`."""
        if not (wanted := listed(names)):
            return []
        with explained():
            return merge.columns(self.invocation.rows_of(str(staged)), config, wanted)

    @available
    def check_keys(self, staged: Any, model: dict, graph: dict) -> None:
        """Check the staged view against the keys of an enforced contract: see `keys.judge`.

        For each unproven key, it says what decides about it. It warns about a sum that counts a row
        several times.

        Args:
            staged: The staged view.
            model: dbt's model.
            graph: dbt's graph.

        Raises:
            PromiseBroken: One line per key of which the query, or a seed's file, has several rows.
                With `unproven_keys: error` in the model's meta, also for each unproven key.
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
        """Check that no two new rows of a snapshot share a key, which would break a later merge.

        Args:
            staged: The staged view: the rows of a first snapshot, else what dbt would merge.
            model: dbt's model.
            graph: dbt's graph.
            unique_key: The snapshot's unique_key.
            is_first: Whether the table does not exist yet.

        Raises:
            CompilationError: If there are such rows. The message is one line.
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
        """Return how the table, if it exists, differs from the promise: see `Drift`."""
        with explained():
            staged = partial(self.invocation.rows_of, made.staged)
            return check.drift(session.get(), made, session.branch(), staged)

    @available
    def check_table(self, drift: Drift) -> None:
        """Check the table, if it exists, against the promise: see `check_table`."""
        check.check_table(drift)

    @available
    def prepare_table(self, drift: Drift) -> list[str]:
        """Create the table, or change it to fit the promise: see `prepare`."""
        made = drift.promise
        tell.change(f"{made.table}: prepare")
        branch = session.branch()
        with explained():
            names = table.prepare(session.get(), drift, branch)
            self.invocation.run.ownership.unpublished.show(session.get(), made.table, branch)
        self.invocation.prepared[plain(made.table)] = made
        return names

    @available
    def check_after_hooks(self, made: Promise, has_hooks: bool) -> None:
        """Check the written table against the promise again, because a hook may have changed it.

        Without a hook there is no Spark job, with one exception: a merge of some columns combines
        two rows into one, so the checks run again. For a model without a contract, it only warns.

        Args:
            made: The promise.
            has_hooks: Whether the model has post-hooks.

        Raises:
            CompilationError: One line per column and check. The columns are restored first.
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
        """Check tables against their contracts again before their branch is published.

        Costs a Spark job per check for a table that was written after its own model had ended, or
        by the run that is retried.

        Args:
            nodes: dbt's nodes.
            names: The tables.
            branch: The branch.

        Raises:
            CompilationError: If a table violates its contract. The columns are restored first.
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
        """Drop the columns of the model's table that its contract does not name.

        A dry run only returns them.

        Returns:
            The names of the columns.
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
        """Hold back unpublished columns at the end of the command: see `Unpublished.settle`."""
        try:
            if invocation.run.ownership.unpublished or invocation.prepared:
                with explained():
                    _put_back(invocation)
                    invocation.run.ownership.unpublished.settle(session.get())
        except DbtRuntimeError as error:
            line = f"Columns of a branch may be seen, empty, until it is dropped: {error.msg}"
            fire_event(Note(msg=line), EventLevel.WARN)


def _put_back(invocation: "Invocation") -> None:
    """Undo column changes by hooks and Python models under contracts, in a run that failed."""
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
    return "\n".join([f"{name} differs from what its model promises after {what}:", *lines])
