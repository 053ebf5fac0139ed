"""K: the same models, contracts and data tests on DuckDB, by dbt-duckdb in a venv of its own."""

import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pyarrow.parquet
import yaml

from python_jobs.bench import gold
from python_jobs.bench.contestants.base import AS_OF_DATE, ROOT, Contestant, Step

PROJECT = Path(__file__).parents[1] / "duckdb_project"

# dbt-core is of this project's version, so that dbt itself costs both the same.
REQUIREMENTS = ["dbt-duckdb==1.11.1", "duckdb==1.5.5"]

# The macros that the copied data tests call.
MACROS = ("project/event_columns.sql", "cross_engine/days_between.sql")

# Gold's tables as files that this process can read: DuckDB is in the other venv.
EXPORT = """
import sys, duckdb
database, folder, *tables = sys.argv[1:]
with duckdb.connect(database, read_only=True) as connection:
    for table in tables:
        connection.sql(f"from {table}").write_parquet(f"{folder}/{table}.parquet")
"""


def duckdb(place: Path, landing: Path) -> Contestant:
    """dbt-duckdb. Makes its venv if it is not there, and its project anew."""
    python = make_venv(place / "venv")
    make_project(place / "project")
    tables = place / "tables"
    build = [
        *(str(python.with_name("dbt")), "build", "--exclude-resource-type", "unit_test"),
        *("--vars", json.dumps({"landing_path": str(landing), "as_of_date": AS_OF_DATE})),
    ]
    database = tables / "lakehouse.duckdb"

    def read_gold() -> gold.Gold:
        command = [str(python), "-c", EXPORT, str(database), str(tables), *gold.TABLES]
        subprocess.run(command, check=True)
        return {
            table: gold.content(pyarrow.parquet.read_table(tables / f"{table}.parquet"))
            for table in gold.TABLES
        }

    return Contestant(
        key="K",
        title="dbt-duckdb, the same models and data tests",
        tables=tables,
        folder=place / "project",
        environment={"BENCH_DUCKDB": str(database), "DBT_PROFILES_DIR": "."},
        steps=[Step("K", [build])],
        read_gold=read_gold,
    )


def make_venv(venv: Path) -> Path:
    """The Python of a venv that holds dbt-duckdb, which is made if it is not there.

    Raises:
        RuntimeError: There is no uv to make it with, or uv could not install dbt-duckdb.
    """
    python = venv / "bin" / "python"
    uv = os.environ.get("UV") or shutil.which("uv")
    if not uv:
        raise RuntimeError("uv is not on the PATH: `pip install uv`, or leave contestant K out.")
    requirements = [f"dbt-core=={version('dbt-core')}", *REQUIREMENTS]
    try:
        if not python.exists():
            subprocess.run([uv, "venv", "-q", "--python", sys.executable, venv], check=True)
        subprocess.run([uv, "pip", "install", "-q", "--python", python, *requirements], check=True)
    except subprocess.CalledProcessError as error:
        raise RuntimeError(
            f"uv could not install {' '.join(requirements)}, as it says above: "
            "contestant K needs PyPI, or leave it out with --contestants."
        ) from error
    return python


def make_project(folder: Path) -> None:
    """K's dbt project: its own models, and what it shares with the main project, copied.

    That is the columns, contracts, docs and data tests of models/, tests/ and seeds/. dbt's parsed
    state in `target` stays.
    """
    own = ("models", "macros", "tests", "seeds")
    for name in own:
        shutil.rmtree(folder / name, ignore_errors=True)
    shutil.copytree(PROJECT, folder, dirs_exist_ok=True)
    settings = yaml.safe_load((ROOT / "dbt_project.yml").read_text(encoding="utf-8"))
    shared = [ROOT / "macros" / name for name in MACROS]
    for parts, suffixes in (
        (settings["model-paths"], (".yml", ".md")),
        (settings["test-paths"], (".yml", ".sql")),
        (settings["seed-paths"], (".yml", ".csv")),
    ):
        for part in parts:
            shared += [file for file in (ROOT / part).rglob("*") if file.suffix in suffixes]
    for file in shared:
        if not file.name.endswith("__unit_tests.yml"):
            copy = folder / file.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, copy)
