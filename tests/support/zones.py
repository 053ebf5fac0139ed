"""Runs a block where the clock is another one."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.dbt_runner import environment


@contextmanager
def time_zone(name: str) -> Iterator[None]:
    """Set the time zone of this process for the duration of the block."""
    try:
        with environment(TZ=name):
            time.tzset()
            yield
    finally:
        time.tzset()
