"""Figures as Markdown."""

from collections.abc import Sequence
from itertools import product

from python_jobs.bench.benchmark import Result
from python_jobs.bench.commands import pairs
from python_jobs.bench.figures import Figure, figure, ratio, seconds, sizes, steps
from python_jobs.bench.growth import COLD, LAYERS, NEW, NOTHING_NEW, START_UP, Grown
from python_jobs.bench.java_sizes import LARGE, SMALL
from python_jobs.bench.processes import MEMORY_KIND

MIB = 1024 * 1024

# The columns of each table of measured steps.
COSTS = ("seconds", "CPU seconds", f"peak memory, MiB ({MEMORY_KIND})")


def builds(results: Sequence[Result]) -> str:
    """Return the tables of the contestants: times and memory, and our multiples of theirs."""
    return "\n\n".join([_measures(results, "events"), _ratios(results)])


def models(results: Sequence[Result]) -> str:
    """Return the table of one model in projects of several sizes."""
    lines = [_measures(results, "models in the project")]
    few, *more = sorted(sizes(results))
    for many, step in product(more, steps(results)):
        times = _times(_between_sizes(results, few, many, step))
        lines.append(f"With {many:,} models, `{step}` takes {times} times as long as with {few:,}.")
    return "\n\n".join(lines)


def commands(results: Sequence[Result]) -> str:
    """Return what commands cost that build nothing, and the multiples of what they compare with."""
    names = steps(results)
    rows = [[name, *_costs(results, 0, name)] for name in names]
    compared = [
        [step, rival, _times(ratio(results, 0, step, rival))] for step, rival in pairs(names)
    ]
    header = ["command", "compared with", "times the seconds"]
    return f"{table(['command', *COSTS], rows, 'lrrr')}\n\n{table(header, compared, 'llr')}"


def java_sizes(results: Sequence[Result]) -> str:
    """Return what a build costs with both settings of `LAKEHOUSE_SIZE`, and its ratios."""
    rows = [
        [
            f"{size:,}",
            _times(ratio(results, size, SMALL, LARGE)),
            _times(ratio(results, size, SMALL, LARGE, lambda run: run.cpu_seconds)),
        ]
        for size in sizes(results)
    ]
    header = ["events", f"{SMALL} / {LARGE}, seconds", f"{SMALL} / {LARGE}, CPU seconds"]
    return f"{_measures(results, 'events')}\n\n{table(header, rows, 'rrr')}"


def growth(results: Sequence[Grown]) -> str:
    """Return how the cost of our build grows with its data, and what the tables hold."""
    rows = []
    for size in sizes(results):
        cpu = {step: _cpu(results, size, step) for step in steps(results)}
        start = cpu[START_UP]
        rows.append(
            [
                f"{size:,}",
                f"{cpu[START_UP]:.1f}",
                f"{cpu[COLD]:.1f}",
                f"{(cpu[COLD] - start) / size * 1e6:,.0f}",
                f"{cpu[NEW] / cpu[COLD]:.2f}",
                f"{cpu[NOTHING_NEW] - start:.1f}",
            ]
        )
    header = [
        *("events", START_UP, COLD, "per million events, less start-up"),
        *("1 % new / cold", "nothing new, less start-up"),
    ]
    compared = table(header, rows, "rrrrrr")
    return f"{_measures(results, 'events')}\n\nCPU seconds:\n\n{compared}\n\n{_held(results)}"


def small_files(results: Sequence[Grown]) -> str:
    """Return what the same events cost in one file, and in a file for each event."""
    rows, lines = [], []
    for size in sizes(results):
        of_size = [result for result in results if result.size == size]
        for count in dict.fromkeys(result.landing_files for result in of_size):
            landed = [result for result in of_size if result.landing_files == count]
            for step in steps(landed):
                costs = _costs(landed, size, step)
                rows.append([f"{size:,}", f"{count:,}", step, *costs, *_files(landed[-1])])
        one, many = (
            _cpu([each for each in of_size if (each.landing_files == 1) is is_one], size, COLD)
            for is_one in (True, False)
        )
        times = f"{many / one:.2f} times the CPU seconds"
        lines.append(f"{size:,} files of one event take {times} of one file.")
    header = ["events", "files", "what", *COSTS, *(f"files in {layer}" for layer in LAYERS)]
    return "\n\n".join([table(header, rows, "rrlrrrrrr"), *lines])


def _held(results: Sequence[Grown]) -> str:
    rows = []
    for size in sizes(results):
        for step in (COLD, NEW):
            found = next(each for each in results if (each.size, each.step) == (size, step))
            sums = [f"{found.layers[layer].size / MIB:,.0f}" for layer in LAYERS]
            rows.append([f"{size:,}", step, *_files(found), *sums])
    header = ["events", "after", *(f"files in {layer}" for layer in LAYERS)]
    return table([*header, *(f"MiB in {layer}" for layer in LAYERS)], rows, "rlrrrrrr")


def _files(result: Grown) -> list[str]:
    return [f"{result.layers[layer].files:,}" for layer in LAYERS]


def _cpu(results: Sequence[Result], size: int, step: str) -> float:
    return figure(results, size, step, lambda run: run.cpu_seconds).middle


def _measures(results: Sequence[Result], unit: str) -> str:
    rows = [
        [f"{size:,}", step, *_costs(results, size, step)]
        for size in sizes(results)
        for step in steps(results)
    ]
    return table([unit, "what", *COSTS], rows, "rlrrr")


def _costs(results: Sequence[Result], size: int, step: str) -> list[str]:
    memory = figure(results, size, step, lambda run: run.peak_bytes / MIB)
    spent = _spread(figure(results, size, step, seconds))
    return [spent, f"{_cpu(results, size, step):.1f}", f"{memory.middle:,.0f}"]


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


def _spread(spent: Figure) -> str:
    return f"{spent.middle:.1f} ({spent.least:.1f} to {spent.most:.1f})"


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
