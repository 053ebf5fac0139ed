"""K: the same models, contracts and data tests on DuckDB, with dbt-duckdb in a separate venv."""

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

# dbt-core has this project's version, so that dbt itself costs both the same.
REQUIREMENTS = ["dbt-duckdb==1.11.1", "duckdb==1.5.5"]

# The macros that the copied data tests call.
MACROS = ("project/event_columns.sql", "cross_engine/days_between.sql")

# Exports Gold's tables to files, because DuckDB is only in the other venv.
EXPORT = """
import sys, duckdb
database, folder, *tables = sys.argv[1:]
with duckdb.connect(database, read_only=True) as connection:
    for table in tables:
        connection.sql(f"from {table}").write_parquet(f"{folder}/{table}.parquet")
"""


def duckdb(place: Path, landing: Path) -> Contestant:
    """Return dbt-duckdb as a contestant. Creates its venv if it is missing, and its project."""
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
    """Return the Python of a venv with dbt-duckdb. The venv is created if it is missing.

    Raises:
        RuntimeError: If there is no uv, or uv could not install dbt-duckdb.
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
            f"uv could not install {' '.join(requirements)} (see above): "
            "contestant K needs PyPI. To leave it out, use --contestants."
        ) from error
    return python


def make_project(folder: Path) -> None:
    """Create K's dbt project: its own models, and copies of what it shares with this project.

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
