"""What a run needs to know about its dbt command, and how it is named."""

import re
from dataclasses import dataclass
from datetime import datetime

from dbt_common.exceptions import DbtRuntimeError

from dbt_spark_contracts.publish.lease import LONGEST_TERM

# The commands that write tables.
WRITES = ("build", "run", "seed", "snapshot")

# The prefix of a build's run name, which is also its branch name.
BUILD = "dbt"

# The prefix of the name of a roll back.
ROLL_BACK = "roll_back"

# The prefix of the tag of a published run. No run has a name that begins with it.
TAG = "published_"

# The names that `run_name` makes. Only such a name may decide which folder is deleted.
RUN_NAME = re.compile(rf"(?!{TAG})[a-z]+(_[a-z]+)*_\d{{8}}t\d{{6}}_[0-9a-f]{{8}}")


@dataclass(frozen=True)
class Command:
    """A dbt command, as described by macros/publish/command.sql."""

    which: str
    is_a_part: bool  # --empty or --sample
    invocation_id: str
    started_at: datetime
    operations_schema: str
    audits: bool
    lock_seconds: float
    lock_wait_seconds: float
    git_commit: str | None = None
    repeats_tests: bool = False  # data tests that have passed on the same rows

    def __post_init__(self) -> None:
        for name in ("lock_seconds", "lock_wait_seconds"):
            value = getattr(self, name)
            if not is_number(value) or not value >= 0:  # NaN fails this, too
                raise DbtRuntimeError(f"The var {name} must be a number of seconds: {value!r}.")
        for name, value in (
            ("write_audit_publish", self.audits),
            ("repeat_data_tests", self.repeats_tests),
        ):
            if not isinstance(value, bool):
                raise DbtRuntimeError(f"The var {name} must be true or false: {value!r}.")
        if not 1 <= self.lock_seconds <= LONGEST_TERM:
            raise DbtRuntimeError(
                f"The var lock_seconds must be from 1 to {LONGEST_TERM:.0f}: {self.lock_seconds}."
            )

    def run_name(self, kind: str = BUILD) -> str:
        """Return the name of this command's run, which its branches and folders share."""
        return f"{kind}_{self.started_at:%Y%m%dt%H%M%S}{suffix(self.invocation_id)}"


def suffix(invocation_id: str) -> str:
    """Return the suffix of the run name of a command."""
    return f"_{invocation_id[:8]}"


def is_run_name(name: object) -> bool:
    """Return whether `run_name` could have made this name."""
    return isinstance(name, str) and RUN_NAME.fullmatch(name) is not None


def is_number(value: object) -> bool:
    """Return whether this is a number in YAML. A boolean is not."""
    return isinstance(value, int | float) and not isinstance(value, bool)
