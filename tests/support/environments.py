"""Creates virtual environments with this guard and other package versions than the lock file's."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.dbt_runner import ROOT

PLUGIN = ROOT / "python_jobs" / "dbt_spark_contracts"

# Its build downloads from GitHub. dbt uses it only on request.
LEFT_OUT = "dbt-core-experimental-parser; python_version < '3'"


def make(folder: Path, *packages: str) -> Path:
    """Create an environment with these packages and the guard.

    Args:
        folder: The folder to create it in.
        packages: Requirements. All other packages have the versions of the lock file.

    Returns:
        The environment's Python.
    """
    uv = os.environ.get("UV") or shutil.which("uv")
    folder.mkdir(parents=True)
    locked, override, python = folder / "locked", folder / "override", folder / "venv/bin/python"
    export = [uv, "export", "--quiet", "--frozen", "--no-dev", "--no-hashes", "--no-annotate"]
    said = subprocess.run(
        [*export, "--no-emit-workspace"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    others = {package.partition("=")[0] for package in packages}
    locked.write_text(
        "".join(f"{line}\n" for line in said.splitlines() if line.partition("=")[0] not in others)
    )
    override.write_text(LEFT_OUT)
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder / "venv"], check=True)
    install = [uv, "pip", "install", "--quiet", "--python", python]
    subprocess.run(
        [*install, "--override", override, "--constraint", locked, *packages, PLUGIN], check=True
    )
    return python
