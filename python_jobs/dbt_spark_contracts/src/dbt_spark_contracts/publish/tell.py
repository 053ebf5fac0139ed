"""Messages of a run, as dbt's own events."""

from dbt.adapters.events.types import CodeExecution
from dbt_common.events.base_types import EventLevel
from dbt_common.events.functions import fire_event
from dbt_common.events.types import Note


def change(what: str) -> None:
    """Log what is about to change through Iceberg's API, as dbt logs the code it runs."""
    fire_event(CodeExecution(conn_name="master", code_content=what))


def line(text: str) -> None:
    """Print a line for the user."""
    fire_event(Note(msg=text), EventLevel.INFO)


def detail(text: str) -> None:
    """Write to dbt's log only."""
    fire_event(Note(msg=text), EventLevel.DEBUG)
