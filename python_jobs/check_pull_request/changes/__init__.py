"""What differs between the base and the working tree, and which nodes it reaches."""

from collections.abc import Collection, Iterator
from pathlib import Path

from python_jobs.check_pull_request.changes import (
    code,
    environment,
    exposures,
    imports,
    macros,
    safeguards,
    seeds,
    settings,
)
from python_jobs.check_pull_request.changes.change import Change
from python_jobs.check_pull_request.manifest import Manifest
from python_jobs.check_pull_request.project import Project


def what_changed(
    project: Project, tree: Path, files: Collection[str], before: Manifest, after: Manifest
) -> Iterator[Change]:
    """Each difference that the files and the manifests show, in the order of its reach.

    Args:
        project: The project, whose files are those of the working tree.
        tree: The project's folder in a work tree of the base.
        files: The files that are others than in the base, as seen from the repository's root.
        before: The base's manifest.
        after: The working tree's.
    """
    yield from environment.changed(project, files, after)
    yield from settings.of_profiles(project, tree, after)
    yield from settings.of_project(project.root, tree, after)
    yield from settings.of_vars(project.root, tree, before, after)
    yield from macros.changed(before, after)
    yield from seeds.changed(project.root, tree, before, after)
    yield from imports.changed(project.root, tree, before, after)
    yield from code.changed(before, after)
    yield from exposures.changed(before, after)
    yield from safeguards.changed(before, after)
