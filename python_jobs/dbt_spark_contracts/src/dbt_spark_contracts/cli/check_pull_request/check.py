"""The check itself: the problems, and what the change touches."""

from dataclasses import dataclass, field
from pathlib import Path

from dbt_spark_contracts.cli.blast_radius import (
    BlastRadius,
    State,
    blast_radius,
    read_lineage,
)
from dbt_spark_contracts.cli.check_pull_request import promises, proof, results
from dbt_spark_contracts.cli.check_pull_request.base import Base, base_of
from dbt_spark_contracts.cli.check_pull_request.changes import what_changed
from dbt_spark_contracts.cli.check_pull_request.changes.change import Change
from dbt_spark_contracts.cli.check_pull_request.locate import Locator
from dbt_spark_contracts.cli.check_pull_request.manifest import Manifest
from dbt_spark_contracts.cli.check_pull_request.problem import Problem
from dbt_spark_contracts.cli.check_pull_request.project import Project
from dbt_spark_contracts.cli.steps import step
from dbt_spark_contracts.lineage.artifact import short_name
from dbt_spark_contracts.lineage.record import FILE_NAME, Model


@dataclass
class Checked:
    """What a check found.

    Attributes:
        base: The branch or commit that the pull request targets, and the merge base.
        problems: The problems.
        is_built: Whether everything was built without rows, which the search for leaks needs.
        files: The files of the repository that differ from the base.
        changes: The changes in them.
        proven: The display names of models whose plan is proven to be the same.
        radius: What the changes touch. None if the project does not parse.
    """

    base: str
    problems: list[Problem]
    is_built: bool
    files: list[str] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    proven: list[str] = field(default_factory=list)
    radius: BlastRadius | None = None


def check(project: Project, base: str, folder: Path, build: bool) -> Checked:
    """Check the working tree as a change of `base`.

    Args:
        project: The project.
        base: The branch or commit that the pull request targets.
        folder: An empty folder for temporary files.
        build: Whether to build both states, without rows.

    Returns:
        What was found.

    Raises:
        CannotCheck: If there is nothing to compare with.
    """
    with base_of(project, base, folder, build) as began:
        files = _files(project, began)
        locator = Locator(project)
        with step("Reading the working tree"):
            # A package may be a folder of the project that dbt has linked before.
            is_installed = (project.root / "dbt_packages").is_dir()
            is_installed = is_installed and project.names_same_packages(began.tree)
            error = None if is_installed else project.install_packages(project.root)
            # Earlier parse results may belong to another branch, and dbt would mix them up.
            error = error or project.dbt("parse", "--no-partial-parse").exception
        name = f"{base} ({began.commit[:9]})"
        if error:
            title = "the project does not parse"
            problem = results.failure(title, error, locator)
            return Checked(name, [problem], build, files)
        before, after = Manifest.read(began.manifest), Manifest.read(project.state)
        problems, lineage = _built(project, locator) if build else ([], {})
        with step("Comparing the two"):
            problems += promises.broken(locator, before, after, lineage)
            changes = [*what_changed(project, began.tree, files, before, after)]
        proven: set[str] = set()
        if build and not problems and (candidates := proof.candidates(changes, before, after)):
            with step("Proving that plans are the same"):
                proven = proof.proven(project, began, candidates, changes, before, after)
        old = State(before, read_lineage(began.lineage) if build else {})
        radius = blast_radius(old, State(after, lineage), changes, proven)
        same = sorted(map(short_name, proven))
        return Checked(name, problems, build, files, changes, same, radius)


def _built(project: Project, locator: Locator) -> tuple[list[Problem], dict[str, Model]]:
    """Build every layer without rows. Unit tests are left out: they have rows and take time.

    Returns:
        The failures, and the models' column lineage.
    """
    # The lineage of earlier checks does not belong to this tree.
    (project.state / FILE_NAME).unlink(missing_ok=True)
    errors = results.Errors()
    with step("Building the working tree without rows"):
        built = project.dbt(
            "build", "--empty", "--exclude-resource-type", "unit_test", on_event=errors.on_event
        )
    if built.exception:
        return [results.failure("the build did not run", built.exception, locator)], {}
    problems = [*results.failed(built.result, errors, locator)]
    return problems, read_lineage(project.state)


def _files(project: Project, base: Base) -> list[str]:
    """Return the repository's files that differ from the base, including uncommitted ones."""
    top = ("-C", project.repository())
    changed = project.git(*top, "diff", "--name-only", "--no-renames", "-z", base.commit)
    new = project.git(*top, "ls-files", "--others", "--exclude-standard", "-z")
    return sorted({*changed.split("\0"), *new.split("\0")} - {""})
