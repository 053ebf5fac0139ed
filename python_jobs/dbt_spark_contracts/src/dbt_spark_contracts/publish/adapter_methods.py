"""The adapter methods that macros/publish calls. Each one only delegates."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dbt.adapters.base.meta import AdapterMeta, available
from dbt.events.types import JinjaLogWarning
from dbt.flags import get_flags
from dbt_common.events.functions import warn_or_error
from dbt_common.exceptions import DbtRuntimeError

from dbt_spark_contracts.compat import dbt_adapters, dbt_core
from dbt_spark_contracts.connection import explained
from dbt_spark_contracts.materializations import UNAUDITED
from dbt_spark_contracts.nodes import has_branches
from dbt_spark_contracts.publish import (
    branches,
    git,
    held_back,
    limits,
    operations,
    statements,
    tell,
)
from dbt_spark_contracts.publish.command import WRITES, Command
from dbt_spark_contracts.publish.hooks import calls_any
from dbt_spark_contracts.publish.run import Run
from dbt_spark_contracts.schemas import plain
from dbt_spark_contracts.spark import session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from dbt_spark_contracts.invocation import Invocation

# A hook that calls one of these macros turns on write, audit, publish for its project.
HOOKS = ("begin_run", "end_run")


def _command(told: dict) -> Command:
    return Command(is_a_part=dbt_core.builds_a_part(), **told)


def _begun(command: Command) -> Command:
    """Return the command of a new run, with the git commit that it builds."""
    return replace(command, git_commit=git.commit(get_flags().PROJECT_DIR))


class PublishMethods(metaclass=AdapterMeta):
    """The part of the adapter for write, audit, publish.

    In all methods, `command` is the result of macros/publish/command.sql, and `graph` is dbt's.
    """

    # Provided by dbt.
    get_macro_resolver: "Callable[[], Any]"

    invocation: "Invocation"

    @available
    def begin_run(self, command: dict, graph: dict, selected: list[str]) -> None:
        """See `Run.begin`."""
        self.invocation.run.begin(_begun(_command(command)), graph, selected)

    def pre_model_hook(self, config: Any) -> Any:
        """Called by dbt in the thread of each model, seed and snapshot, before it begins."""
        node = config.model
        if node.config.meta.get(limits.HOLD_BACK) and not self._has_hooks(self._graph()):
            raise DbtRuntimeError(
                f"{node.name}: meta {limits.HOLD_BACK} holds nothing back, because no hook of this "
                "project calls begin_run and end_run: add them, or take it out."
            )
        if str(node.resource_type) in ("model", "seed", "snapshot"):
            contract = getattr(node, "contract", None)  # a seed has none
            self.invocation.run.node_begins(contract and contract.checksum)
        return super().pre_model_hook(config)  # type: ignore[misc]

    def post_model_hook(self, config: Any, context: Any) -> None:
        """Called by dbt in that thread when it has ended, however it has."""
        self.invocation.run.node_ends()
        super().post_model_hook(config, context)  # type: ignore[misc]

    def _graph(self) -> dict:
        return getattr(self.get_macro_resolver(), "flat_graph", None) or {}

    @available
    def end_run(self, command: dict, results: "Iterable") -> None:
        """See `Run.end`."""
        self._checked_run().end(_command(command), results)

    def check_before_publish(
        self, nodes: "Mapping[str, dict]", names: list[str], branch: str
    ) -> None:
        """Raise an error if a table violates its contract: see ContractMethods."""
        raise NotImplementedError

    def _checked_run(self) -> Run:
        """Return the run, set up to check contracts again before it publishes."""
        self.invocation.run.publishing.check_contracts = self.check_before_publish
        return self.invocation.run

    @available
    def require_begun(self, relation: Any, command: dict, graph: dict) -> None:
        """Refuse to write the table if the run should have begun and has not."""

        def begin_lazily() -> bool:
            asked = _command(command)
            if not asked.audits:
                self.invocation.run.begin(_begun(asked), graph, [])
            return self.invocation.run.is_begun

        self.invocation.run.require_begun(
            str(relation), begin_lazily, lambda: self._has_hooks(graph)
        )

    def should_audit(self, graph: dict) -> bool:
        """Return whether this run writes to a branch, or would once it has begun."""
        run = self.invocation.run
        return run.branch is not None or (not run.is_begun and self._has_hooks(graph))

    def _has_hooks(self, graph: dict) -> bool:
        macros = getattr(self.get_macro_resolver(), "macros", {})
        return calls_any(graph.get("nodes", {}), macros, HOOKS)

    # All statements of dbt pass through here: those of models, hooks and macros.

    def execute(self, sql: str, *args: Any, **kwargs: Any) -> Any:
        self._keep_to_branch(sql)
        return super().execute(sql, *args, **kwargs)  # type: ignore[misc]

    @available
    def add_query(self, sql: str, *args: Any, **kwargs: Any) -> Any:
        self._keep_to_branch(sql)
        return super().add_query(sql, *args, **kwargs)  # type: ignore[misc]

    def _keep_to_branch(self, sql: str) -> None:
        """Refuse a statement that changes a project table in a way that no branch can hold.

        Readers would see the change at once, whatever becomes of the run. A macro under `dbt
        run-operation` only gets a warning.

        Raises:
            DbtRuntimeError: Before the statement runs. The message is one line.
        """
        run = self.invocation.run
        if not statements.may_have_effects(sql, run.branch is not None) or not self._audits():
            return
        which = getattr(get_flags(), "WHICH", None)
        tables = self._audited_tables()
        for effect in statements.effects(session.get(), sql):
            is_write = not effect.way_out
            goes_to_branch = is_write and (run.branch is not None or which not in WRITES)
            if effect.table and (effect.table not in tables or goes_to_branch):
                continue
            if which != "run-operation":
                raise DbtRuntimeError(
                    held_back.past_the_branch(effect.table or "a table", sql, effect.way_out)
                )
            warn_or_error(
                JinjaLogWarning(msg=held_back.seen_at_once(effect.table or "a table", sql))
            )

    def _audits(self) -> bool:
        """Return whether this command should write to branches."""
        if command := self.invocation.run.ownership.command:
            return command.audits
        if self.get_macro_resolver() is None or not self._has_hooks(self._graph()):
            return False
        return _command(dbt_adapters.call_macro("contracts__command")).audits

    def _audited_tables(self) -> set[str]:
        manifest: Any = self.get_macro_resolver()
        return {
            plain(node.relation_name).lower()
            for node in manifest.nodes.values()
            if node.relation_name
            and has_branches(node.config)
            and not node.config.meta.get(UNAUDITED)
        }

    @available
    def open_to_branches(self, relation: Any) -> None:
        """Enable branch writes to this table, if the run writes to a branch."""
        self.invocation.run.require_branch()
        if self.invocation.run.branch:
            tell.change(f"{relation}: open to branches")
            with explained():
                branches.open_to_branches(session.get(), str(relation))

    @available
    def require_branch(self) -> None:
        """See `Run.require_branch`."""
        self.invocation.run.require_branch()

    @available
    def get_branch(self) -> "str | None":
        """Return the branch that the run writes to, or None for main."""
        return self.invocation.run.branch

    @available
    def lock_tables(self, command: dict, graph: dict, kind: str) -> None:
        """Take the lease until the command ends, for an operation called `kind`."""
        self.invocation.run.ownership.lock(_command(command), graph["nodes"], kind)

    @available
    def publish(self, command: dict, graph: dict, branch: str, dry_run: bool) -> None:
        """See `operations.publish`."""
        run, nodes = self._checked_run(), graph["nodes"]
        self._tell(operations.publish(run, _command(command), nodes, branch, dry_run))

    @available
    def roll_back(self, command: dict, graph: dict, to: object, dry_run: bool) -> None:
        """See `operations.roll_back`."""
        publishing, nodes = self.invocation.run.publishing, graph["nodes"]
        self._tell(operations.roll_back(publishing, _command(command), nodes, to, dry_run))

    @available
    def maintain(
        self,
        command: dict,
        graph: dict,
        keep_days: "float | None",
        only: list[str],
        dry_run: bool,
        budget: "str | None",
    ) -> None:
        """See `maintenance.job.maintain`."""
        from dbt_spark_contracts.publish.maintenance import job, wanted  # no other command needs it

        owner, nodes = self.invocation.run.ownership, graph["nodes"]
        asked = wanted.Wanted(keep_days, only, dry_run, budget)
        self._tell(job.maintain(owner, _command(command), nodes, asked))

    @available
    def history(self, command: dict, graph: dict, limit: int) -> None:
        """See `operations.history`."""
        owner, nodes = self.invocation.run.ownership, graph["nodes"]
        self._tell(operations.history(owner, _command(command), nodes, limit))

    @available
    def recorded_runs(self, command: dict, graph: dict, limit: int) -> None:
        """See `operations.recorded`."""
        owner, nodes = self.invocation.run.ownership, graph["nodes"]
        self._tell(operations.recorded(owner, _command(command), nodes, limit))

    @available
    def erase(self, command: dict, graph: dict) -> None:
        """See `erase.operation.erase`."""
        from dbt_spark_contracts.publish.erase import asked, operation  # only here is it needed

        owner = self.invocation.run.ownership
        self._tell(operation.erase(owner, _command(command), graph, asked.current()))

    def _tell(self, rows: list[dict]) -> None:
        """Keep the result rows for the command line, which may have called the operation."""
        self.invocation.told = rows

    @available
    def unlock(self, command: dict, graph: dict) -> None:
        """See `operations.unlock`."""
        operations.unlock(self.invocation.run.ownership, _command(command), graph["nodes"])
