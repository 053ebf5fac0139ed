"""What a command asks of maintenance, and the time that it has."""

import re
import time
from dataclasses import dataclass, field

from dbt_common.exceptions import DbtRuntimeError

from dbt_spark_contracts.publish.maintenance.settings import RANGES

_SECONDS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True)
class Wanted:
    """What to do.

    Attributes:
        keep_days: For all tables, instead of their settings. None: as they say.
        only: The names of the tables to maintain. Empty for all of the project.
        dry_run: Whether to only report what would be done.
        budget: The time after which no other action begins, like `10m`. None: no limit.

    Raises:
        DbtRuntimeError: If `keep_days` or `budget` is invalid. The message is one line.
    """

    keep_days: float | None
    only: list[str]
    dry_run: bool = False
    budget: str | None = None
    _began: float = field(default_factory=time.monotonic, compare=False)

    def __post_init__(self) -> None:
        allowed = RANGES["keep_days"]
        if self.keep_days is not None and self.keep_days not in allowed:
            raise DbtRuntimeError(f"keep_days must be {allowed}, and is {self.keep_days!r}.")
        _ = self._seconds

    @property
    def is_over(self) -> bool:
        """Whether the time is used up."""
        seconds = self._seconds
        return seconds is not None and time.monotonic() - self._began >= seconds

    @property
    def _seconds(self) -> float | None:
        if self.budget is None:
            return None
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh])", str(self.budget).strip())
        if found is None:
            raise DbtRuntimeError(
                f"budget must be a time like 90s, 10m or 1.5h, and is {self.budget!r}."
            )
        return float(found[1]) * _SECONDS[found[2]]
