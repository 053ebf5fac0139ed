"""The benchmark's command line."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

try:
    from python_jobs.bench import docs_page, machine
    from python_jobs.bench.benchmark import Result
    from python_jobs.bench.contestants import CONTESTANTS
    from python_jobs.bench.contestants.base import ROOT
    from python_jobs.bench.gold import DifferentGoldError
    from python_jobs.bench.parts import PARTS
    from python_jobs.bench.plot import draw
    from python_jobs.bench.processes import CommandFailedError
except ModuleNotFoundError as error:
    sys.exit(f"The benchmark needs {error.name}: run it with `uv run --group bench python …`")

PLACE = ROOT / ".lakehouse" / "bench"
PAGE = ROOT / "docs" / "performance.md"
PLOT = "performance.png"

# What is measured besides builds: the names of arguments that take numbers.
OTHER_PARTS = ("models", "growth", "small_files", "java_sizes")

DESCRIPTION = """\
Measure this project's build and rivals that build the same Gold tables from the same events.

  D   this project's `dbt build`, with all data tests: cold (no table yet, no warm Java), second in
      a row (no table yet; a warm Java where the project keeps one), nothing new, 1 % new events
  N   D (cold) without contracts, marks, and checks of plans: the difference to D is their cost
  H   hand-written PySpark for the same Silver and Gold tables, untuned, in one session
  Ht  the same, tuned as well as we can
  K   dbt-duckdb with the same models and data tests, in a separate venv (needs uv)
  S   H as four separate jobs

They take turns, each as whole processes, so that a slow minute of the machine affects all of them.
Their Gold tables are compared after every run, and a difference ends the benchmark. Figures are
medians, with the range. Memory is that of all processes together. No time is a failure.
"""
EPILOG = """\
examples:
  python -m python_jobs.bench                                  100 events, five turns
  python -m python_jobs.bench --sizes 100 10000 1000000        hours
  python -m python_jobs.bench --contestants D K --runs 3
  python -m python_jobs.bench --contestants D N                what the checks cost
  python -m python_jobs.bench --models 10 500                  one model in small and large projects
  python -m python_jobs.bench --growth 10000 100000 1000000    how the cost of D grows
  python -m python_jobs.bench --small-files 10000              one file, and 10,000 files
  python -m python_jobs.bench --java-sizes 100 100000 300000   D by LAKEHOUSE_SIZE: small, large
  python -m python_jobs.bench --commands                       commands that build nothing
  python -m python_jobs.bench --smoke                          check that it works: one turn
  python -m python_jobs.bench --sizes 100 10000 --write-docs   updates docs/performance.md
