"""Messages of a run, as dbt's own events."""

from dbt.adapters.events.types import CodeExecution
from dbt_common.events.base_types import EventLevel
from dbt_common.events.functions import fire_event
from dbt_common.events.types import Note
from dbt_common.ui import green, red

from dbt_spark_contracts.compat import dbt_core

# How the lines begin that say how a run has ended.
_COLORS = {"Published ": green, "Nothing to publish": green, "Nothing was published": red}


def change(what: str) -> None:
    """Log what is about to change through Iceberg's API, as dbt logs the code it runs."""
    fire_event(CodeExecution(conn_name="master", code_content=what))


def line(text: str) -> None:
    """Print a line for the user."""
    fire_event(Note(msg=text), EventLevel.INFO)


def outcome(text: str) -> None:
    """Say a line of how a run has ended: in colour on the terminal, if dbt uses colours."""
    with dbt_core.painted_on_terminal(_in_color):
        line(text)


def _in_color(text: str) -> str:
    for beginning, color in _COLORS.items():
        if text.startswith(beginning):
            return color(text)
    return text


def detail(text: str) -> None:
    """Write to dbt's log only."""
    fire_event(Note(msg=text), EventLevel.DEBUG)
