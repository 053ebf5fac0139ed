"""Records the pictures in the README: a build, and a blocked leak, on a terminal.

    uv run --group docs python -m python_jobs.record_terminal

Builds a copy of this project in a temporary folder, and writes `docs/images/build.svg` and
`docs/images/blocked_leak.svg`. Takes about two minutes.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
PROJECT = ("models", "macros", "seeds", "landing", "tests/generic", "tests/singular")
FILES = ("dbt_project.yml", "profiles.yml", "selectors.yml")

# The length of dbt's line for the longest model name.
WIDTH = 122
TIME = re.compile(r"^(?:\x1b\[0m)?\d\d:\d\d:\d\d ? ?")
COLOR = re.compile(r"\x1b\[[0-9;]*m")

MODEL = Path("models/gold/gold_car_current_state.py")
BEFORE, AFTER = '        "car_chassis",\n', '        "car_chassis",\n        "event_id",\n'
CHANGE = [
    "$ git diff -U0 models/gold/gold_car_current_state.py | tail -1",
    '\x1b[32m+        "event_id",\x1b[0m',
]

# The lines to show: those that match one of these.
BUILD = re.compile(
    r"Found | OK created | OK loaded | rows written|In Gold now|^gold\S+ +\d|Done[.]|Published"
)
LEAK = re.compile(
    r"Failure in model|Compilation Error|enforced contract|Please ensure|^  \| |Done[.]|failed[.]"
    r"|Nothing was published"
)


def dbt(project: Path, *arguments: str) -> list[str]:
    """Return the lines that `dbt *arguments` prints, in colour and without the time of day."""
    done = subprocess.run(
        [Path(sys.executable).with_name("dbt"), "--use-colors", *arguments],
        cwd=project,
        env={**os.environ, "LAKEHOUSE_HOME": str(project / "home"), "DBT_SPARK_POOL": "off"},
        stdout=subprocess.PIPE,
        text=True,
    )
    return [TIME.sub("", line) for line in done.stdout.splitlines()]


def shown(lines: Iterable[str], pattern: re.Pattern[str]) -> list[str]:
    """Return the lines that match the pattern, ignoring colours."""
    return [line for line in lines if pattern.search(COLOR.sub("", line))]


def draw(name: str, lines: list[str]) -> Path:
    """Write the lines as a picture of a terminal.

    Args:
        name: The name of the picture.
        lines: The lines, with terminal codes for colours.

    Returns:
        The file.
    """
    from rich.console import Console
    from rich.text import Text

    with Path(os.devnull).open("w") as nowhere:
        console = Console(record=True, width=WIDTH, file=nowhere, force_terminal=True)
        for line in lines:
            console.print(Text.from_ansi(line), overflow="ellipsis", no_wrap=True)
        svg = console.export_svg(title="uv run dbt build", unique_id=name)
    file = IMAGES / f"{name}.svg"
    # The picture must not request a font from a server.
    text = re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    file.write_text("\n".join(map(str.rstrip, text.splitlines())) + "\n", encoding="utf-8")
    return file


def main() -> None:
    """Record both pictures."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        for part in PROJECT:
            shutil.copytree(ROOT / part, project / part)
        for part in FILES:
            shutil.copy(ROOT / part, project)
        build = dbt(project, "build")
        print(draw("build", ["$ uv run dbt build", *shown(build, BUILD)]))

        model = project / MODEL
        code = model.read_text(encoding="utf-8")
        if code.count(BEFORE) != 1:
            sys.exit(
                f"{MODEL} does not have exactly one line {BEFORE.strip()}: correct this program"
            )
        model.write_text(code.replace(BEFORE, AFTER), encoding="utf-8")
        leak = dbt(project, "build", "-s", MODEL.stem)
        command = f"$ uv run dbt build -s {MODEL.stem}"
        print(draw("blocked_leak", [*CHANGE, command, *shown(leak, LEAK)]))


if __name__ == "__main__":
    main()
