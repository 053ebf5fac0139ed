"""The error of the command."""


class CannotCompare(Exception):
    """Two tables cannot be compared. The message is one line, with the way out."""
