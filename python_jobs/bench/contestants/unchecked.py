"""N: this project without contracts and marks, and without the checks that read plans."""

import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from python_jobs.bench.contestants.base import ROOT, Contestant, Step
from python_jobs.bench.contestants.ours import POOL_OFF, options, ours

# What the project is made of, as far as a build reads it.
FOLDERS = ("models", "macros", "seeds", "tests/generic", "tests/singular")
FILES = ("dbt_project.yml", "selectors.yml", "profiles.yml")

# What a yml says of contracts and marks.
PROMISES = ("contract", "+contract", "constraints", "access", "+access")
MARKS = ("stays_in", "silver_only", "pii", "pii_allowed", "untraced_allowed", "unproven_keys")


def unchecked(place: Path, landing: Path) -> Contestant:
    """The same build, of a copy of the project that promises nothing."""
    project = place / "project"
    copy(project)
    dbt = [sys.executable, "-m", "python_jobs.bench.rivals.dbt_unchecked", "build"]
    where = ["--project-dir", str(project), "--profiles-dir", str(project)]
    build = [*dbt, "--exclude-resource-type", "unit_test", *where, *options(place, landing)]
    return replace(
        ours(place, landing),
        key="N",
        title="D without contracts, marks, and the checks that read plans",
        steps=[Step("N", [build], environment=POOL_OFF)],
    )


def copy(folder: Path) -> None:
    """Make the project anew in a folder, without what `PROMISES` and `MARKS` say."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name)
    for name in FILES:
        shutil.copy(ROOT / name, folder)
    for path in [folder / "dbt_project.yml", *folder.rglob("*.yml")]:
        described = yaml.safe_load(path.read_text(encoding="utf-8"))
        text = yaml.safe_dump(without(described, {*PROMISES, *MARKS}.__contains__), sort_keys=False)
        path.write_text(text, encoding="utf-8")


def without(described: Any, is_left_out: Callable[[str], bool]) -> Any:
    """What a yml says without those keys, wherever they stand."""
    if isinstance(described, list):
        return [without(each, is_left_out) for each in described]
    if isinstance(described, dict):
        return {
            key: without(value, is_left_out)
            for key, value in described.items()
            if not (isinstance(key, str) and is_left_out(key))
        }
    return described
