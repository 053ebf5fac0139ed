"""Moves of main of several tables, all or none, and recovery of interrupted moves.

The plan is first written to the log in one commit, so that the next command can finish it. Then all
tables move in one commit if the catalog has one for several tables, or else each in its own. The
commit also drops the branch, and tags what it publishes.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dbt_spark_contracts.publish import branches, commits, log, pending, tell
from dbt_spark_contracts.publish.branches import Move, MovedOn
from dbt_spark_contracts.publish.command import ROLL_BACK
from dbt_spark_contracts.publish.log import PublishLog
from dbt_spark_contracts.publish.tags import Ages

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def move_all(
    session: "SparkSession",
    publish_log: PublishLog,
    branch: str,
    status: str,
    moves: list[Move],
    ages: Ages,
    check_lease: Callable[[], None],
) -> bool:
    """Move main of each table to its branch.

    Args:
        session: The session.
        publish_log: The log.
        branch: The branch.
        status: The status in the log at the end.
        moves: The moves, each already checked.
        ages: How long tags are kept.
        check_lease: Raises an error if the lease is lost.

    Returns:
        Whether readers saw all of them move at once.

    Raises:
        MovedOn: If one of the tables has been written meanwhile. Then nothing is moved.
    """
    check_lease()
    try:
        tell.change(f"publish log: {branch}: {log.MOVING}")
        publish_log.write(branch, log.MOVING, moves)
        at_once = _move(session, branch, moves, ages)
        # Columns change last, when no move can be taken back any more.
        for move in moves:
            pending.apply(session, move.table_name, branch)
        tell.change(f"publish log: {branch}: {status}")
        publish_log.write(branch, status, moves)
        return at_once
    except BaseException as error:
        check_lease()  # if it is lost, its new owner recovers this
        recovered = recover(session, publish_log, ages)
        for each in recovered:
            tell.line(str(each))
        finished = [each for each in recovered if each.run == branch and not each.because_of]
        if not isinstance(error, Exception) or not finished:
            raise
        return finished[0].at_once


def _move(session: "SparkSession", branch: str, moves: list[Move], ages: Ages) -> bool:
    """Move the tables that have not moved yet. Return whether it was one commit.

    Raises:
        MovedOn: If one of the tables has been written meanwhile.
    """
    if catalog := commits.transactions(session, [move.table_name for move in moves]):
        tell.change(f"move main of {len(moves)} tables to {branch}, in one commit")
        with suppress(commits.NotOffered):
            branches.move_together(session, catalog, branch, moves, ages)
            return True
    for move in moves:
        tell.change(f"{move.table_name}: move main to {branch}")
        branches.move_main(session, branch, move, ages)
    return len(moves) == 1


@dataclass(frozen=True)
class Recovered:
    """An interrupted move that was finished, or taken back because of other writes.

    Attributes:
        run: The run.
        count: The number of its tables.
        because_of: The tables that something else has written, for which it was taken back.
        at_once: Whether readers saw all of them move at once.
    """

    run: str
    count: int
    because_of: tuple[str, ...] = ()
    at_once: bool = False

    def __str__(self) -> str:
        why = f"taken back, because of a write by something else to {', '.join(self.because_of)}"
        return (
            f"{self.run} was broken off while it published {self.count} tables: "
            f"{why if self.because_of else 'finished'}."
        )


def recover(session: "SparkSession", publish_log: PublishLog, ages: Ages) -> list[Recovered]:
    """Finish each interrupted move of main, or take it back if a table can no longer move.

    Recovery may itself be interrupted and repeated. Tables that no longer exist are ignored.
    """
    return [
        _recover(session, publish_log, run, moves, ages)
        for run, moves in publish_log.open_moves().items()
    ]


def _recover(
    session: "SparkSession", publish_log: PublishLog, run: str, moves: list[Move], ages: Ages
) -> Recovered:
    there = [move for move in moves if branches.find(session, move.table_name) is not None]
    foreign = [
        move.table_name
        for move in there
        if not branches.has_moved(session, run, move)
        and not branches.can_be_moved(session, run, move)
    ]
    at_once = False
    if not foreign:
        has_begun = any(branches.has_moved(session, run, move) for move in there)
        try:
            at_once = _move(session, run, there, ages) and not has_begun
        except MovedOn as moved_on:  # written just now
            foreign.append(moved_on.table)
    if foreign:
        for move in there:
            tell.change(f"{move.table_name}: take back the move to {run}")
            branches.take_back(session, run, move)
            pending.discard(session, move.table_name, run)
    else:
        for move in there:
            pending.apply(session, move.table_name, run)
    tell.change(f"publish log: {run}: recovered")
    moved = log.ROLLED_BACK if run.startswith(f"{ROLL_BACK}_") else log.PUBLISHED
    publish_log.write(run, log.TAKEN_BACK if foreign else moved, moves)
    return Recovered(run, len(moves), tuple(foreign), at_once)
