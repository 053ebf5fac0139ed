"""Runs a dbt command that kills itself.

    python -m tests.support.killed_dbt PHASE NUMBER DELAY WHOM -- ARGS

SIGKILL is sent DELAY seconds after dbt has sent statement NUMBER (from 0) of PHASE to Spark.
Without a delay the statement does not start. PHASE is begin, seed, bronze, silver, gold, test or
publish. A PHASE of several words means the statements that contain these words. WHOM is `dbt` for
dbt alone, or `all` for dbt and its Java process.
"""

import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Iterable

from dbt.cli.main import dbtRunner


def phase_of(connection: str, seen: Counter) -> str:
    """Return the phase of a statement by its dbt connection and the phases `seen` before."""
    kind, _, name = connection.partition(".")
    if kind == "model":
        name = name.rpartition(".")[2]
        return "silver" if name.startswith("stg_") else name.partition("_")[0]
    if kind in ("seed", "test"):
        return kind
    if connection == "master":
        return "publish" if seen["gold"] else "begin"
    return "other"


def count(statements: Iterable[str]) -> Counter:
    """Count the statements of each phase from their connections, in order."""
    seen: Counter = Counter()
    for connection in statements:
        seen[phase_of(connection, seen)] += 1
    return seen


def main() -> int:
    """Run dbt with the arguments.

    Returns:
        The exit code, if dbt ends before the kill.
    """
    phase, number, delay, whom, _, *args = sys.argv[1:]
    seen: Counter = Counter()
    lock = threading.Lock()

    def kill() -> None:
        os.killpg(0, signal.SIGKILL) if whom == "all" else os.kill(os.getpid(), signal.SIGKILL)

    def callback(event) -> None:
        if event.info.name not in ("SQLQuery", "CodeExecution"):
            return
        text = getattr(event.data, "sql", "") or event.data.code_content
        with lock:
            is_named = " " in phase and phase in text
            now = phase if is_named else phase_of(event.data.conn_name, seen)
            seen[now] += 1
            if now == phase and seen[now] == int(number) + 1:
                threading.Timer(float(delay), kill).start() if float(delay) else kill()

    return 0 if dbtRunner(callbacks=[callback]).invoke(args).success else 1


if __name__ == "__main__":
    sys.exit(main())
