"""Check, without Athena, that it can take this project's models and data tests.

    uv run --group lint python -m python_jobs.athena_gate

Ends with 0, or 1 and a list of what is wrong, or 2 if the project does not compile.
"""

import sys
from pathlib import Path

from python_jobs.athena_gate.pyspark_api import newer_api

try:
    from python_jobs.athena_gate import trino_sql
except ModuleNotFoundError as error:
    sys.exit(f"The gate needs {error.name}: run it with `uv run --group lint python …`")

ROOT = Path(__file__).parents[2]


def main(project: Path = ROOT) -> int:
    """Check, tell what is wrong, and say by a number how it ended."""
    try:
        problems = trino_sql.check(project)
    except trino_sql.CannotCompileError as error:
        print(error, file=sys.stderr)
        return 2
    for model in sorted(project.glob("models/**/*.py")):
        problems += newer_api(model)
    print(*problems, sep="\n", end="\n" if problems else "", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
