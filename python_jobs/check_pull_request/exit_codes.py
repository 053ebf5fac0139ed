"""How a check ends."""

from python_jobs.check_pull_request.check import Checked

FINE, WRONG, CANNOT_CHECK = 0, 1, 2

EXPLAINED = """\
exit codes:
  0  nothing is wrong (what the change touches is told)
  1  something is wrong: each problem is listed
  2  it cannot check (no such base, a base that does not parse), or cannot write its report: one
     line on stderr
"""


def exit_code(checked: Checked) -> int:
    """How a check with these findings ends."""
    return WRONG if checked.problems else FINE
