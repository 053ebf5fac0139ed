"""The exit codes of a check."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dbt_spark_contracts.cli.check_pull_request.check import Checked

FINE, WRONG, CANNOT_CHECK = 0, 1, 2

# click keeps the line breaks of a text that begins with \b.
EXPLAINED = """\b
Exit codes:
  0  no problem (the report shows what the change touches)
  1  problems: each one is listed
  2  it cannot check, or cannot write the report: one line on stderr
"""


def exit_code(checked: "Checked") -> int:
    """Return the exit code of a check with these findings."""
    return WRONG if checked.problems else FINE