"""


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the checked arguments. If they are wrong, exit with code 2 and one line."""
    parser = argparse.ArgumentParser(
        prog="python -m python_jobs.bench",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    # fmt: off
    add = parser.add_argument
    add("--sizes", type=positive, nargs="+", metavar="EVENTS",
        help="numbers of events; default: 100, or none with another part")
    add("--models", type=positive, nargs="+", metavar="MODELS",
        help="time `dbt run -s one` and `dbt ls -s one` in projects with this many models, after a "
        "first build")
    add("--growth", type=positive, nargs="+", metavar="EVENTS",
        help="measure D at these numbers of events: start-up, cold, nothing new, 1 %% new")
    add("--small-files", type=positive, nargs="+", metavar="EVENTS",
        help="measure D on these numbers of events in one file, and in a file for each event")
    add("--java-sizes", type=positive, nargs="+", metavar="EVENTS",
        help="measure D (cold) at these numbers of events with LAKEHOUSE_SIZE small and large")
    add("--commands", action="store_true",
        help="measure commands without Java (parse, ls …) beside dbt-spark alone, and test and "
        "check-pr without and with a warm Java")
    add("--runs", type=positive, default=5, metavar="N", help="turns; default: %(default)s")
    add("--contestants", nargs="+", choices=CONTESTANTS, default=list(CONTESTANTS), metavar="KEY",
        help=f"the contestants, of {' '.join(CONTESTANTS)}; default: all")
    add("--no-warm-up", dest="warm_up", action="store_false",
        help="skip the untimed builds; for a --work folder that already has them")
    add("--smoke", action="store_true",
        help="check that it works: 100 events, D (cold), H, Ht and K once, without warm-up")
    add("--out", type=Path, default=PLACE / "report", metavar="DIR",
        help="folder for report.md, results.json and the plot; default: .lakehouse/bench/report")
    add("--work", type=Path, default=PLACE, metavar="DIR",
        help="folder for events, tables and venv, about 15 kB per event; default: .lakehouse/bench")
    add("--write-docs", action="store_true",
        help="write the figures into docs/performance.md, and the plot into its images; needs a "
        "working tree without changes")
    # fmt: on
    args = parser.parse_args(argv)
    if args.sizes is None:
        has_other = args.commands or any(getattr(args, name) for name in OTHER_PARTS)
        args.sizes = [] if has_other else [100]
    if args.smoke:
        args.sizes, args.runs, args.warm_up = [100], 1, False
        args.commands = False
        args.models = args.growth = args.small_files = args.java_sizes = None
        args.contestants = ["D", "H", "Ht", "K"]
    # Each is measured once, even if named twice.
    for name in ("sizes", "contestants", *OTHER_PARTS):
        setattr(args, name, list(dict.fromkeys(getattr(args, name) or [])))
    return args


def command_of(args: argparse.Namespace) -> str:
    """Return the command that repeats the measurement, without its folders."""
    words = ["python -m python_jobs.bench"]
    if args.smoke:
        return f"{words[0]} --smoke"
    for name in ("sizes", *OTHER_PARTS):
        if numbers := getattr(args, name):
            words += [f"--{name.replace('_', '-')}", *map(str, numbers)]
    if args.commands:
        words.append("--commands")
    words += ["--runs", str(args.runs)]
    if args.sizes and args.contestants != list(CONTESTANTS):
        words += ["--contestants", *args.contestants]
    if args.sizes and not args.warm_up:
        words.append("--no-warm-up")
    return " ".join(words)


def positive(text: str) -> int:
    """Parse a whole number of at least 1, for argparse."""
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and report: a table on stdout, and files in --out."""
    args = parse_args(argv)
    if args.write_docs and (changed := machine.changed(ROOT)):
        return refuse(f"{changed[0]} differs from the commit: commit it, or leave out --write-docs")
    place = args.work.resolve()
    measured = machine.describe(ROOT)
    try:
        results = {name: part.measure(args, place) for name, part in PARTS.items()}
    except (CommandFailedError, DifferentGoldError, RuntimeError) as error:
        return refuse(error)
    how = f"`{command_of(args)}`\n\n{measured}"
    parts = {name: part.report(results[name]) for name, part in PARTS.items() if results[name]}
    write(args.out, how, parts, results)
    if args.write_docs and machine.describe(ROOT) != measured:
        return refuse(f"{PAGE.name} is as before: the project was changed during the measurement")
    if args.write_docs:
        write_docs(how, parts, results["builds"])
    return 0


def refuse(reason: object) -> int:
    """Say on stderr why there are no figures. Return the exit code."""
    print(reason, file=sys.stderr)
    return 1


def write(
    out: Path, how: str, parts: dict[str, str], results: Mapping[str, Sequence[Result]]
) -> None:
    """Write the report, all results and the plot into a folder, and the report to stdout."""
    out.mkdir(parents=True, exist_ok=True)
    text = "\n\n".join([how, *parts.values()]) + "\n"
    (out / "report.md").write_text(text, encoding="utf-8")
    rows = {name: [asdict(result) for result in found] for name, found in results.items()}
    (out / "results.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
    if results["builds"]:
        draw(results["builds"], out / PLOT)
    print(text, end="")


def write_docs(how: str, parts: dict[str, str], builds: Sequence[Result]) -> None:
    """Update the measured parts of docs/performance.md. The other parts stay."""
    if builds:
        draw(builds, PAGE.parent / "images" / PLOT)
        parts = parts | {"builds": f"{parts['builds']}\n\n![Seconds of each run](images/{PLOT})"}
    for part, text in parts.items():
        docs_page.replace_part(PAGE, part, f"{how}\n\n{text}")


if __name__ == "__main__":
    raise SystemExit(main())
