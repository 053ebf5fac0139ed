"""Check, without Athena, that it can take this project's models and data tests.

    uv run --group lint python -m python_jobs.athena_gate

Ends with 0, or 1 and a list of what is wrong, or 2 if the project does not compile.
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
        description="Check, without Athena, that it can take this project's models and data tests: "
        "SQL by Trino's grammar and functions, Python by Spark 3.2's API. Ends with 0, or 1 and a "
        "list of what is wrong, or 2 if the project does not compile.",
    )
    parser.add_argument(
        "--project-dir",
        type=Path,
        default=ROOT,
        help="the folder of dbt_project.yml; without, this project's",
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
        print("Nothing was found that Athena could not take.")
        return 0
    print(*problems, sep="\n", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
