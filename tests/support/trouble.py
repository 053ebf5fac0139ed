"""Builds in trouble: a full disk, or no permission, in the warehouse or the checkpoint folder.

    python -m tests.support.trouble full FOLDER       warehouse/ and checkpoints/ are small disks
    python -m tests.support.trouble forbidden FOLDER  run without root's right to write everywhere

Prints JSON: for each kind of trouble what the build said, and whether main is as it was.
"""

import json
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path

from tests.support.dbt_runner import ROOT, Dbt
from tests.support.published import BUILD_TABLES, versions_of


@contextmanager
def full(folder: Path, left: int = 0):
    """Let the disk that `folder` lies on have no more than `left` bytes."""
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
    """Let nobody write into `folder`, nor into those in it."""
    inside = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
    for path in inside:
        path.chmod(0o555)
    try:
        yield
    finally:
        for path in inside:
            path.chmod(0o755)


def main(kind: str, home: Path) -> None:
    """Build once, then in each trouble, then once more."""
    dbt = Dbt(home)
    landing = home / "landing"
    landing.mkdir()
    files = enumerate(sorted((ROOT / "landing").rglob("*.json*")))

    def build():
        number, file = next(files)
        shutil.copy(file, landing / f"{number}{file.suffix}")
        return dbt(*BUILD_TABLES, schema="ci", landing_path=str(landing), as_of_date="2026-01-15")

    assert build().success
    report = []
    trouble = {"full": full, "forbidden": forbidden}[kind]
    for name, left in [("warehouse", 0), ("warehouse", 200_000), ("checkpoints", 0)]:
        before = versions_of(home, "ci")
        with trouble(home / name, left):
            result = build()
        report.append({
            "trouble": f"{kind} {name} {left}",
            "success": result.success,
            "said": result.said,
            "untouched": versions_of(home, "ci") == before,
        })  # fmt: skip
    result = build()
    report.append(
        {"trouble": "none", "success": result.success, "said": result.said, "untouched": True}
    )
    print("REPORT" + json.dumps(report))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]).resolve())
