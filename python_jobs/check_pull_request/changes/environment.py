"""Code outside of the dbt project that its builds run: the guard itself, and other libraries."""

from collections.abc import Collection, Iterator
from pathlib import Path

import dbt_spark_contracts

from python_jobs.check_pull_request.changes.change import Change, Reach
from python_jobs.check_pull_request.manifest import Manifest
from python_jobs.check_pull_request.project import Project

# Both states are parsed by the guard that is installed, so their manifests show none of it.
GUARD = Path(dbt_spark_contracts.__file__).parent
# The files that say which versions are installed.
VERSIONS = (
    "uv.lock", "poetry.lock", "Pipfile.lock", "requirements.txt", "constraints.txt",
)  # fmt: skip


def changed(project: Project, files: Collection[str], after: Manifest) -> Iterator[Change]:
    """The guard's own code, where it is a part of the repository, and versions of libraries.

    Args:
        project: The project.
        files: The files that are others than in the base, as seen from the repository's root.
        after: The working tree's manifest.
    """
    root = project.repository().resolve()
    if GUARD.resolve().is_relative_to(root):
        folder = GUARD.resolve().relative_to(root)
        own = [file for file in files if Path(file).is_relative_to(folder)]
        if own:
            more = f" and {len(own) - 1} more" if len(own) > 1 else ""
            text = f"the guard itself is another, which every model may feel: {own[0]}{more}"
            yield Change("guard", text, own[0], dict.fromkeys(after.nodes, Reach.ALL))
    for file in files:
        if Path(file).name in VERSIONS:
            text = f"{file} is another: what is checked here is built by what is installed here"
            yield Change("environment", text, file)
