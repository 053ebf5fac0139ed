"""The errors of queries, with Athena's error names where Athena has one."""


class QueryFailed(Exception):
    """An error that Athena would also raise. `str()` gives "NAME: message"."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")


class NotInTheFront(QueryFailed):
    """A feature that Athena may have, but that the front does not implement."""

    def __init__(self, what: str) -> None:
        super().__init__("NOT_IN_THE_FRONT", f"the tests' front of Athena does not know {what}")


class InvalidRequest(Exception):
    """The call itself is invalid: Athena's InvalidRequestException."""
