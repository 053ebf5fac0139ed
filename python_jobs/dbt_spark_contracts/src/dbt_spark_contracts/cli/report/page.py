"""The report as one page: no script, no network, and every text as it is."""

from html import escape
from pathlib import Path
from string import Template
from typing import Any

from dbt_spark_contracts.cli.report import plots
from dbt_spark_contracts.cli.report.command import failures, in_short
from dbt_spark_contracts.cli.terminal import harmless

HERE = Path(__file__).parent

# The nodes of the newest run, as columns.
NODE_COLUMNS = (
    *("table_name", "status", "seconds"),
    *("rows_written", "rejected", "files_written", "total_rows"),
)


def html(runs: list[dict[str, Any]]) -> str:
    """The page, as a text.

    Args:
        runs: The runs and their nodes, the newest first, as `record.read` has them.
    """
    oldest_first = runs[::-1]
    newest = runs[0] if runs else {"nodes": [], "run": "", "started_at": ""}
    written = [
        {name: node[name] for name in NODE_COLUMNS}
        for node in newest["nodes"]
        if node["table_name"]
    ]
    failed = [why for run in runs for why in failures(run)]
    return Template((HERE / "page.html").read_text(encoding="utf-8")).substitute(
        count=len(runs),
        newest=escape(newest["run"]),
        runs=table([in_short(run) for run in runs]) or "<p>No run is on record yet.</p>",
        failed=table(failed) or "<p>Nothing failed.</p>",
        written=table(written) or "<p>It wrote no table.</p>",
        seconds=plots.seconds_of_runs(oldest_first),
        models=plots.seconds_of_models(oldest_first),
        rows=plots.rows_of_tables(oldest_first),
    )


def table(rows: list[dict[str, Any]]) -> str:
    """Rows as a table of HTML; an empty text without any."""
    if not rows:
        return ""
    head = "".join(f"<th>{escape(name.replace('_', ' '))}</th>" for name in rows[0])
    lines = ["".join(_cell(value) for value in row.values()) for row in rows]
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return (
        f"<div class=wide><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cell(value: Any) -> str:
    if value is None:
        return "<td></td>"
    if isinstance(value, float):
        return f"<td class=number>{value:,.1f}</td>"
    if isinstance(value, int):
        return f"<td class=number>{value:,}</td>"
    return f"<td>{escape(harmless(str(value)))}</td>"
