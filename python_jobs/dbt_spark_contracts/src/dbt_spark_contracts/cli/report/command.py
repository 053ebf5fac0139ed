"""`dbt-spark-contracts report`: the last runs, as a table or as a page with plots."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import click

from dbt_spark_contracts.cli.opened import CannotOpen, Place, project_options
from dbt_spark_contracts.cli.operations import told
from dbt_spark_contracts.cli.terminal import CannotWrite, harmless, show, table, write

OPERATION = "contracts__recorded_runs"

# How many letters of a message are shown.
LONGEST = 160


@click.command()
@click.option("--limit", default=30, show_default=True, help="How many runs at most.")
@click.option("--html", type=Path, metavar="FILE", help="Write a page with plots.")
@click.option("--json", "as_json", is_flag=True, help="Print the runs and their nodes as JSON.")
@project_options
def report(place: Place, limit: int, html: Path | None, as_json: bool) -> None:
    """Show the last runs: what they wrote, how long they took, why they failed.

    Each run that may write tables is on record in dbt_runs and dbt_nodes, tables of the schema
    `ops`. A run that was killed is not.
    """
    try:
        runs = told(place, OPERATION, {"limit": limit}, lambda line: None)
        if as_json:
            show([json.dumps(runs, indent=2)])
        elif html:
            write(html, _page(runs))
            print(f"{html}: open it in a browser")
        else:
            show(map(harmless, table([in_short(run) for run in runs])))
            show(map(harmless, table([why for run in runs for why in failures(run)])))
    except (CannotOpen, CannotWrite) as error:
        print(f"Cannot report: {harmless(str(error))}", file=sys.stderr)
        sys.exit(2)


def _page(runs: list[dict]) -> str:
    """Return the page.

    Raises:
        CannotOpen: If the package that draws it is not installed.
    """
    try:
        from dbt_spark_contracts.cli.report import page
    except ModuleNotFoundError as error:
        raise CannotOpen(
            f"--html needs {error.name}: install dbt-spark-contracts[report]"
        ) from None
    return page.html(runs)


def in_short(run: dict[str, Any]) -> dict[str, Any]:
    """A run in a line."""
    return {
        "started_at": run["started_at"][:19],
        "run": run["run"],
        "command": run["command"],
        "status": run["status"],
        "seconds": f"{run['seconds']:.1f}",
        "tables": run["tables"],
        "rows": sum(node["rows_written"] or 0 for node in run["nodes"]),
        "rejected": sum(node["rejected"] or 0 for node in run["nodes"]),
        "errors": run["errors"],
        "git_commit": (run["git_commit"] or "")[:12],
    }


def failures(run: dict[str, Any]) -> list[dict[str, Any]]:
    """The nodes of a run that did not pass, a line each, and why it was held back else."""
    found = [
        (node["node"], node["status"], shortened(node["message"] or ""))
        for node in run["nodes"]
        if node["status"] not in PASSED
    ]
    if run["reason"]:
        found.append(("", run["status"], run["reason"]))
    return [
        {"run": run["run"], "node": node, "status": status, "message": message}
        for node, status, message in found
    ]


def shortened(message: str) -> str:
    """Why a node failed, in a line, without the node and its file, which dbt names first."""
    line = " ".join(re.sub(r"^\w+ Error in [^\n]*\n", "", message).split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}…"


# How a node ends that holds nothing back, and one that did not begin.
PASSED = ("success", "pass", "warn", "no-op", "skipped")
