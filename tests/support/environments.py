"""Creates virtual environments with this guard and other package versions than the lock file's."""

import subprocess
from pathlib import Path

from tests.support.dbt_runner import ROOT
from tests.support.packages import uv, virtual_environment

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
