"""The current metadata file of a table, for readers that do not support folder catalogs.

    uv run python -m python_jobs.current_metadata gold.gold_car_current_state

A folder catalog (Iceberg's type `hadoop`) numbers the metadata files of a table. The file
`version-hint.text` beside them may be outdated, so it is not used. With another catalog, load the
table by its name instead. This file needs only Python, so you can copy it to the reader.
"""

import argparse
import os
import re
import sys
from pathlib import Path

METADATA = re.compile(r"v([0-9]+)(\.gz)?\.metadata\.json(\.gz)?")


class NoTableError(Exception):
    """The folder has no such table. The message is one line."""


def default_warehouse() -> Path:
    """Return the folder of this project's tables, as in profiles.yml."""
    home = os.environ.get("LAKEHOUSE_HOME", ".lakehouse")
    return Path(os.environ.get("LAKEHOUSE_WAREHOUSE", f"{home}/warehouse"))


def current_metadata(table: str, warehouse: Path | None = None) -> str:
    """Return the path of the current metadata file.

    Args:
        table: The schema and the name, like `gold.gold_car_current_state`.
        warehouse: The folder of the catalog. By default that of this project.

    Raises:
        NoTableError: If the folder has no such table.
    """
    folder = (warehouse or default_warehouse()).joinpath(*table.split("."), "metadata")
    found = [(METADATA.fullmatch(file.name), file) for file in folder.glob("v*.metadata.json*")]
    versions = {int(match[1]): file for match, file in found if match}
    if not versions:
        raise NoTableError(
            f"there is no table {table} in {folder.parent}: name it as schema.table, or name the "
            "warehouse"
        )
    return str(versions[max(versions)])


def main() -> int:
    """Print the path. Return 0, or print one line and return 2 if there is no such table."""
    parser = argparse.ArgumentParser(
        prog="python -m python_jobs.current_metadata",
        description="Print the current metadata file of a table in a folder catalog.",
    )
    parser.add_argument("table", help="like gold.gold_car_current_state")
    parser.add_argument("--warehouse", type=Path, help=f"or {default_warehouse()}")
    arguments = parser.parse_args()
    try:
        print(current_metadata(arguments.table, arguments.warehouse))
    except NoTableError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
