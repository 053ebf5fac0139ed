"""How a query fails: by Athena's own error names where it has one."""


class QueryFailed(Exception):
    """Athena would refuse this, too. `str()` is what it says: NAME: message."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")


class NotInTheFront(QueryFailed):
    """Athena might do this. The front does not know it, and so does nothing."""

    def __init__(self, what: str) -> None:
        super().__init__("NOT_IN_THE_FRONT", f"the tests' front of Athena does not know {what}")


class InvalidRequest(Exception):
    """The call itself is refused: Athena's InvalidRequestException."""
