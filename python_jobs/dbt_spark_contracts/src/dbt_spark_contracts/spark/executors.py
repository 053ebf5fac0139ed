"""What executors in other processes need: the project's Python code, and shared folders.

If Spark is one process, nothing here is used.
"""

import os
import sys
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from dbt_common.exceptions import DbtRuntimeError

from dbt_spark_contracts.errors import explain
from dbt_spark_contracts.spark.settings import CATALOG, CHECKPOINT_DIR, PROJECT_DIR

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ARCHIVE = "dbt_project_code.zip"

# A folder with one of these files is a virtual environment, or dbt's target.
NO_CODE = ("pyvenv.cfg", "run_results.json")

# Executors fetch the archive from the driver when they start, at any time until the command ends.
_kept: list[TemporaryDirectory] = []


def are_elsewhere(master: str) -> bool:
    """Return whether executors may be on other machines than the driver."""
    return not master.startswith("local")


def require_shared(name: str, folder: str, master: str) -> None:
    """Check that executors can read and write a folder.

    Args:
        name: What names the folder, for the message.
        folder: A path or URL.
        master: Spark's master.

    Raises:
        DbtRuntimeError: If it is a path and the executors are elsewhere. A path is a folder of each
            machine, or of the cluster's default file system. The message is one line.
    """
    if folder and are_elsewhere(master) and "://" not in folder:
        raise DbtRuntimeError(
            f"{name} is {folder}, and the executors of {master} may not have that folder: name a "
            f"URL, such as s3a://bucket/folder, or file://{folder} if all machines share it."
        )


def require_shared_folders(settings: dict[str, str], master: str) -> None:
    """Check the folders that the settings name for checkpoints and tables.

    Raises:
        DbtRuntimeError: If executors elsewhere may not have one of them.
    """
    for name, value in settings.items():
        catalog = CATALOG.fullmatch(name)
        # The warehouse of a REST catalog may be a name that the server knows.
        is_folder = catalog and settings.get(f"{catalog[1]}.type") != "rest"
        if is_folder or name == CHECKPOINT_DIR:
            require_shared(name, value, master)


def send_code(session: "SparkSession", settings: dict[str, str]) -> None:
    """Send the Python code of the project and of this package to the executors.

    Functions of a model run there, and may import modules of the project. The driver still imports
    from the folders.

    Args:
        session: The session, which has just started.
        settings: The settings that it was started with.

    Raises:
        DbtRuntimeError: If it cannot be sent. The message is one line.
    """
    from pyspark import SparkFiles

    project = Path(settings[PROJECT_DIR])
    try:
        folder = TemporaryDirectory(prefix="dbt-spark-code-")
        _kept.append(folder)
        archive = Path(folder.name, ARCHIVE)
        write_archive(archive, project)
        session.sparkContext.addPyFile(str(archive))
    except Exception as error:
        raise DbtRuntimeError(
            f"The Python code in {project} cannot be sent to the executors: {explain(error)}"
        ) from error
    # For executors only. Here it would hide the files that a debugger and a traceback show.
    with suppress(ValueError):
        sys.path.remove(str(Path(SparkFiles.getRootDirectory(), ARCHIVE)))


def write_archive(archive: Path, project: Path) -> None:
    """Write the modules of the project and of this package to a zip file.

    The same files give the same bytes.
    """
    package = Path(__file__).parents[1]
    modules = {file.relative_to(package.parent): file for file in _modules(package)}
    modules |= {file.relative_to(project): file for file in _modules(project)}
    with zipfile.ZipFile(archive, "w") as code:
        for name, file in sorted(modules.items()):
            # A ZipInfo of its own has a constant time, and not the file's rights.
            entry = zipfile.ZipInfo(name.as_posix())
            code.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED)


def _modules(root: Path) -> Iterator[Path]:
    """Yield the modules in a folder and in its packages.

    Folders that cannot be imported (.git), virtual environments and dbt's target are left out.
    """
    for folder, subfolders, files in os.walk(root):
        here = Path(folder)
        subfolders[:] = [
            name
            for name in subfolders
            if name.isidentifier()
            and name != "__pycache__"
            and not any((here / name / file).exists() for file in NO_CODE)
        ]
        yield from (here / name for name in files if name.endswith(".py"))
