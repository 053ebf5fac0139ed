"""Runs sqlfluff on the dbt models: `python -m python_jobs.lint_sql lint models tests`.

sqlfluff's dbt templater parses the project in this process, but without dbt's plugins, and this
project does not parse without ours. So dbt parses it first, with the plugins.
"""

import sys

from dbt.cli.main import dbtRunner
from sqlfluff.cli.commands import cli

if __name__ == "__main__":
    if not dbtRunner().invoke(["parse", "--quiet"]).success:
        sys.exit(1)
    cli()
