"""Code outside of the dbt project that builds run: the guard itself, and libraries."""

import re
from collections.abc import Collection, Iterator
from pathlib import Path

import dbt_spark_contracts
from dbt_spark_contracts.cli.check_pull_request.changes.change import Change, Reach
from dbt_spark_contracts.cli.check_pull_request.manifest import Manifest

# The installed guard parses both states, so their manifests do not show its changes.
GUARD = Path(dbt_spark_contracts.__file__).parent
# The part of it that no build runs.
TOOLS = "cli"
# Files with the versions of installed packages.
VERSIONS = re.compile(
    r"(\w+\.lock|Pipfile|package-lock\.yml|pyproject\.toml|setup\.(py|cfg)|\.python-version"
    r"|(.*[-_.])?(requirements|constraints)([-_.].*)?\.(txt|in)|requirements/.*\.(txt|in)"
    r"|(.*[-_.])?environment\.ya?ml|conda-lock\.yml|(.*\.)?Dockerfile(\..*)?)"
)


def changed(root: Path, files: Collection[str], after: Manifest) -> Iterator[Change]:
    """Yield changes of the guard, if it is part of the repository, and of library versions.

    Args:
        root: The project's folder.
        files: The changed files, relative to it.
        after: The working tree's manifest.

    Yields:
        The changes.
    """
    if own := of_guard(root, files):
        more = f" and {len(own) - 1} more" if len(own) > 1 else ""
        text = f"the guard itself has changed, which may affect every model: {own[0]}{more}"
        yield Change("guard", text, own[0], dict.fromkeys(after.nodes, Reach.ALL))
    for file in files:
        parts = Path(file).parts
        if VERSIONS.fullmatch(parts[-1]) or VERSIONS.fullmatch("/".join(parts[-2:])):
            text = f"{file} has changed: this check uses the packages that are installed here"
            yield Change("environment", text, file)


def of_guard(root: Path, files: Collection[str]) -> list[str]:
    """Return the changed files of the guard that a build runs."""
    guard, tools = GUARD.resolve(), (GUARD / TOOLS).resolve()
    found = {file: (root / file).resolve() for file in files}
    return [
        file
        for file, path in found.items()
        if path.is_relative_to(guard) and not path.is_relative_to(tools)
    ]
