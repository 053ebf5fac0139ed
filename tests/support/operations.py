"""Calls an operation in this process, like `dbt run-operation`."""

from collections.abc import Callable
from typing import Any

from dbt_spark_contracts.publish import operations
from dbt_spark_contracts.publish.command import Command
from dbt_spark_contracts.publish.run import Run


def operate(run: Run, operation: Callable, command: Command, nodes: dict, *args: Any) -> Any:
    """Call an operation, and end its run.

    Args:
        run: The run.
        operation: One of `operations`, or `job.maintain`.
        command: The command.
        nodes: dbt's nodes.
        *args: Further arguments of the operation.

    Returns:
        The result of the operation.
    """
    takes = {operations.publish: run, operations.roll_back: run.publishing}
    try:
        return operation(takes.get(operation, run.ownership), command, nodes, *args)
    finally:
        run.complete()
