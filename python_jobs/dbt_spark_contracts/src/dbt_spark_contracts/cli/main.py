"""The command line: `dbt-spark-contracts`, or `python -m dbt_spark_contracts`.

Each sub-command imports what it needs when it runs, so that `--help` and shell completion are fast.
Exit codes: 0 for success, 1 for a negative answer, 2 for an error, with one line on stderr.
"""

import sys

import click

from dbt_spark_contracts.cli.check_pull_request.command import check_pr
from dbt_spark_contracts.cli.compare.command import compare
from dbt_spark_contracts.cli.contract.command import contract
from dbt_spark_contracts.cli.erase.command import erase
from dbt_spark_contracts.cli.lineage.command import lineage
from dbt_spark_contracts.cli.operations import history, maintain, publish, roll_back, unlock
from dbt_spark_contracts.cli.report.command import report

COMMANDS = (
    *(check_pr, contract, lineage),
    *(compare, history, report),
    *(publish, roll_back, maintain, erase, unlock),
)


class Commands(click.Group):
    """The sub-commands. Ctrl-C ends them with 130, because click's own 1 means "no" here."""

    def invoke(self, context: click.Context) -> object:
        """Run a sub-command."""
        try:
            return super().invoke(context)
        except KeyboardInterrupt:
            print("Stopped.", file=sys.stderr)
            context.exit(130)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes of all sub-commands: 0 for success, 1 if the answer is no, and 2 with one "
    "line on stderr for an error.",
)
@click.version_option(package_name="dbt-spark-contracts")
def cli() -> None:
    """Tools for a dbt project on Spark with enforced contracts."""


for command in COMMANDS:
    cli.add_command(command)


def run(arguments: list[str] | None = None) -> int:
    """Run a sub-command.

    Args:
        arguments: The command line without the program's name. None means that of this process.

    Returns:
        The exit code.
    """
    try:
        cli.main(arguments, prog_name="dbt-spark-contracts")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(bool(end.code))
    return 0


def main() -> None:
    """The console script."""
    sys.exit(run())
