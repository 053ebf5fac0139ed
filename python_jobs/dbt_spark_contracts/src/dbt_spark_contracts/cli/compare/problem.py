"""Why two tables cannot be compared."""


class CannotCompare(Exception):
    """Why, and the way out, in one line."""
