"""Draws the times: one panel per size, one dot per run, and a bar at the median."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from python_jobs.bench.benchmark import Result
from python_jobs.bench.figures import figure, sizes, steps

OURS, RIVAL = "#b8860b", "#6f7c85"


def draw(results: Sequence[Result], file: Path) -> None:
    """Draw the seconds of all runs into a file. Its suffix determines the format."""
    names = steps(results)
    panels = sizes(results)
    height = 0.6 + len(panels) * (0.7 + 0.32 * len(names))
    picture = Figure(figsize=(9, height), layout="constrained")
    for axes, size in zip(picture.subplots(len(panels), squeeze=False)[:, 0], panels, strict=True):
        for place, name in enumerate(names):
            seconds = [
                result.measured.seconds
                for result in results
                if (result.size, result.step) == (size, name)
            ]
            middle = figure(results, size, name, lambda run: run.seconds).middle
            color = OURS if name.startswith("D ") else RIVAL
            axes.barh(place, middle, color=color, alpha=0.35)
            axes.plot(seconds, [place] * len(seconds), "o", color=color, markersize=4)
            axes.annotate(
                f"{middle:.1f} s",
                (max(seconds), place),
                xytext=(6, 0),
                textcoords="offset points",
                va="center",
                fontsize=9,
            )
        axes.set_yticks(range(len(names)), names)
        axes.invert_yaxis()
        axes.margins(x=0.12)
        axes.set_xlim(left=0)
        axes.set_title(f"{size:,} events", loc="left", fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("seconds; a dot is a run, a bar is the median")
    file.parent.mkdir(parents=True, exist_ok=True)
    picture.savefig(file, dpi=120, metadata={"Software": None})
