"""How a check ends."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dbt_spark_contracts.cli.check_pull_request.check import Checked

FINE, WRONG, CANNOT_CHECK = 0, 1, 2

# click keeps the lines of a text that begins with \b as they are.
EXPLAINED = """\b
Exit codes:
  0  nothing is wrong (what the change touches is told)
  1  something is wrong: each problem is listed
  2  it cannot check, or cannot write its report: one line on stderr
"""


def exit_code(checked: "Checked") -> int:
    """How a check with these findings ends."""
    return WRONG if checked.problems else FINE
