"""The plots of the report, as SVG: matplotlib draws them, and no script is in them."""

import io
import warnings
from collections.abc import Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Of a run, by its status: published, held back, or anything else.
COLORS = {"published": "#2e7d32", "held back": "#c62828"}
OTHER = "#6f7c85"

# How many models a plot shows: the slowest, or the largest. More lines cannot be told apart.
MOST_LINES = 8

# Names are texts, also with a `$`; and text is text, that can be searched and read aloud.
STYLE: Any = {"text.parse_math": False, "svg.fonttype": "none", "svg.hashsalt": "report"}


def seconds_of_runs(runs: Sequence[dict[str, Any]]) -> str:
    """A bar for each run, the oldest first."""
    with matplotlib.rc_context(STYLE):
        drawn, axes = figure("seconds of each run")
        colors = [COLORS.get(run["status"], OTHER) for run in runs]
        axes.bar(range(len(runs)), [run["seconds"] for run in runs], color=colors)
        _name_runs(axes, runs)
        return svg(drawn)


def seconds_of_models(runs: Sequence[dict[str, Any]]) -> str:
    """A line for each of the slowest models."""
    return _lines(runs, "seconds of the slowest models", "seconds")


def rows_of_tables(runs: Sequence[dict[str, Any]]) -> str:
    """A line for each of the largest tables: their rows after each run."""
    return _lines(runs, "rows of the largest tables", "total_rows")


def _lines(runs: Sequence[dict[str, Any]], title: str, value: str) -> str:
    points: dict[str, list[tuple[int, float]]] = {}
    for place, run in enumerate(runs):
        for node in run["nodes"]:
            if node["table_name"] and node[value] is not None:
                points.setdefault(node["table_name"], []).append((place, node[value]))
    largest = sorted(points, key=lambda name: -max(height for _, height in points[name]))
    with matplotlib.rc_context(STYLE):
        drawn, axes = figure(title)
        for name in largest[:MOST_LINES]:
            axes.plot(*zip(*points[name], strict=True), "o-", label=name, markersize=4)
        if points:
            axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False, fontsize=8)
        _name_runs(axes, runs)
        return svg(drawn)


def figure(title: str, size: tuple[float, float] = (10, 3)) -> tuple[Figure, Axes]:
    """A figure with one plot.

    Args:
        title: Its title.
        size: Its width and height.
    """
    drawn = Figure(figsize=size, layout="constrained")
    axes = drawn.subplots()
    axes.set_title(title, loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    return drawn, axes


def _name_runs(axes: Axes, runs: Sequence[dict[str, Any]]) -> None:
    """Write when they began below some of the runs."""
    every = max(1, len(runs) // 8)
    places = range(0, len(runs), every)
    names = [runs[place]["started_at"][:16].replace("T", "\n") for place in places]
    axes.set_xticks(places, names, fontsize=7)
    axes.set_ylim(bottom=0)


def svg(drawn: Figure) -> str:
    """A figure as SVG, to be put into a page."""
    text = io.StringIO()
    with warnings.catch_warnings():
        # The font here only measures: a reader's browser has its own.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        drawn.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()[text.getvalue().index("<svg") :]
