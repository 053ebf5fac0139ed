"""A dbt command's run: it begins with the lease and a branch, and ends published or held back."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from dbt_common.exceptions import DbtRuntimeError

from dbt_spark_contracts import tables
from dbt_spark_contracts.connection import explained
from dbt_spark_contracts.errors import explain
from dbt_spark_contracts.nodes import has_guard, touched_tables
from dbt_spark_contracts.publish import (
    branches,
    held_back,
    java,
    limits,
    log,
    moves,
    pending,
    record,
    sizes,
    summaries,
    tell,
    untested,
    written_rows,
)
from dbt_spark_contracts.publish.branches import Move, MovedOn, NotUnderstood
from dbt_spark_contracts.publish.command import BUILD, WRITES, Command, is_run_name, suffix
from dbt_spark_contracts.publish.lease import Lease, Locked, Lost
from dbt_spark_contracts.publish.lease_table import LeaseTable
from dbt_spark_contracts.publish.log import PublishLog
from dbt_spark_contracts.publish.process import has_ended, this_process
from dbt_spark_contracts.publish.record import Outcome
from dbt_spark_contracts.publish.tags import Ages
from dbt_spark_contracts.schemas import plain
from dbt_spark_contracts.spark import session
from dbt_spark_contracts.spark.checkpoints import Checkpoints

# The statuses of results that hold nothing back.
PASSED = ("success", "pass", "warn", "no-op")

# Selected nodes that get a result of their own in dbt.
RESULTS = ("model.", "seed.", "snapshot.", "test.")

# Those of them that have a table.
TABLES = ("model.", "seed.", "snapshot.")

# The materializations whose tables are written to branches.
MATERIALIZED = ("table", "incremental", "seed", "snapshot")

A_PART_ON_MAIN = (
    "--empty and --sample build for a try, and with `write_audit_publish: false` readers would see "
    "that at once in place of the whole: leave one of the two out. Nothing was written."
)

AT_ONCE = "Readers saw each table as soon as it was written: write_audit_publish is false."

NOT_BEGUN = (
    "{table} is not written: this run has no lock and no branch, for begin_run did not run. An "
    "on-run-start hook before it failed, or did not call it: correct that hook, or name begin_run "
    "first; or write without it: `--vars '{{write_audit_publish: false}}'`."
)


@dataclass
class Run:
    """What one dbt command does to tables. One object per command, shared by its threads.

    Attributes:
        operations_schema: Returns the schema of the lock and the log.
        retried: The run that a `dbt retry` continues, from dbt_core.retried_run.
        checkpoints: The place of the command's checkpoints.
        outcomes: How each finished node has ended, by unique id.
        unpublished: The tables whose columns are about to change.
        last_lines: The messages at the end of the command, below dbt's own output.
        check_contracts: Takes dbt's nodes, tables and their branch. Raises an error if one of the
            tables violates its contract.
    """

    operations_schema: Callable[[], str]
    retried: "dict | None" = None
    checkpoints: Checkpoints = field(default_factory=Checkpoints)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    unpublished: pending.Unpublished = field(default_factory=pending.Unpublished)
    last_lines: list[str] = field(default_factory=list)
    check_contracts: Callable[[dict[str, dict], list[str], str], None] = lambda *_: None
    command: "Command | None" = None
    name: str = ""
    branch: "str | None" = None
    is_begun: bool = False
    is_held_back: bool = False
    ended: str = record.NOT_PUBLISHED
    lease: "Lease | None" = None
    _log: "PublishLog | None" = None
    _nodes: dict[str, dict] = field(default_factory=dict)
    _selected: "list[str]" = field(default_factory=list)
    _earlier_tests: "list[str]" = field(default_factory=list)
    _earlier_tables: "list[str]" = field(default_factory=list)
    _refusal: str = ""
    _catalog: str = ""
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    @property
    def log(self) -> PublishLog:
        """The publish log. It is set by `look` and by taking the lease."""
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

    # The lease.

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
        self.command, self._nodes = command, nodes
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
        self.command, self._nodes = command, nodes
        table = _in_schema(command.operations_schema, "publish_log")
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
            for node in self._nodes.values()
            if node.get("relation_name")
            and node["config"]["materialized"] in MATERIALIZED
            and has_guard(node["config"])
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

    # Begin.

    def begin(self, command: Command, graph: dict, selected: list[str]) -> None:
        """Take the lease, and direct this command's reads and writes to a branch.

        Does nothing for commands that write no table. Without write_audit_publish, it writes to
        main.

        Args:
            command: The command.
            graph: dbt's graph.
            selected: The unique ids of the selected nodes.

        Raises:
            DbtRuntimeError: If another build runs, if a partial build would be written to main, or
                if the branch of a `dbt retry` cannot be continued.
        """
        if command.which not in WRITES or self.is_begun:  # a package's hook may call it too
            return
        if command.is_a_part and not command.audits:
            raise DbtRuntimeError(A_PART_ON_MAIN)
        limits.check(graph["nodes"])
        self.lock(command, graph["nodes"])
        spark = session.get()
        for name in touched_tables({**graph["nodes"], **graph["sources"]}, selected):
            tables.forget(spark, name)
        self._selected = list(selected)
        if command.audits:
            with explained():
                branch, earlier = self._retried_branch(command)
                if branch and self.lease:
                    # If this command is killed, the branch that it has continued is dropped.
                    self.lease.rename(branch)
                    self.checkpoints.name(branch)
                    for name in earlier:
                        pending.resume(spark, name, branch)
                        self.unpublished.show(spark, name, branch)
                self._earlier_tables = earlier
                branches.watch_commits(spark)
            self.branch = self.name = branch or command.run_name()
            session.use_branch(self.branch)
        else:
            self.name = command.run_name()
            with explained():
                self._require_no_retried_branch()
        self.is_begun = True

    def _retried_branch(self, command: Command) -> "tuple[str | None, list[str]]":
        """Return the branch of the retried run, and its tables.

        There is none if that run wrote nothing, or with --empty and --sample, which leave no
        branch.

        Raises:
            DbtRuntimeError: If that branch cannot be continued.
        """
        if not self.retried or command.is_a_part:
            return None, []
        branch, names = self._held_back_by(self.retried)
        if branch is None:
            return None, []
        facts = self.log.facts(branch)
        if facts.get("unfinished"):
            raise DbtRuntimeError(held_back.interrupted(branch, facts["unfinished"]))
        self._earlier_tests = facts.get("ran", [])
        found = self.moves(branch, names)
        self.check_can_be_published(branch, found, names)
        return branch, [move.table_name for move in found]

    def _require_no_retried_branch(self) -> None:
        """Check that this retry without a branch does not skip a held-back branch.

        Raises:
            DbtRuntimeError: If it would continue from main, without what the retried run has built.
        """
        if not self.retried or not self.has_log():
            return
        known = self.log.held_back_by(self.retried["invocation_id"])
        if known and self.moves(*known):
            raise DbtRuntimeError(held_back.retried_on_main(known[0]))

    def _held_back_by(self, retried: dict) -> "tuple[str | None, list[str]]":
        known = self.log.held_back_by(retried["invocation_id"])
        if known or not retried["has_written"]:
            return known or (None, [])
        # Nothing was logged, but the branch name ends with this suffix.
        end = suffix(retried["invocation_id"])
        names, branch = [], f"…{end}"
        for name, refs in branches.refs(session.get(), self.project_tables()).items():
            for ref in refs:
                if is_run_name(ref) and ref.endswith(end):
                    names.append(name)
                    branch = ref
        return branch, names

    def require_begun(
        self, table: str, begin_lazily: Callable[[], bool], has_hooks: Callable[[], bool]
    ) -> None:
        """Check that this command may write the table.

        It may once the run has begun. A project whose hooks call neither begin_run nor end_run
        writes to main, as in stock dbt. A run without write_audit_publish takes the lease now.

        Args:
            table: The name of the table.
            begin_lazily: Begins the run if it writes to main. Returns whether it has begun.
            has_hooks: Returns whether the project calls begin_run or end_run.

        Raises:
            DbtRuntimeError: If it may not. The message is one line.
        """
        with self._one_at_a_time:
            if not self.is_begun and has_hooks() and not begin_lazily():
                raise DbtRuntimeError(NOT_BEGUN.format(table=table))
        if self.lease and self.lease.is_lost:
            raise DbtRuntimeError(held_back.lost(None))
        self.require_branch()

    def require_branch(self) -> None:
        """Check that Spark still uses the run's catalog and branch. The catalog is restored.

        Raises:
            DbtRuntimeError: If a hook or a model has changed one of them. The message is one line.
        """
        if self._catalog and (other := self._restore_catalog()):
            raise DbtRuntimeError(
                f"A hook or a model has changed Spark's catalog from {self._catalog} to {other}, "
                "where the tables of this run are not. Take its `use` or `set` out, and name what "
                "is in another catalog with it."
            )
        if self.branch is not None and (now := session.branch()) != self.branch:
            raise DbtRuntimeError(
                f"A hook or a model has changed {session.BRANCH} from {self.branch} to {now}: what "
                "is written goes past this run's branch. Take its `reset` or `set` out."
            )

    def _restore_catalog(self) -> str:
        """Set the session's catalog to the run's again.

        Returns:
            The catalog that something else had set, or an empty string.
        """
        spark = session.get()
        now = tables.current_catalog(spark)
        if now == self._catalog:
            return ""
        tables.use_catalog(spark, self._catalog)
        return now

    def node_begins(self, contract: "str | None") -> None:
        """Let the snapshots that this thread writes tell of the run: see `summaries`.

        Args:
            contract: The checksum of the node's contract.
        """
        if self.command and self.is_begun:
            summaries.begin(session.get(), self.name, self.command, contract)

    def node_ends(self) -> None:
        """Let them tell nothing more."""
        if summaries.is_told():
            summaries.end(session.get())

    def node_finished(
        self,
        unique_id: str,
        status: str,
        relation: str = "",
        seconds: float = 0.0,
        message: str = "",
        failures: int = 0,
    ) -> None:
        """Record how a node has ended, and print what it has written: see `Outcome`."""
        written = written_rows.written(unique_id, status, relation)
        self.outcomes[unique_id] = Outcome(status, relation, seconds, message, failures, written)

    # End.

    def end(self, command: Command, results: Iterable) -> None:
        """Publish every table that this run has written, all or none, if nothing failed.

        After a failure nothing is published, and the last lines say what failed and where to look.
        A build with --empty or --sample is never published.

        Args:
            command: The command.
            results: The results of the nodes.

        Raises:
            DbtRuntimeError: If the tables cannot be published. The message is one line.
        """
        try:
            self._end(command, results)
        except Exception as error:
            self._refusal = explain(error)
            raise

    def _end(self, command: Command, results: Iterable) -> None:
        if not self.is_begun and command.which in WRITES and command.audits:
            self.last_lines.append("Nothing was published: begin_run did not run.")
        if self.branch is None:
            if self.is_begun and self._has_written_nodes():
                self.last_lines.append(AT_ONCE)
                self.ended = record.ON_MAIN
            return
        failed = [result for result in results if result.status not in PASSED]
        self.require_branch()
        with explained():
            found = self._written()
            if command.is_a_part:
                self._drop_part(found)
            elif failed:
                self._hold_back(found)
                for line in held_back.failures(self.branch, found, failed, self.unpublished):
                    self.last_lines.append(line)
            elif found:
                self._check_limits(self.branch, found)
                self.publish(self.branch, found, self._tests_that_ran())
        self._leave_branch()

    def _check_limits(self, branch: str, found: list[Move]) -> None:
        """Check the limits that models set on how their rows may change.

        Raises:
            DbtRuntimeError: If one is exceeded. The message is one line.
        """
        moves_of = {move.table_name: move for move in found}

        def size(table: str) -> "tuple[int, int] | None":
            now, after = sizes.rows_of_move(session.get(), moves_of[table])
            is_first = not now and not tables.was_written(session.get(), table, None)
            return None if is_first else (now, after)

        if exceeded := limits.exceeded(self._nodes, moves_of, size):
            raise DbtRuntimeError(held_back.exceeded(exceeded, branch))

    def _has_written_nodes(self) -> bool:
        ended = self.outcomes.items()
        return any(how.status == "success" and name.startswith(TABLES) for name, how in ended)

    def publish(self, branch: str, found: list[Move], ran: Iterable[str]) -> None:
        """Publish a branch, and report it.

        Args:
            branch: The branch.
            found: The moves of its tables.
            ran: The marks of the data tests that have run on it.

        Raises:
            DbtRuntimeError: If it cannot be published.
        """
        self.check_can_be_published(branch, found)
        self.check_contracts(self._nodes, [move.table_name for move in found], branch)
        at_once = self.move(branch, found, log.PUBLISHED)
        self.ended = log.PUBLISHED
        names = untested.untested({move.table_name for move in found}, self._nodes, set(ran))
        how = "in one commit" if at_once else "one by one"
        self.last_lines.append(f"Published {len(found)} tables {how}{untested.told(names)}.")

    def move(self, branch: str, found: list[Move], status: str) -> bool:
        """Move main of each table to its branch.

        Returns:
            Whether readers saw all of them move at once.

        Raises:
            DbtRuntimeError: If it cannot move.
        """
        try:
            at_once = moves.move_all(
                session.get(), self.log, branch, status, found, Ages(self._nodes), self.check_lease
            )
        except MovedOn as moved_on:
            raise DbtRuntimeError(held_back.moved_on(moved_on.table, branch)) from None
        for each in found:
            self.unpublished.forget(session.get(), each.table_name)
        return at_once

    def check_can_be_published(
        self, branch: str, found: list[Move], held: Iterable[str] = ()
    ) -> None:
        """Check that the branch exists and that main has not changed since it began.

        Args:
            branch: The branch.
            found: The moves of its tables.
            held: The tables that were held back on it. Each must still have the branch.

        Raises:
            DbtRuntimeError: If the branch cannot be published.
        """
        if not found:
            raise DbtRuntimeError(
                f"No table has the branch {branch}: it was published or cleared up, or its run "
                "wrote to main. Run `dbt build` again."
            )
        lack = {*held} - {move.table_name for move in found}
        for name in sorted(lack):
            if branches.find(session.get(), name) is not None:
                raise DbtRuntimeError(held_back.moved_on(name, branch))
        for move in found:
            if not branches.can_move(session.get(), move):
                raise DbtRuntimeError(held_back.moved_on(move.table_name, branch))
            pending.hold_others(session.get(), move.table_name, branch)
            if column := pending.clash(session.get(), move.table_name, branch):
                raise DbtRuntimeError(held_back.clashes(move.table_name, branch, column))

    def _written(self) -> list[Move]:
        """Return the moves that publishing would make."""
        assert self.branch
        try:
            return self.moves(self.branch, branches.written(session.get(), self._earlier_tables))
        except NotUnderstood as unknown:
            raise DbtRuntimeError(held_back.not_understood(unknown.committed)) from None

    def moves(self, branch: str, names: Iterable[str]) -> list[Move]:
        """Return the moves of a branch. See `branches.moves`.

        Raises:
            DbtRuntimeError: If a table has the branch and no main.
        """
        try:
            return branches.moves(session.get(), branch, names)
        except MovedOn as moved_on:
            raise DbtRuntimeError(held_back.moved_on(moved_on.table, branch)) from None

    def _tests_that_ran(self) -> list[str]:
        ran = {
            untested.mark(unique_id)
            for unique_id, how in self.outcomes.items()
            if how.status in untested.RAN and unique_id.startswith("test.")
        }
        return sorted({*ran, *self._earlier_tests})

    def _hold_back(self, found: list[Move], unfinished: int = 0) -> None:
        assert self.branch
        self.is_held_back = True
        self.ended = log.HELD_BACK
        self.check_lease()
        tell.change(f"publish log: {self.branch}: {log.HELD_BACK}")
        facts = {"ran": self._tests_that_ran(), "unfinished": unfinished}
        self.log.write(self.branch, log.HELD_BACK, found, facts)

    def _drop_part(self, found: list[Move]) -> None:
        assert self.branch
        written = {move.table_name for move in found}
        self.drop_branch(self.branch, sorted(written.union(self.unpublished.tables)))
        self.last_lines.append("Nothing was published: --empty and --sample build for a try only.")

    def _leave_branch(self) -> None:
        self.branch = None
        session.use_branch(None)

    # Runs however the command ends.

    def complete(self, settle: Callable[[], None] = lambda: None) -> None:
        """Hold back what end_run did not process, and release the lease. Never raises.

        This is the case after a Ctrl-C, or after a hook that failed before end_run. Errors are
        added to the last lines.

        Args:
            settle: Called afterwards, while this command still has the lease.
        """
        try:
            if self._catalog:
                self._restore_catalog()
            if self.branch is not None:
                with explained():
                    self._complete_branch()
            elif self.retried and self.command is None and not self.outcomes:
                self._tell_of_held_back(self.retried["invocation_id"])
        except Exception as error:
            self.last_lines.append(f"Nothing was published: {explain(error)}")
        if self.lease is None or not self.lease.is_lost:
            settle()
            self._record()
        try:
            if self.lease:
                self.lease.give_back()
        except Exception as error:
            self.last_lines.append(
                f"The lock was not given back, the next run will: {explain(error)}"
            )

    def _record(self) -> None:
        """Record the run and its nodes. A run with --empty or --sample is not recorded.

        It never raises: a published build must not fail because of its record.
        """
        command = self.command
        if command is None or not self.is_begun or command.is_a_part or not self.outcomes:
            return
        errors = sum(how.status not in PASSED for how in self.outcomes.values())
        written = sum(how.written is not None for how in self.outcomes.values())
        run = record.RunRow(
            command.started_at,
            self.name,
            command.invocation_id,
            command.which,
            record.FAILED if errors and not written else self.ended,
            (record.now() - command.started_at).total_seconds(),
            written,
            len(self.outcomes),
            errors,
            command.git_commit,
            self._refusal or None,
        )
        holders = limits.rejects_of(self._nodes)
        nodes = [
            record.node_row(
                run.started_at,
                run.run,
                key,
                how,
                self._nodes.get(key, {}),
                record.rejected(self.outcomes, holders.get(key, ())),
            )
            for key, how in self.outcomes.items()
        ]
        try:
            tell.change(f"record of runs: {run.run}")
            with explained():
                record.write(session.get(), self.record_tables, run, nodes)
        except Exception as error:
            self.last_lines.append(f"This run is not in {self.record_tables[0]}: {explain(error)}")

    def _tell_of_held_back(self, invocation_id: str) -> None:
        """Report a held-back branch for a retry that has nothing to do, which calls no hook."""
        try:
            with explained():
                table = _in_schema(self.operations_schema(), "publish_log")
                publish_log = PublishLog(session.get(), table, invocation_id)
                if tables.exists(session.get(), table):
                    known = publish_log.held_back_by(invocation_id)
                    self._tell_of(publish_log, *(known or (None, [])))
        except Exception as error:  # the command failed before it had nothing to do
            tell.detail(f"What was held back cannot be told: {explain(error)}")

    def _tell_of(self, publish_log: PublishLog, branch: "str | None", names: Iterable[str]) -> None:
        found = self.moves(branch, names) if branch else []
        if branch and found:
            unfinished = publish_log.facts(branch).get("unfinished")
            self.last_lines.append(
                held_back.interrupted(branch, unfinished)
                if unfinished
                else held_back.nothing_to_retry(branch, len(found))
            )

    def _complete_branch(self) -> None:
        assert self.branch and self.command
        if self.command.is_a_part:
            self._drop_part(self._written())
            return
        found = self._written()
        left = [
            unique_id
            for unique_id in self._selected
            if unique_id.startswith(RESULTS)
            and unique_id not in self.outcomes
            and self._nodes.get(unique_id, {}).get("config", {}).get("materialized") != "ephemeral"
        ]
        self._hold_back(found, len(left))
        for line in held_back.not_ended(self.branch, found, len(left), self._refusal):
            self.last_lines.append(line)


def _in_schema(schema: str, name: str) -> str:
    """Return the name of a table in a schema, quoted where needed."""
    return tables.spelled(*schema.split("."), name)
