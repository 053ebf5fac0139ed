"""What a `dbt retry` continues: the branch that the run before it has held back."""

from collections.abc import Iterable
from dataclasses import dataclass

from dbt_common.exceptions import DbtRuntimeError

from dbt_spark_contracts import tables
from dbt_spark_contracts.publish import branches, held_back
from dbt_spark_contracts.publish.command import is_run_name, suffix
from dbt_spark_contracts.publish.log import PublishLog
from dbt_spark_contracts.publish.publishing import Publishing
from dbt_spark_contracts.spark import session


@dataclass(frozen=True)
class Continued:
    """A branch that a retry continues.

    Attributes:
        branch: The branch.
        tables: The names of its tables.
        tests: The marks of the data tests that have run on it.
    """

    branch: str
    tables: list[str]
    tests: list[str]


@dataclass(frozen=True)
class Retry:
    """The run that this command retries.

    Attributes:
        invocation_id: dbt's id of that command.
        has_written: Whether it has written a table.
        publishing: What publishes for this command.
    """

    invocation_id: str
    has_written: bool
    publishing: Publishing

    def branch_to_continue(self) -> Continued | None:
        """Return the branch to continue, or None if that run wrote nothing.

        Raises:
            DbtRuntimeError: If that branch cannot be continued.
        """
        branch, names = self._held_back()
        if branch is None:
            return None
        facts = self.publishing.ownership.log.facts(branch)
        if facts.get("unfinished"):
            raise DbtRuntimeError(held_back.interrupted(branch, facts["unfinished"]))
        found = self.publishing.moves(branch, names)
        self.publishing.check_can_be_resumed(branch, found, names)
        return Continued(branch, [move.table_name for move in found], facts.get("ran", []))

    def require_no_branch(self) -> None:
        """Check that this retry, which has no branch, does not skip one that was held back.

        Raises:
            DbtRuntimeError: If it would continue from main, without what the retried run has built.
        """
        owner = self.publishing.ownership
        known = owner.log.held_back_by(self.invocation_id) if owner.has_log() else None
        if known and self.publishing.moves(*known):
            raise DbtRuntimeError(held_back.retried_on_main(known[0]))

    def nothing_to_do(self, log_table: str) -> Iterable[str]:
        """Return a message for each held-back branch, if this retry has nothing to do.

        Such a command calls no hook, so it has no lease and no log yet.

        Args:
            log_table: The table of the publish log.
        """
        if not tables.exists(session.get(), log_table):
            return
        log = PublishLog(session.get(), log_table, self.invocation_id)
        branch, names = log.held_back_by(self.invocation_id) or (None, [])
        found = self.publishing.moves(branch, names) if branch else []
        if branch and found:
            unfinished = log.facts(branch).get("unfinished")
            yield (
                held_back.interrupted(branch, unfinished)
                if unfinished
                else held_back.nothing_to_retry(branch, len(found))
            )

    def _held_back(self) -> "tuple[str | None, list[str]]":
        """Return the branch of that run, and the names of its tables."""
        owner = self.publishing.ownership
        known = owner.log.held_back_by(self.invocation_id)
        if known or not self.has_written:
            return known or (None, [])
        # Nothing was logged, but the branch name ends with this suffix.
        end = suffix(self.invocation_id)
        names, branch = [], f"…{end}"
        for name, refs in branches.refs(session.get(), owner.project_tables()).items():
            for ref in refs:
                if is_run_name(ref) and ref.endswith(end):
                    names.append(name)
                    branch = ref
        return branch, names
