"""Moves of main of several tables, all or none, and what becomes of one that was broken off.

What is to happen is written down first, in one commit of the log, so that the next command can
finish it. Each table then moves in one commit, in which its branch goes too.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dbt_spark_contracts.publish import branches, log, pending, tell
from dbt_spark_contracts.publish.branches import Move, MovedOn
from dbt_spark_contracts.publish.log import PublishLog

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def move_all(
    session: "SparkSession",
    publish_log: PublishLog,
    branch: str,
    status: str,
    moves: list[Move],
    check_lease: Callable[[], None],
) -> None:
    """Let main of each table be what its branch is.

    Args:
        session: The session.
        publish_log: The log.
        branch: The branch.
        status: What the log says when it is done.
        moves: What is moved; each was found to be possible.
        check_lease: Raises an error if the lease is lost.

    Raises MovedOn, and moves nothing, if one of the tables has been written meanwhile.
    """
    check_lease()
    try:
        tell.change(f"publish log: {branch}: {log.MOVING}")
        publish_log.write(branch, log.MOVING, moves)
        for move in moves:
            tell.change(f"{move.table_name}: move main to {branch}")
            branches.move_main(session, branch, move)
        # What is taken back has its columns still: they change when nothing is taken back any more.
        for move in moves:
            pending.apply(session, move.table_name, branch)
        tell.change(f"publish log: {branch}: {status}")
        publish_log.write(branch, status, moves)
    except BaseException as error:
        check_lease()  # if it is lost, whoever has it recovers this
        recovered = recover(session, publish_log)
        for each in recovered:
            tell.line(str(each))
        if not isinstance(error, Exception) or not _is_finished(recovered, branch):
            raise


def _is_finished(recovered: "list[Recovered]", branch: str) -> bool:
    return any(each.run == branch and not each.because_of for each in recovered)


@dataclass(frozen=True)
class Recovered:
    """A move that was broken off: finished or, because of writes to some tables, taken back."""

    run: str
    count: int
    because_of: tuple[str, ...] = ()

    def __str__(self) -> str:
        why = f"taken back, because of a write by something else to {', '.join(self.because_of)}"
        return (
            f"{self.run} was broken off while it published {self.count} tables: "
            f"{why if self.because_of else 'finished'}."
        )


def recover(session: "SparkSession", publish_log: PublishLog) -> list[Recovered]:
    """Finish each move of main that was broken off or, if one of its tables cannot be moved any
    more, take it back. May itself be broken off, and done again.

    A table that is gone counts for nothing.
    """
    return [
        _recover(session, publish_log, run, moves)
        for run, moves in publish_log.open_moves().items()
    ]


def _recover(
    session: "SparkSession", publish_log: PublishLog, run: str, moves: list[Move]
) -> Recovered:
    there = [move for move in moves if branches.find(session, move.table_name) is not None]
    foreign = [
        move.table_name
        for move in there
        if not branches.has_moved(session, run, move)
        and not branches.can_be_moved(session, run, move)
    ]
    if not foreign:
        try:
            for move in there:
                tell.change(f"{move.table_name}: finish the move to {run}")
                branches.move_main(session, run, move)
        except MovedOn as moved_on:  # just now
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
    publish_log.write(run, log.TAKEN_BACK if foreign else log.PUBLISHED, moves)
    return Recovered(run, len(moves), tuple(foreign))
