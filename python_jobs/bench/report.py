"""Figures as Markdown."""

from collections.abc import Sequence

from python_jobs.bench.benchmark import Result
from python_jobs.bench.figures import Figure, figure, ratio, sizes, steps
from python_jobs.bench.processes import MEMORY_KIND

MIB = 1024 * 1024


def builds(results: Sequence[Result]) -> str:
    """Return the tables of the contestants: times and memory, and our multiples of theirs."""
    return "\n\n".join([_measures(results, "events"), _ratios(results)])


def models(results: Sequence[Result]) -> str:
    """Return the table of one model in projects of several sizes."""
    lines = [_measures(results, "models in the project")]
    few, *more = sorted(sizes(results))
    (step,) = steps(results)
    for many in more:
        times = _times(_between_sizes(results, few, many, step))
        lines.append(f"With {many:,} models it takes {times} times as long as with {few:,}.")
    return "\n\n".join(lines)


def _measures(results: Sequence[Result], unit: str) -> str:
    rows = []
    for size in sizes(results):
        for step in steps(results):
            seconds = figure(results, size, step, lambda run: run.seconds)
            cpu = figure(results, size, step, lambda run: run.cpu_seconds)
            memory = figure(results, size, step, lambda run: run.peak_bytes / MIB)
            rows.append(
                [f"{size:,}", step, _spread(seconds), f"{cpu.middle:.1f}", f"{memory.middle:,.0f}"]
            )
    header = [unit, "what", "seconds", "CPU seconds", f"peak memory, MiB ({MEMORY_KIND})"]
    return table(header, rows, "rlrrr")


def _ratios(results: Sequence[Result]) -> str:
    ours = [step for step in steps(results) if step.startswith("D ")]
    rivals = [step for step in steps(results) if step not in ours]
    if not ours or not rivals:
        return ""
    rows = [
        [f"{size:,}", step, *(_times(ratio(results, size, step, rival)) for rival in rivals)]
        for size in sizes(results)
        for step in ours
    ]
    return table(["events", "what", *(f"/ {rival}" for rival in rivals)], rows, "rl" + "r" * 9)


def _between_sizes(results: Sequence[Result], few: int, many: int, step: str) -> Figure:
    as_steps = [
        Result(0, str(result.size), result.turn, result.measured)
        for result in results
        if result.step == step
    ]
    return ratio(as_steps, 0, str(many), str(few))


def _spread(seconds: Figure) -> str:
    return f"{seconds.middle:.1f} ({seconds.least:.1f} to {seconds.most:.1f})"


def _times(times: Figure) -> str:
    return f"{times.middle:.2f} ({times.least:.2f} to {times.most:.2f})"


def table(header: Sequence[str], rows: Sequence[Sequence[str]], alignment: str) -> str:
    """Return a Markdown table.

    Args:
        header: The columns' names.
        rows: Their cells.
        alignment: One letter per column, l or r.
    """
    rules = ["--:" if side == "r" else "---" for _, side in zip(header, alignment, strict=False)]
    lines = [header, rules, *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
