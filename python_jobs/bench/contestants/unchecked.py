"""N: this project without contracts, marks, and checks of plans."""

import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from python_jobs.bench.contestants.base import ROOT, Contestant
from python_jobs.bench.contestants.ours import options, ours

# The parts of the project that a build reads.
FOLDERS = ("models", "macros", "seeds", "tests/generic", "tests/singular")
FILES = ("dbt_project.yml", "selectors.yml", "profiles.yml")

# The keys for contracts and marks in YAML.
PROMISES = ("contract", "+contract", "constraints", "access", "+access")
MARKS = ("stays_in", "silver_only", "pii", "pii_allowed", "untraced_allowed", "unproven_keys")


def unchecked(place: Path, landing: Path) -> Contestant:
    """Return the build of a copy of the project without contracts and marks."""
    project = place / "project"
    copy(project)
    dbt = [sys.executable, "-m", "python_jobs.bench.rivals.dbt_unchecked", "build"]
    where = ["--project-dir", str(project), "--profiles-dir", str(project)]
    build = [*dbt, "--exclude-resource-type", "unit_test", *where, *options(place, landing)]
    d = ours(place, landing)
    return replace(
        d,
        key="N",
        title="D without contracts, marks, and checks of plans",
        steps=[replace(d.steps[0], name="N", commands=[build])],
    )


def copy(folder: Path) -> None:
    """Create the project in a folder, without the keys in `PROMISES` and `MARKS`."""
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
    """Return the content of a YAML file without those keys, at any depth."""
    if isinstance(described, list):
        return [without(each, is_left_out) for each in described]
    if isinstance(described, dict):
        return {
            key: without(value, is_left_out)
            for key, value in described.items()
            if not (isinstance(key, str) and is_left_out(key))
        }
    return described
