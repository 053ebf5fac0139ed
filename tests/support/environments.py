"""Environments with other versions than the project locks, made by uv. Each has this guard."""

import subprocess
from pathlib import Path

from tests.support.dbt_runner import ROOT
from tests.support.packages import uv, virtual_environment

PLUGIN = ROOT / "python_jobs" / "dbt_spark_contracts"

# A package that downloads from GitHub while it is built. dbt calls its program when asked to.
LEFT_OUT = "dbt-core-experimental-parser; python_version < '3'"


def make(folder: Path, *packages: str) -> Path:
    """Make an environment with these packages and the guard.

    Args:
        folder: Where.
        packages: Their requirements. All others are as the project locks them.

    Returns:
        The environment's Python.
    """
    folder.mkdir(parents=True)
    locked, override = folder / "locked", folder / "override"
    export = [uv(), "export", "--quiet", "--frozen", "--no-dev", "--no-hashes", "--no-annotate"]
    said = subprocess.run(
        [*export, "--no-emit-workspace"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    others = {package.partition("=")[0] for package in packages}
    locked.write_text(
        "".join(f"{line}\n" for line in said.splitlines() if line.partition("=")[0] not in others)
    )
    override.write_text(LEFT_OUT)
    versions = ("--override", override, "--constraint", locked)
    return virtual_environment(folder / "venv", *versions, *packages, PLUGIN)
