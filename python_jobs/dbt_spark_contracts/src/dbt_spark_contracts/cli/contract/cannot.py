"""How the commands on contracts end."""


class Cannot(Exception):
    """Why a command on contracts cannot be done, in one line."""


FINE, NO, CANNOT = 0, 1, 2


def explained(fine: str, no: str) -> str:
    """The exit codes of a command, for its help: two lines that are its own, and a common one."""
    # click keeps the lines of a text that begins with \b as they are.
    return f"\b\nExit codes:\n  0  {fine}\n  1  {no}\n  2  it cannot be done: one line on stderr\n"
