"""A dbt command's run: it begins with the lease and a branch, and ends published or held back."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from dbt_common.exceptions import DbtRuntimeError

from dbt_spark_contracts import tables
from dbt_spark_contracts.connection import explained
from dbt_spark_contracts.data_tests.passed import NOT_RUN_AGAIN, Passed
from dbt_spark_contracts.errors import explain
from dbt_spark_contracts.nodes import touched_tables
from dbt_spark_contracts.publish import (
    branches,
    held_back,
    limits,
    log,
    pending,
    record,
    sizes,
    summaries,
    tell,
    untested,
    written_rows,
)
from dbt_spark_contracts.publish.branches import Move, NotUnderstood
from dbt_spark_contracts.publish.command import WRITES, Command
from dbt_spark_contracts.publish.ownership import Ownership, log_table
from dbt_spark_contracts.publish.publishing import Publishing
from dbt_spark_contracts.publish.record import Outcome
from dbt_spark_contracts.publish.retries import Continued, Retry
from dbt_spark_contracts.spark import session

# The statuses of results that hold nothing back.
PASSED = ("success", "pass", "warn", "no-op")

# Selected nodes that get a result of their own in dbt.
RESULTS = ("model.", "seed.", "snapshot.", "test.")

# Those of them that have a table.
TABLES = ("model.", "seed.", "snapshot.")

A_PART_ON_MAIN = (
    "--empty and --sample build for a try, and with `write_audit_publish: false` readers would see "
    "that at once in place of the whole: leave one of the two out. Nothing was written."
)

AT_ONCE = "Readers saw each table as soon as it was written: write_audit_publish is false."

NO_NEWS = "Nothing to publish. Tables without news: {count}."

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
        ownership: The lease and the log, and what the command owns by them.
        publishing: What moves its tables.
        outcomes: How each finished node has ended, by unique id.
        passed: The data tests that a build need not run again. None: all are run.
        last_lines: The messages at the end of the command, below dbt's own output.
    """

    operations_schema: Callable[[], str]
    retried: "dict | None" = None
    ownership: Ownership = field(default_factory=Ownership)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    last_lines: list[str] = field(default_factory=list)
    name: str = ""
    branch: "str | None" = None
    is_begun: bool = False
    is_held_back: bool = False
    passed: "Passed | None" = None
    ended: str = record.NOT_PUBLISHED
    publishing: Publishing = field(init=False)
    _selected: "list[str]" = field(default_factory=list)
    _continued: "Continued | None" = None
    _refusal: str = ""
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.publishing = Publishing(self.ownership)

    @property
    def _retry(self) -> "Retry | None":
        return Retry(**self.retried, publishing=self.publishing) if self.retried else None

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
        self.ownership.lock(command, graph["nodes"])
        spark = session.get()
        for name in touched_tables({**graph["nodes"], **graph["sources"]}, selected):
            tables.forget(spark, name)
        self._selected = list(selected)
        if command.audits:
            with explained():
                self._continue_branch(command)
                branches.watch_commits(spark)
            self.branch = self.name = (
                self._continued.branch if self._continued else command.run_name()
            )
            session.use_branch(self.branch)
        else:
            self.name = command.run_name()
            if self._retry:
                with explained():
                    self._retry.require_no_branch()
        if command.which == "build" and not command.is_a_part and not command.repeats_tests:
            self.passed = Passed(spark, self.ownership.record_tables[1])
        self.is_begun = True

    def _continue_branch(self, command: Command) -> None:
        """Continue the branch of the run that this command retries, if there is one.

        With --empty and --sample it is not continued: they leave no branch.

        Raises:
            DbtRuntimeError: If it cannot be continued.
        """
        if not self._retry or command.is_a_part:
            return
        self._continued = self._retry.branch_to_continue()
        if self._continued:
            branch, owner = self._continued.branch, self.ownership
            assert owner.lease
            # If this command is killed, the branch that it has continued is dropped.
            owner.lease.rename(branch)
            owner.checkpoints.name(branch)
            for name in self._continued.tables:
                pending.resume(session.get(), name, branch)
                owner.unpublished.show(session.get(), name, branch)

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
        if self.ownership.lease and self.ownership.lease.is_lost:
            raise DbtRuntimeError(held_back.lost(None))
        self.require_branch()

    def require_branch(self) -> None:
        """Check that Spark still uses the run's catalog and branch. The catalog is restored.

        Raises:
            DbtRuntimeError: If a hook or a model has changed one of them. The message is one line.
        """
        ours, other = self.ownership.restore_catalog()
        if other:
            raise DbtRuntimeError(
                f"A hook or a model has changed Spark's catalog from {ours} to {other}, "
                "where the tables of this run are not. Take its `use` or `set` out, and name what "
                "is in another catalog with it."
            )
        if self.branch is not None and (now := session.branch()) != self.branch:
            raise DbtRuntimeError(
                f"A hook or a model has changed {session.BRANCH} from {self.branch} to {now}: what "
                "is written goes past this run's branch. Take its `reset` or `set` out."
            )

    def node_begins(self, contract: "str | None") -> None:
        """Let the snapshots that this thread writes tell of the run: see `summaries`.

        Args:
            contract: The checksum of the node's contract.
        """
        if self.ownership.command and self.is_begun:
            summaries.begin(session.get(), self.name, self.ownership.command, contract)

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
        if self.passed and (count := self.passed.not_run_again):
            self.last_lines.append(NOT_RUN_AGAIN.format(count=count))
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
                unpublished = self.ownership.unpublished
                self.last_lines += held_back.failures(self.branch, found, failed, unpublished)
            elif found:
                self._check_limits(self.branch, found)
                self.publish(self.branch, found, self._tests_that_ran())
            elif count := self._built_tables():
                self.last_lines.append(NO_NEWS.format(count=count))
                self.ended = record.UNCHANGED
        self._leave_branch()

    def publish(self, branch: str, found: list[Move], ran: Iterable[str]) -> None:
        """Publish a branch, and say so in the last lines. See `Publishing.publish`.

        Raises:
            DbtRuntimeError: If it cannot be published.
        """
        self.last_lines.append(self.publishing.publish(branch, found, ran))
        self.ended = log.PUBLISHED

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

        if exceeded := limits.exceeded(self.ownership.nodes, moves_of, size):
            raise DbtRuntimeError(held_back.exceeded(exceeded, branch))

    def _has_written_nodes(self) -> bool:
        ended = self.outcomes.items()
        return any(how.status == "success" and name.startswith(TABLES) for name, how in ended)

    def _built_tables(self) -> int:
        """Return how many tables that can be published this run has built."""
        names = {*self.ownership.project_tables()}
        ended = self.outcomes.values()
        return len({how.relation for how in ended if how.status == "success"} & names)

    def _written(self) -> list[Move]:
        """Return the moves that publishing would make."""
        assert self.branch
        earlier = self._continued.tables if self._continued else ()
        try:
            names = branches.written(session.get(), earlier)
            return self.publishing.moves(self.branch, names)
        except NotUnderstood as unknown:
            raise DbtRuntimeError(held_back.not_understood(unknown.committed)) from None

    def _tests_that_ran(self) -> list[str]:
        ran = {
            untested.mark(unique_id)
            for unique_id, how in self.outcomes.items()
            if how.status in untested.RAN and unique_id.startswith("test.")
        }
        return sorted({*ran, *(self._continued.tests if self._continued else ())})

    def _hold_back(self, found: list[Move], unfinished: int = 0) -> None:
        assert self.branch
        self.is_held_back = True
        self.ended = log.HELD_BACK
        self.ownership.check_lease()
        tell.change(f"publish log: {self.branch}: {log.HELD_BACK}")
        facts = {"ran": self._tests_that_ran(), "unfinished": unfinished}
        self.ownership.log.write(self.branch, log.HELD_BACK, found, facts)

    def _drop_part(self, found: list[Move]) -> None:
        assert self.branch
        written = {move.table_name for move in found}
        names = sorted(written.union(self.ownership.unpublished.tables))
        self.ownership.drop_branch(self.branch, names)
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
        lease = self.ownership.lease
        try:
            self.ownership.restore_catalog()
            if self.branch is not None:
                with explained():
                    self._complete_branch()
            elif self.ownership.command is None and not self.outcomes:
                self._tell_of_held_back()
        except Exception as error:
            self.last_lines.append(f"Nothing was published: {explain(error)}")
        if lease is None or not lease.is_lost:
            settle()
            self._record()
        try:
            if lease:
                lease.give_back()
        except Exception as error:
            self.last_lines.append(
                f"The lock was not given back, the next run will: {explain(error)}"
            )

    def _record(self) -> None:
        """Record the run and its nodes. A run with --empty or --sample is not recorded.

        It never raises: a published build must not fail because of its record.
        """
        command = self.ownership.command
        if command is None or not self.is_begun or command.is_a_part or not self.outcomes:
            return
        names = self.ownership.record_tables
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
        nodes = record.node_rows(run, self.outcomes, self.ownership.nodes)
        try:
            tell.change(f"record of runs: {run.run}")
            with explained():
                record.write(session.get(), names, run, nodes)
                if self.passed:
                    tests = [name for name in self.ownership.nodes if name.startswith("test.")]
                    self.passed.write(tests)
        except Exception as error:
            self.last_lines.append(f"This run is not in {names[0]}: {explain(error)}")

    def _tell_of_held_back(self) -> None:
        """Report a held-back branch for a retry that has nothing to do, which calls no hook."""
        if not self._retry:
            return
        try:
            with explained():
                table = log_table(self.operations_schema())
                self.last_lines += self._retry.nothing_to_do(table)
        except Exception as error:  # the command failed before it had nothing to do
            tell.detail(f"What was held back cannot be told: {explain(error)}")

    def _complete_branch(self) -> None:
        command, nodes = self.ownership.command, self.ownership.nodes
        assert self.branch and command
        if command.is_a_part:
            self._drop_part(self._written())
            return
        found = self._written()
        left = [
            unique_id
            for unique_id in self._selected
            if unique_id.startswith(RESULTS)
            and unique_id not in self.outcomes
            and nodes.get(unique_id, {}).get("config", {}).get("materialized") != "ephemeral"
        ]
        self._hold_back(found, len(left))
        self.last_lines += held_back.not_ended(self.branch, found, len(left), self._refusal)
