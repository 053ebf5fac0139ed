"""The differences between the base and the working tree, and the nodes they reach."""

import os
from collections.abc import Collection, Iterator
from pathlib import Path

from dbt_spark_contracts.cli.check_pull_request.changes import (
    code,
    definitions,
    environment,
    exposures,
    imports,
    macros,
    safeguards,
    seeds,
    settings,
)
from dbt_spark_contracts.cli.check_pull_request.changes import files as other_files
from dbt_spark_contracts.cli.check_pull_request.changes.change import Change
from dbt_spark_contracts.cli.check_pull_request.manifest import Manifest
from dbt_spark_contracts.cli.check_pull_request.project import Project


def what_changed(
    project: Project, tree: Path, files: Collection[str], before: Manifest, after: Manifest
) -> Iterator[Change]:
    """Yield each difference in the files and manifests, sorted by reach.

    Args:
        project: The project. Its files are those of the working tree.
        tree: The project's folder in a work tree of the base.
        files: The changed files, relative to the repository's root.
        before: The base's manifest.
        after: The working tree's manifest.

    Yields:
        The changes.
    """
    here = [Path(os.path.relpath(file, project.within())).as_posix() for file in files]
    found = [
        *environment.changed(project.root, here, after),
        *settings.of_profiles(project, tree, after),
        *settings.of_project(project.root, tree, after),
        *settings.of_vars(project.root, tree, before, after),
        *macros.changed(before, after),
        *seeds.changed(project.root, tree, before, after),
        *imports.changed(project.root, tree, here, before, after),
        *code.changed(before, after),
        *exposures.changed(before, after),
        *safeguards.changed(project.root, tree, before, after),
        *definitions.changed(before, after),
    ]
    known = {change.file for change in found} | {*environment.of_guard(project.root, here)}
    yield from found
    yield from other_files.changed(project.root, tree, here, known, before, after)
