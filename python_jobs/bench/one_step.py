"""Measures one step that shares no process with any other."""

import uuid
from collections.abc import Mapping
from pathlib import Path

from python_jobs.bench.contestants.base import Step
from python_jobs.bench.processes import Measured, end_all, measure, wait_until_quiet


def take(step: Step, environment: Mapping[str, str], folder: Path, log: Path) -> Measured:
    """Run a step's lead-in, wait until nothing of it computes any more, and measure the step.

    Args:
        step: The step. Its `starts_empty` and `has_new_events` are the caller's.
        environment: Environment variables besides those of the step.
        folder: The working directory.
        log: The file to append all output to.

    Returns:
        The cost of the step without its lead-in. None of its processes is left.

    Raises:
        CommandFailedError: If a command failed.
    """
    mark = uuid.uuid4().hex
    variables = {**environment, **step.environment}
    try:
        for command in step.lead_in:
            measure([command], variables, folder, mark, log)
        wait_until_quiet(mark)
        return measure(step.commands, variables, folder, mark, log)
    finally:
        end_all(mark)
