"""One model in projects of several sizes: the cost should depend on the tables it touches.

Each project is a copy of this one with its macros, settings and profile, but with trivial models.
All of them have tables before `dbt run -s one` is timed. `dbt ls -s one` reads the same project and
starts no Spark. What it takes longer in a large project is dbt's own work.
"""

import shutil
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path

import yaml

from python_jobs.bench.benchmark import Result, say
from python_jobs.bench.contestants.base import ROOT, Step, program
from python_jobs.bench.contestants.ours import POOL_OFF
from python_jobs.bench.one_step import take
from python_jobs.bench.processes import Measured

STEPS = ("dbt run -s one", "dbt ls -s one")

MODEL = "{{ config(materialized='table') }}\nselect 1 as id\n"

# The parts of this project that are kept, apart from models, seeds and tests. All are optional.
KEPT = ("dbt_project.yml", "profiles.yml", "packages.yml", "selectors.yml", "macros")


def run(place: Path, sizes: Sequence[int], runs: int) -> list[Result]:
    """Measure each of the steps in turn in a project of each size.

    Args:
        place: A folder for all output.
        sizes: The numbers of models in the projects.
        runs: The number of turns.

    Returns:
        All measured runs.

    Raises:
        CommandFailedError: If a run failed.
    """
    projects = {size: make_project(place / f"models_{size}", size) for size in sizes}
    for size, project in projects.items():
        say(f"{size:,} models: building all of them once")
        _dbt(project, "run")
    results = []
    for number in range(1, runs + 1):
        for step, (size, project) in product(STEPS, projects.items()):
            measured = _dbt(project, *step.split()[1:])
            say(f"  {size:,} models, {step}, turn {number}: {measured.seconds:.1f} s")
            results.append(Result(size, step, number, measured))
    return results


def _dbt(project: Path, *arguments: str) -> Measured:
    command = [program("dbt"), *arguments]
    environment: Mapping[str, str] = {
        **POOL_OFF,
        "LAKEHOUSE_HOME": str(project / "home"),
        "DBT_PROFILES_DIR": str(project),
    }
    return take(Step(" ".join(arguments), [command]), environment, project, project / "output.log")


def make_project(folder: Path, models: int) -> Path:
    """Create a project with one model called `one`, and trivial others.

    Args:
        folder: The folder. Its content is removed first.
        models: The total number of models.

    Returns:
        The folder.
    """
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "models").mkdir(parents=True)
    for name in KEPT:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name)
        elif (ROOT / name).exists():
            shutil.copy(ROOT / name, folder / name)
    names = ["one", *(f"other_{number:03}" for number in range(1, models))]
    for name in names:
        (folder / "models" / f"{name}.sql").write_text(MODEL, encoding="utf-8")
    contract = {"columns": [{"name": "id", "data_type": "int"}]}
    described = {"version": 2, "models": [{"name": name, **contract} for name in names]}
    text = yaml.safe_dump(described)
    (folder / "models" / "_models.yml").write_text(text, encoding="utf-8")
    return folder
