"""Builds with a full disk or without permission in the warehouse or the checkpoint folder.

    python -m tests.support.trouble full FOLDER       warehouse/ and checkpoints/ are small disks
    python -m tests.support.trouble forbidden FOLDER  run without root's right to write everywhere

It prints JSON. For each build it has the messages, and whether readers see the expected rows: those
of the build before after a failure, and the new ones after the last build.
"""

import json
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path

from tests.support.dbt_runner import Dbt
from tests.support.toy import Toy


@contextmanager
def full(folder: Path, left: int = 0):
    """Fill the disk of `folder` so that at most `left` bytes are free."""
    filler = folder / "filler"
    free = shutil.disk_usage(folder).free
    with filler.open("wb") as file:
        file.write(b"\0" * max(free - left, 0))
    try:
        yield
    finally:
        filler.unlink()


@contextmanager
def forbidden(folder: Path, left: int = 0):
    """Remove the write permission of `folder` and its subfolders."""
    inside = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
    for path in inside:
        path.chmod(0o555)
    try:
        yield
    finally:
        for path in inside:
            path.chmod(0o755)


def main(kind: str, home: Path) -> None:
    """Build once, then with each fault, then once more."""
    toy = Toy(Dbt(home), home / "toy", "trouble")
    numbers = iter(range(100))

    def build():
        number = next(numbers)
        toy.land({id: number + id for id in range(200)})
        return toy.build()

    first = build()
    assert first.success, first.text
    report = []
    trouble = {"full": full, "forbidden": forbidden}[kind]
    for name, left in [("warehouse", 0), ("warehouse", 40_000), ("checkpoints", 0)]:
        before = toy.versions()
        with trouble(home / name, left):
            result = build()
        report.append({
            "trouble": f"{kind} {name} {left}",
            "success": result.success,
            "said": result.said,
            "as_expected": toy.versions() == before,
        })  # fmt: skip
    result = build()
    report.append({
        "trouble": "none",
        "success": result.success,
        "said": result.said,
        "as_expected": toy.rows() == toy.expected(),
    })  # fmt: skip
    print("REPORT" + json.dumps(report))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]).resolve())
