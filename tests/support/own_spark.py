"""Runs dbt and Spark SQL in a separate process, because a process has only one catalog.

    python -m tests.support.own_spark HOME

It reads one JSON request per line and answers each with one line.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.dbt_runner import LOGS, ROOT, Dbt


@dataclass
class Ended:
    """The result of a dbt command: its success, its log, and its messages on the terminal."""

    success: bool
    text: str
    said: list[str]


class OwnSpark:
    """The client of the process."""

    def __init__(self, process: subprocess.Popen) -> None:
        self._process = process

    def dbt(self, project: Dbt, schema: str, *args: str, **variables) -> Ended:
        """Run a dbt command on a project, in the namespaces with that prefix."""
        folder = str(project.project_dir)
        asked = {"project": folder, "schema": schema, "args": args, "variables": variables}
        return Ended(**self._ask(asked))

    def sql(self, query: str) -> list[tuple]:
        """Return the rows of a query, sorted."""
        return sorted((tuple(row) for row in self._ask({"query": query})), key=repr)

    def _ask(self, request: dict):
        self._process.stdin.write(f"{json.dumps(request)}\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer["result"]


@contextmanager
def own_spark(home: Path, variables: dict[str, str]) -> Iterator[OwnSpark]:
    """Start the process with these environment variables and the tables of `home`."""
    LOGS.mkdir(parents=True, exist_ok=True)
    with (LOGS / f"{home.name}.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", __spec__.name, str(home)],
            env=os.environ | variables,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            yield OwnSpark(process)
        finally:
            process.stdin.close()
            process.wait(60)


def main() -> None:
    """Answer until there are no more requests."""
    home = Path(sys.argv[1])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # keep the output of dbt and Java out of the answers
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"result": _query(**request) if "query" in request else _run(home, **request)}
        except Exception as error:
            answer = {"error": f"{request}: {error}"}
        answers.write(f"{json.dumps(answer, default=str)}\n")
        answers.flush()


def _run(home: Path, project: str, schema: str, args: list[str], variables: dict) -> dict:
    result = Dbt(home, Path(project), Path(project, "target"))(*args, schema=schema, **variables)
    return {"success": result.success, "text": result.text, "said": result.said}


def _query(query: str) -> list:
    from dbt_spark_contracts.spark import session

    return [list(row) for row in session.get().sql(query).collect()]


if __name__ == "__main__":
    main()
