"""A command's ownership of the project's tables: its lease, its log, and what dead runs left."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from dbt_common.exceptions import DbtRuntimeError

from dbt_spark_contracts import tables
from dbt_spark_contracts.connection import explained
from dbt_spark_contracts.errors import explain
from dbt_spark_contracts.nodes import has_branches
from dbt_spark_contracts.publish import branches, held_back, java, moves, pending, record, tell
from dbt_spark_contracts.publish.command import BUILD, WRITES, Command, is_run_name
from dbt_spark_contracts.publish.lease import Lease, Locked, Lost
from dbt_spark_contracts.publish.lease_table import LeaseTable
from dbt_spark_contracts.publish.log import PublishLog
from dbt_spark_contracts.publish.process import has_ended, this_process
from dbt_spark_contracts.publish.tags import Ages
from dbt_spark_contracts.schemas import plain
from dbt_spark_contracts.spark import session
from dbt_spark_contracts.spark.checkpoints import Checkpoints


@dataclass
class Ownership:
    """What a command owns, or only looks at. One object per command, shared by its threads.

    Attributes:
        checkpoints: The place of the command's checkpoints.
        unpublished: The tables whose columns are about to change.
        command: The command, once it has taken the lease or looked.
        nodes: dbt's nodes, as in its graph.
        lease: The lease, once it was taken.
    """

    checkpoints: Checkpoints = field(default_factory=Checkpoints)
    unpublished: pending.Unpublished = field(default_factory=pending.Unpublished)
    command: "Command | None" = None
    nodes: dict[str, dict] = field(default_factory=dict)
    lease: "Lease | None" = None
    _log: "PublishLog | None" = None
    _catalog: str = ""

    @property
    def log(self) -> PublishLog:
        """The publish log. It is set by `look` and by `lock`."""
        assert self._log
        return self._log

    @property
    def lock_table(self) -> str:
        """The table that stores the lease."""
        assert self.command
        return _in_schema(self.command.operations_schema, "build_lease")

    @property
    def record_tables(self) -> tuple[str, str]:
        """The tables of the runs and of their nodes."""
        assert self.command
        schema = self.command.operations_schema
        return _in_schema(schema, record.RUNS), _in_schema(schema, record.NODES)

    def lock(
        self, command: Command, nodes: dict[str, dict], kind: str = BUILD, watch: bool = False
    ) -> list[str]:
        """Take the lease, and clean up after runs that did not release it.

        Args:
            command: The command.
            nodes: dbt's nodes, as in its graph.
            kind: The prefix of the run name.
            watch: See `Lease.take`.

        Returns:
            The runs that were cleaned up after.

        Raises:
            DbtRuntimeError: If another build runs, or if this command already has the lease: an
                operation in a hook of a build would change the tables during the build.
        """
        name = command.run_name(kind)
        if self._log and self.lease:
            if command.which in WRITES:
                raise DbtRuntimeError(held_back.has_the_lock(kind))
            self.lease.rename(name)  # one macro may call several operations
            return []
        self.command, self.nodes = command, nodes
        spark = session.get()
        self._catalog = tables.current_catalog(spark)
        with explained():
            store = LeaseTable(spark, self.lock_table)
            tell.change(f"lock: take, for {name}")
            store.create()
            lease = Lease(
                store,
                name,
                command.started_at.isoformat(timespec="seconds"),
                float(command.lock_seconds),
                this_process(java.process_number(spark)),
                has_ended,
            )
            self.lease = lease
            try:
                left = lease.take(float(command.lock_wait_seconds), watch, held_back.waits_for)
            except Locked as locked:
                raise DbtRuntimeError(held_back.locked(locked.other)) from None
            lease.keep(lambda error: tell.detail(f"lock: not renewed: {explain(error)}"))
            self.look(command, nodes)
            if command.audits or kind != BUILD:
                self.log.create()
            if self.has_log():
                for recovered in moves.recover(spark, self.log, Ages(nodes)):
                    tell.line(str(recovered))
            for run in left:
                self._clear_up_after(run)
            if left:
                lease.cleared_up()
        self.checkpoints.name(name)
        return list(left)

    def look(self, command: Command, nodes: dict[str, dict]) -> None:
        """Load the project's tables and its log, for an operation that changes nothing.

        Args:
            command: The command.
            nodes: dbt's nodes, as in its graph.
        """
        self.command, self.nodes = command, nodes
        table = log_table(command.operations_schema)
        self._log = PublishLog(session.get(), table, command.invocation_id)

    def has_log(self) -> bool:
        """Return whether the publish log exists. The first run of a project creates it."""
        return tables.exists(session.get(), self.log.table)

    def check_lease(self) -> None:
        """Renew the lease.

        Raises:
            DbtRuntimeError: If it is lost. The message is one line.
        """
        assert self.lease
        try:
            self.lease.renew()
        except Lost as lost:
            raise DbtRuntimeError(held_back.lost(lost.other)) from None

    def _clear_up_after(self, run: str) -> None:
        if is_run_name(run):
            tell.change(f"lock: clear up after {run}")
            self.drop_branch(run, self.tables_with_branches())
            self.checkpoints.delete_those_of(run)
        tell.line(f"{run} was killed before it ended; what it left unpublished is removed.")

    def project_tables(self) -> list[str]:
        """Return the names of the tables of this project's nodes. Some may not exist."""
        return sorted({
            node["relation_name"]
            for node in self.nodes.values()
            if node.get("relation_name") and has_branches(node["config"])
        })  # fmt: skip

    def tables_with_branches(self) -> list[str]:
        """Return the names of the tables that may have a branch of a run.

        A hook may have written any table. So these are the project's tables, those in the log, and
        all tables in the schemas of both.
        """
        spark = session.get()
        names = {*self.project_tables()}
        if self.has_log():
            names.update(self.log.all_tables())
        there = set(tables.list_schemas(spark))
        for schema in {plain(name).rpartition(".")[0] for name in names} & there:
            found = tables.list_iceberg_tables(spark, tables.spelled(*schema.split("."))) or ()
            names.update(_in_schema(schema, name) for name in found)
        return sorted(names)

    def drop_branch(self, branch: str, names: Iterable[str]) -> None:
        """Drop the branch of each table that has it, and its pending schema changes."""
        spark = session.get()
        for name in names:
            if branches.find(spark, name) is not None:
                self.unpublished.forget(spark, name)
                pending.discard(spark, name, branch)
                branches.drop(spark, name, branch)

    def restore_catalog(self) -> tuple[str, str]:
        """Set the session's catalog to that of the lease again.

        Returns:
            That catalog, and the one that something else had set. Both are empty if nothing had, or
            without a lease.
        """
        if not self._catalog:
            return "", ""
        spark = session.get()
        now = tables.current_catalog(spark)
        if now == self._catalog:
            return "", ""
        tables.use_catalog(spark, self._catalog)
        return self._catalog, now


def log_table(operations_schema: str) -> str:
    """Return the name of the publish log."""
    return _in_schema(operations_schema, "publish_log")


def _in_schema(schema: str, name: str) -> str:
    """Return the name of a table in a schema, quoted where needed."""
    return tables.spelled(*schema.split("."), name)
