"""Publishing a branch: all of its tables are checked again, and then move together."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from dbt_common.exceptions import DbtRuntimeError

from dbt_spark_contracts.publish import branches, held_back, log, moves, pending, untested
from dbt_spark_contracts.publish.branches import Move, MovedOn
from dbt_spark_contracts.publish.ownership import Ownership
from dbt_spark_contracts.publish.tags import Ages
from dbt_spark_contracts.spark import session


@dataclass
class Publishing:
    """Moves main of the tables that a command owns.

    Attributes:
        ownership: What the command owns.
        check_contracts: Takes dbt's nodes, tables and their branch. Raises an error if one of the
            tables violates its contract.
    """

    ownership: Ownership
    check_contracts: Callable[[dict[str, dict], list[str], str], None] = lambda *_: None

    def moves(self, branch: str, names: Iterable[str]) -> list[Move]:
        """Return the moves of a branch. See `branches.moves`.

        Raises:
            DbtRuntimeError: If a table has the branch and no main.
        """
        try:
            return branches.moves(session.get(), branch, names)
        except MovedOn as moved_on:
            raise DbtRuntimeError(held_back.moved_on(moved_on.table, branch)) from None

    def check_can_be_resumed(self, branch: str, found: list[Move], held: Iterable[str]) -> None:
        """Check that a branch that was held back exists, and can still be published.

        Its rows may be computed from any table. So no table may have been rolled back since, unless
        it has been rolled forward again.

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
        owner = self.ownership
        for back in owner.log.rolled_back_since(branch) if owner.has_log() else ():
            if not branches.is_within_main(session.get(), back.table_name, back.from_snapshot_id):
                raise DbtRuntimeError(held_back.rolled_back(back.table_name, branch))
        self.check_can_be_published(branch, found)

    def check_can_be_published(self, branch: str, found: list[Move]) -> None:
        """Check that main of the branch's tables is where the branch began.

        Args:
            branch: The branch.
            found: The moves of its tables.

        Raises:
            DbtRuntimeError: If the branch cannot be published.
        """
        for move in found:
            if not branches.can_move(session.get(), branch, move):
                raise DbtRuntimeError(held_back.moved_on(move.table_name, branch))
            pending.hold_others(session.get(), move.table_name, branch)
            if column := pending.clash(session.get(), move.table_name, branch):
                raise DbtRuntimeError(held_back.clashes(move.table_name, branch, column))

    def publish(self, branch: str, found: list[Move], ran: Iterable[str]) -> str:
        """Publish a branch.

        Args:
            branch: The branch.
            found: The moves of its tables.
            ran: The marks of the data tests that have run on it.

        Returns:
            The message about it.

        Raises:
            DbtRuntimeError: If it cannot be published.
        """
        self.check_can_be_published(branch, found)
        self.check_contracts(self.ownership.nodes, [move.table_name for move in found], branch)
        at_once = self.move(branch, found, log.PUBLISHED)
        written = {move.table_name for move in found}
        names = untested.untested(written, self.ownership.nodes, set(ran))
        how = "in one commit" if at_once else "one by one"
        return f"Published {len(found)} tables {how}{untested.told(names)}."

    def move(self, branch: str, found: list[Move], status: str) -> bool:
        """Move main of each table to its branch.

        Returns:
            Whether readers saw all of them move at once.

        Raises:
            DbtRuntimeError: If it cannot move.
        """
        owner = self.ownership
        ages = Ages(owner.nodes)
        try:
            at_once = moves.move_all(
                session.get(), owner.log, branch, status, found, ages, owner.check_lease
            )
        except MovedOn as moved_on:
            raise DbtRuntimeError(held_back.moved_on(moved_on.table, branch)) from None
        for each in found:
            owner.unpublished.forget(session.get(), each.table_name)
        return at_once
