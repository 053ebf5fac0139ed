"""The runs of a report, and their failures, as lines of a table."""

import re
from typing import Any

# How many letters of a message are shown.
LONGEST = 160

# The statuses of nodes that hold nothing back, and of nodes that did not begin.
PASSED = ("success", "pass", "warn", "no-op", "skipped")


def in_short(run: dict[str, Any]) -> dict[str, Any]:
    """Return a run as one line."""
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
    """Return a line for each failed node of a run, and for a limit that held it back."""
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
    """Return a message in one line, without the node and its file, which dbt names first."""
    line = " ".join(re.sub(r"^\w+ Error in [^\n]*\n", "", message).split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}…"
