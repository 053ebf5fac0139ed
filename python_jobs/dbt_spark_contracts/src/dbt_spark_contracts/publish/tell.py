"""What a run says, by dbt's own events."""

from dbt.adapters.events.types import CodeExecution
from dbt_common.events.base_types import EventLevel
from dbt_common.events.functions import fire_event
from dbt_common.events.types import Note


def change(what: str) -> None:
    """Say in dbt's log, as of any code that runs, what is about to be changed by Iceberg's API."""
    fire_event(CodeExecution(conn_name="master", code_content=what))


def line(text: str) -> None:
    """Say a line to the user."""
    fire_event(Note(msg=text), EventLevel.INFO)


def detail(text: str) -> None:
    """Say in dbt's log what a user need not see."""
    fire_event(Note(msg=text), EventLevel.DEBUG)
