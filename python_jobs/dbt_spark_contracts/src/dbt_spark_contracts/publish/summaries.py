"""What the snapshots that a run's models write tell of the run, in their summaries.

The notes belong to the thread of a model: threads share all settings of the session, and the
contract is the model's own.
"""

import threading
from typing import TYPE_CHECKING

from py4j.protocol import Py4JError

from dbt_spark_contracts.compat import iceberg
from dbt_spark_contracts.errors import explain
from dbt_spark_contracts.publish import tell

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from dbt_spark_contracts.publish.command import Command

RUN, INVOCATION, GIT_COMMIT, CONTRACT = (
    *("dbt.run", "dbt.invocation_id"),
    *("dbt.git_commit", "dbt.contract_checksum"),
)

# What a thread's snapshots tell: `told`.
_thread = threading.local()


def begin(session: "SparkSession", run: str, command: "Command", contract: "str | None") -> None:
    """Let the snapshots that this thread writes tell of the run, until `end`.

    Args:
        session: The session.
        run: The run's name.
        command: Its command.
        contract: The checksum of the contract of the model that this thread builds.
    """
    told = {RUN: run, INVOCATION: command.invocation_id, GIT_COMMIT: command.git_commit}
    told[CONTRACT] = contract
    _note(session, {name: value for name, value in told.items() if value})


def add(session: "SparkSession", name: str, value: str) -> None:
    """Let the snapshots that this thread writes tell one thing more, until `end`."""
    _note(session, {**getattr(_thread, "told", {}), name: value})


def is_told() -> bool:
    """Return whether the snapshots that this thread writes tell anything."""
    return bool(getattr(_thread, "told", {}))


def end(session: "SparkSession") -> None:
    """Let the snapshots that this thread writes tell nothing more."""
    _note(session, {})


def _note(session: "SparkSession", told: dict[str, str]) -> None:
    """A build does not fail for a note."""
    try:
        iceberg.note_on_commits(session, told)
        _thread.told = told
    except Py4JError as error:
        tell.detail(f"Snapshots will not tell of this run: {explain(error)}")
