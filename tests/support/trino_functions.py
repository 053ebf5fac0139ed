"""Updates the gate's list of functions from a real Trino server.

    uv run --group test python -m tests.support.trino_functions

It needs Maven. Athena's engine is older than the server, so new functions are written as refused.
To allow a function that Athena has, remove its `!`.
"""

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from python_jobs.athena_gate.trino_sql import FUNCTIONS, REFUSED, listed_functions
from tests.support.trino_server import Trino

# The plugins whose functions Athena has too.
PLUGINS = ("geospatial",)
SHOW = "show functions"
# Functions that the server does not list, mostly keywords of the grammar, with an example each.
UNLISTED = {
    "cast": "cast('1' as integer)",
    "coalesce": "coalesce(null, 1)",
    "current_date": "current_date",
    "current_time": "current_time",
    "current_timestamp": "current_timestamp",
    "current_user": "current_user",
    "extract": "extract(year from date '2026-01-15')",
    "format": "format('%s', 1)",
    "if": "if(true, 1)",
    "localtime": "localtime",
    "localtimestamp": "localtimestamp",
    "normalize": "normalize('a')",
    "nullif": "nullif(1, 2)",
    "position": "position('a' in 'ab')",
    "trim": "trim(' a')",
    "try": "try(1 / 0)",
    "try_cast": "try_cast('a' as integer)",
    "version": "version()",
}


def functions_of(shown) -> set[str]:
    """Return the names from an executed cursor of SHOW.

    Table functions are left out, because connectors add some of their own.
    """
    return {name.lower() for name, _, _, kind, *_ in shown.fetchall() if kind != "table"}


def renewed(names: Iterable[str]) -> str:
    """Return the new content of the list for a server with these functions."""
    allowed, _ = listed_functions()
    known = UNLISTED.keys() | set(names)
    comments = [line for line in FUNCTIONS.read_text("utf-8").splitlines() if line[:1] == "#"]
    lines = [name if name in allowed else f"{REFUSED}{name}" for name in sorted(known)]
    return "\n".join([*comments, *lines]) + "\n"


def main() -> None:
    """Write the list."""
    with TemporaryDirectory() as folder:
        server = Trino(Path(folder), PLUGINS)
        with server.running() as port:
            connection = server.client().dbapi.connect("127.0.0.1", port, user="gate")
            shown = connection.cursor().execute(SHOW)
            FUNCTIONS.write_text(renewed(functions_of(shown)), encoding="utf-8")


if __name__ == "__main__":
    main()
