"""Checks, without Athena, whether it can run this project's models and data tests.

    uv run --group lint python -m python_jobs.athena_gate

The exit code is 0, or 1 with a list of problems, or 2 if the project does not compile.
"""

import argparse
import sys
from pathlib import Path

from python_jobs.athena_gate.pyspark_api import newer_api

try:
    from python_jobs.athena_gate import trino_sql
except ModuleNotFoundError as error:
    sys.exit(f"The gate needs {error.name}: run it with `uv run --group lint python …`")

ROOT = Path(__file__).parents[2]


def main(arguments: list[str] | None = None) -> int:
    """Run the checks, print the problems, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m python_jobs.athena_gate",
        description="Check, without Athena, whether it can run this project's models and tests: "
        "SQL by Trino's grammar and functions, Python by Spark 3.2's API. Exit codes: 0, 1 with a "
        "list of problems, 2 if the project does not compile.",
    )
    parser.add_argument(
        "--project-dir",
        type=Path,
        default=ROOT,
        help="the folder of dbt_project.yml; default: this project's",
    )
    project = parser.parse_args(arguments).project_dir
    try:
        problems = trino_sql.check(project)
    except trino_sql.CannotCompileError as error:
        print(error, file=sys.stderr)
        return 2
    for model in sorted(project.glob("models/**/*.py")):
        problems += newer_api(model)
    if not problems:
        print("No problems found.")
        return 0
    print(*problems, sep="\n", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
