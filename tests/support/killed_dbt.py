"""Runs a dbt command that kills itself.

    python -m tests.support.killed_dbt PHASE FRACTION DELAY WHOM -- ARGS

Of the statements that dbt sends to Spark in PHASE (begin, seed, bronze, silver, gold, test or
publish), it is the one at FRACTION of them, as they were counted in an earlier run; DELAY seconds
later comes SIGKILL, to dbt alone or to its Java too (WHOM: dbt, all). In the PHASE `none` nothing
is killed, and the statements are counted: in counts.json of the target folder.
"""

import json
import os
import signal
import sys
import threading
from collections import Counter
from pathlib import Path

from dbt.cli.main import dbtRunner


def phase_of(connection: str, seen: Counter) -> str:
    """The phase that a statement on a dbt connection is part of, after those that were `seen`."""
    kind, _, name = connection.partition(".")
    if kind == "model":
        name = name.rpartition(".")[2]
        return "silver" if name.startswith("stg_") else name.partition("_")[0]
    if kind in ("seed", "test"):
        return kind
    if connection == "master":
        return "publish" if seen["gold"] else "begin"
    return "other"


def main() -> int:
    """Run dbt with the arguments. Out: its exit code, if it lives that long."""
    phase, fraction, delay, whom, _, *args = sys.argv[1:]
    counts = Path(args[args.index("--target-path") + 1], "counts.json")
    seen: Counter = Counter()
    last = 0 if phase == "none" else int(float(fraction) * json.loads(counts.read_text())[phase])
    lock = threading.Lock()

    def kill() -> None:
        os.killpg(0, signal.SIGKILL) if whom == "all" else os.kill(os.getpid(), signal.SIGKILL)

    def callback(event) -> None:
        if event.info.name not in ("SQLQuery", "CodeExecution"):
            return
        with lock:
            now = phase_of(event.data.conn_name, seen)
            seen[now] += 1
            if now == phase and seen[now] == last + 1:
                threading.Timer(float(delay), kill).start()

    result = dbtRunner(callbacks=[callback]).invoke(args)
    if phase == "none":
        counts.write_text(json.dumps(seen))
    return 0 if result.success else 1


if __name__ == "__main__":
    sys.exit(main())
