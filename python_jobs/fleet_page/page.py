"""The page: one file, without a script and without a network, every text as it is."""

from datetime import datetime, timezone
from html import escape
from pathlib import Path
from string import Template

from dbt_spark_contracts.cli.report.page import table

from python_jobs.fleet_page import plots
from python_jobs.fleet_page.read import Fleet

HERE = Path(__file__).parent


def html(fleet: Fleet, now: datetime) -> str:
    """Return the page.

    Args:
        fleet: What it shows.
        now: The time, from which the age of events is counted.
    """
    status = fleet.insurance
    since = min((week for week, _ in fleet.alerts), default=None)
    figures = {
        "cars": sum(status.values()),
        "insurances have ended": status.get("EXPIRED", 0),
        "end within 90 days": status.get("EXPIRING_IN_90_DAYS", 0),
        f"alerts since {since}" if since else "alerts": sum(fleet.alerts.values()),
        "rejected events": sum(fleet.rejected.values()),
    }
    more = figures["insurances have ended"] + figures["end within 90 days"] - len(fleet.ending)
    tiles = "".join(f"<li><b>{count:,}</b> {escape(name)}</li>" for name, count in figures.items())
    rows = [
        {
            "table": each.name,
            "rows": each.rows,
            "written": f"{each.written:%Y-%m-%d %H:%M}",
            "newest event": each.newest or "",
            "its age": age(each.newest, now),
        }
        for each in fleet.tables
    ]
    return Template((HERE / "page.html").read_text(encoding="utf-8")).substitute(
        now=f"{now:%Y-%m-%d %H:%M}",
        figures=tiles,
        alerts=plots.alerts_by_week(fleet.alerts) if fleet.alerts else none("No alert."),
        insurance=plots.insurance(status) if status else none("No car."),
        ending=table(fleet.ending) or none("No insurance has ended, and none ends soon."),
        more=none(f"{more:,} more cars are not shown.") if more > 0 else "",
        efficiency=plots.efficiency(fleet.efficiency) if fleet.efficiency else none("No trip."),
        rejected=plots.rejected(fleet.rejected) if fleet.rejected else none("No event."),
        tables=table(rows),
    )


def none(text: str) -> str:
    """Say that there is nothing to draw."""
    return f"<p>{text}</p>"


def age(newest: str | None, now: datetime) -> str:
    """Return how long ago an event was. Empty if it has no day."""
    try:
        at = datetime.fromisoformat((newest or "")[:19]).replace(tzinfo=timezone.utc)
    except ValueError:
        return ""
    hours = (now - at).total_seconds() / 3600
    if hours < 0:
        return "in the future"
    return f"{hours:.0f} hours" if hours < 48 else f"{hours / 24:.0f} days"
