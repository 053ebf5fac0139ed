"""The plots of the page, as SVG."""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from textwrap import shorten

import matplotlib
from dbt_spark_contracts.cli.report.plots import STYLE, figure, svg
from dbt_spark_contracts.cli.terminal import harmless
from matplotlib.axes import Axes

# Wide enough for a column of the page, and small enough for a phone.
WIDTH, HEIGHT = 5.6, 3.2

# How many letters of a name are drawn.
LONGEST = 60

# How many reasons are drawn.
MOST_BARS = 12

# Told apart by those who see few colours: Okabe and Ito.
COLORS = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#f0e442", "#000000")
OF_STATUS = {
    "EXPIRED": "#d55e00",
    "EXPIRING_IN_90_DAYS": "#e69f00",
    "ACTIVE": "#009e73",
}
OTHER = "#6f7c85"


def alerts_by_week(alerts: Mapping[tuple[date, str], int]) -> str:
    """A bar for each week, of parts for the types of alerts."""
    types = sorted({kind for _, kind in alerts})
    weeks = _weeks([week for week, _ in alerts])
    with matplotlib.rc_context(STYLE):
        drawn, axes = figure("Alerts by week", (WIDTH, HEIGHT + 0.25 * len(types)))
        below = [0] * len(weeks)
        for number, kind in enumerate(types):
            counts = [alerts.get((week, kind), 0) for week in weeks]
            color = COLORS[number % len(COLORS)]
            axes.bar(range(len(weeks)), counts, bottom=below, label=_short(kind), color=color)
            below = [low + count for low, count in zip(below, counts, strict=True)]
        places = range(0, len(weeks), max(1, len(weeks) // 6))
        axes.set_xticks(places, [f"{weeks[place]:%d %b\n%Y}" for place in places])
        if types:
            axes.legend(loc="upper left", bbox_to_anchor=(0, -0.2), frameon=False, fontsize=8)
        return svg(drawn)


def insurance(cars: Mapping[str, int]) -> str:
    """A bar for each status."""
    colors = [OF_STATUS.get(status, OTHER) for status in cars]
    return _bars("Cars by the status of their insurance", cars, colors)


def efficiency(models: Iterable[tuple[str, float, float]]) -> str:
    """A bar for each model."""
    values = {name: round(value, 1) for name, value, _ in models}
    return _bars("Km per litre, of the models that drove most", values, [COLORS[0]] * len(values))


def rejected(events: Mapping[str, int]) -> str:
    """A bar for each reason."""
    found = dict(sorted(events.items(), key=lambda each: -each[1])[:MOST_BARS])
    return _bars("Rejected events by reason", found, [COLORS[4]] * len(found))


def _bars(title: str, values: Mapping[str, float], colors: list[str]) -> str:
    """Horizontal bars: a name has its own line above its bar, so that it may be long."""
    with matplotlib.rc_context(STYLE):
        drawn, axes = figure(title, (WIDTH, max(1.2, 0.6 + 0.42 * len(values))))
        places = range(len(values))
        axes.barh(places, [*values.values()], color=colors, height=0.4)
        for place, (name, value) in enumerate(values.items()):
            text = f"{_short(name)} · {value:,}"
            axes.text(0, place - 0.3, text, fontsize=8, va="bottom")
        _only_bars(axes)
        axes.set_ylim(len(values) - 0.6, -0.9)
        return svg(drawn)


def _short(name: str) -> str:
    """Return a name in one line that fits a plot, without characters that are no letters."""
    return shorten(harmless(name), LONGEST, placeholder=" …")


def _only_bars(axes: Axes) -> None:
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.set_xticks([])
    axes.set_yticks([])


def _weeks(found: list[date]) -> list[date]:
    """All weeks from the first to the last, also those without an alert."""
    if not found:
        return []
    first, last = min(found), max(found)
    return [first + timedelta(weeks=number) for number in range((last - first).days // 7 + 1)]
