r"""Write the fleet on one page, from what readers see of Gold and Silver.

    uv run --group bench python -m python_jobs.fleet_page

The picture in the README is a screenshot of it, of the sample on 2026-01-15:

    uv run dbt build --vars '{as_of_date: 2026-01-15}'
    chromium --headless --no-sandbox --hide-scrollbars --window-size=1200,1760 \
      --screenshot=docs/images/fleet.png file://$PWD/target/fleet.html

The page is one file without a script. Ends with 0, or with 2 and one line if it could not be
written.
"""

import argparse
import sys
from datetime import datetime, timezone
from pathlib import Path

from dbt_spark_contracts.cli.opened import CannotOpen, Place, open_project
from dbt_spark_contracts.cli.terminal import CannotWrite, harmless, write

ROOT = Path(__file__).parents[2]


def main(arguments: list[str] | None = None) -> int:
    """Write the page.

    Args:
        arguments: The arguments, or those of this process.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser(
        prog="python -m python_jobs.fleet_page",
        description="Write a page of the fleet: alerts, insurance, fuel, rejected events, tables.",
    )
    parser.add_argument("--out", type=Path, default=ROOT / "target/fleet.html", metavar="FILE")
    parser.add_argument("--target", help="the target of the profile; or its default")
    options = parser.parse_args(arguments)
    try:
        from python_jobs.fleet_page import page, read  # not at the top: --help needs no Spark
    except ModuleNotFoundError as error:
        return _stop(f"{error.name} is not installed: `uv run --group bench python -m …`")
    try:
        project = open_project(Place(ROOT, target=options.target))
        fleet = read.fleet(project.spark, project.nodes)
        write(options.out, page.html(fleet, datetime.now(timezone.utc)))
    except (CannotOpen, CannotWrite, read.NotBuilt) as error:
        return _stop(str(error))
    print(f"{options.out}: open it in a browser")
    return 0


def _stop(why: str) -> int:
    print(f"Cannot write the page: {harmless(why)}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
