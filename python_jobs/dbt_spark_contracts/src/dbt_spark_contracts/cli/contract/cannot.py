"""The error and the exit codes of the commands on contracts."""


class Cannot(Exception):
    """A command on contracts cannot be carried out. The message is one line."""


FINE, NO, CANNOT = 0, 1, 2


def explained(fine: str, no: str) -> str:
    """Return the exit codes of a command, for its help: two specific lines and a common one."""
    # click does not wrap the lines of a text that begins with \b.
    return f"\b\nExit codes:\n  0  {fine}\n  1  {no}\n  2  an error: one line on stderr\n"
