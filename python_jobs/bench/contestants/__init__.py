"""The contestants: our build, and its rivals."""

from collections.abc import Callable
from pathlib import Path

from python_jobs.bench.contestants.base import Contestant
from python_jobs.bench.contestants.duckdb import duckdb
from python_jobs.bench.contestants.ours import ours
from python_jobs.bench.contestants.pyspark import hand_written, separate_jobs, tuned
from python_jobs.bench.contestants.unchecked import unchecked

# By key, in the order of their turns. Each function creates a contestant.
CONTESTANTS: dict[str, Callable[[Path, Path], Contestant]] = {
    "D": ours,
    "N": unchecked,
    "H": hand_written,
    "Ht": tuned,
    "K": duckdb,
    "S": separate_jobs,
}
