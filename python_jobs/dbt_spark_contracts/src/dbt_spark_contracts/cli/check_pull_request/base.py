"""The merge base of the branch: its files, its manifest and, if built, its lineage."""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import dbt_spark_contracts
from dbt_spark_contracts.cli.check_pull_request.problem import CannotCheck
from dbt_spark_contracts.cli.check_pull_request.project import PROFILES, Project, read_yaml
from dbt_spark_contracts.cli.steps import step
from dbt_spark_contracts.lineage.record import FILE_NAME

BASES_KEPT = 10  # two per commit
PARSED, LINEAGE_OF_BASE = "state", "lineage_of_base"
KEPT = {PARSED: ["manifest.json"], LINEAGE_OF_BASE: ["manifest.json", FILE_NAME]}
# The schema for building the base. The profile must read it: see `require_own_tables`.
SCHEMA = "LAKEHOUSE_SCHEMA"
HOME = "LAKEHOUSE_HOME"
SUBMODULE = "160000"  # git's mode of a submodule


@dataclass(frozen=True)
class Base:
    """The merge base of the branch.

    Attributes:
        name: The branch or commit that the pull request targets.
        commit: The commit.
        tree: The project's folder in a work tree of that commit.
        manifest: The folder of its manifest.
        lineage: The folder of its lineage. Empty if the commit does not build.
    """

    name: str
    commit: str
    tree: Path
    manifest: Path
    lineage: Path


def commit_of(project: Project, base: str) -> str:
    """Return the merge base.

    The check compares with it, not with `base` itself, because later commits of `base` are not part
    of this change.

    Args:
        project: The project.
        base: The branch or commit that the pull request targets.

    Returns:
        The commit.

    Raises:
        CannotCheck: If git does not know such a commit.
    """
    project.repository()
    unknown = f"git does not know {base}: fetch it, or choose another branch or commit with --base"
    project.git("rev-parse", "--verify", "--quiet", f"{base}^{{commit}}", otherwise=unknown)
    unrelated = f"{base} and this branch have no commit in common: fetch the whole history"
    return project.git("merge-base", base, "HEAD", otherwise=unrelated)


@contextmanager
def base_of(project: Project, base: str, folder: Path, build: bool) -> Iterator[Base]:
    """Check out the merge base in a temporary work tree.

    Its artifacts are cached for the next check. They are copied, because a check changes them.

    Args:
        project: The project.
        base: The branch or commit that the pull request targets.
        folder: The folder for the work tree and the artifacts.
        build: Whether the commit's column lineage is needed, which requires a build.

    Yields:
        The base.

    Raises:
        CannotCheck: If git does not know such a commit, or the commit does not parse.
    """
    commit = commit_of(project, base)
    if build:
        require_own_tables(project)
    tree = folder / "base"
    # Skip checkout hooks, which are meant for people.
    without_hooks = ("-c", f"core.hooksPath={os.devnull}")
    project.git(*without_hooks, "worktree", "add", "--detach", str(tree), commit)
    try:
        _take_submodules(project, commit, tree)
        inside = tree / project.within()
        if not (inside / "dbt_project.yml").is_file():
            raise CannotCheck(f"{base} ({commit[:9]}) has no dbt_project.yml")
        made = Base(base, commit, inside, folder / PARSED, folder / LINEAGE_OF_BASE)
        _take_artifacts(project, made, folder, build)
        yield made
    finally:
        project.git("worktree", "remove", "--force", str(tree))


def _take_submodules(project: Project, commit: str, tree: Path) -> None:
    """Add the submodules to the tree, as far as the local clones have the commits."""
    if not (tree / ".gitmodules").is_file():
        return
    for line in project.git("ls-tree", "-r", "-z", "--full-tree", commit).split("\0"):
        about, _, path = line.partition("\t")
        if not about.startswith(SUBMODULE):
            continue
        own = project.repository() / path
        packed = tree.parent / "submodule.tar"
        with contextlib.suppress(CannotCheck, OSError):
            names = ("archive", "--format", "tar", "--output", str(packed), about.split()[2])
            if (own / ".git").exists():
                project.git("-C", str(own), *names)
                shutil.unpack_archive(packed, tree / path, filter="data")


def require_own_tables(project: Project) -> None:
    """Check that a build would not write to real tables.

    The check passes its own folder and schema in these variables, so the profile must read them.

    Raises:
        CannotCheck: If the profile does not read them.
    """
    profiles = read_yaml(project.profiles / PROFILES)
    if not profiles:
        return  # dbt reports what is wrong with it
    outputs = [each.get("outputs", {}) for each in profiles.values() if isinstance(each, dict)]
    told = str([each[project.target] for each in outputs if project.target in each])
    if missing := [name for name in (HOME, SCHEMA) if name not in told]:
        raise CannotCheck(
            f"the target {project.target} of profiles.yml does not read {' or '.join(missing)}, so "
            "a build would write to its own tables: let the profile read it, or add --no-build"
        )


def _take_artifacts(project: Project, base: Base, folder: Path, build: bool) -> None:
    """Copy the cached artifacts of the commit, or make and cache them."""
    kept_in = project.state / "bases"
    wanted = [PARSED, LINEAGE_OF_BASE] if build else [PARSED]
    code = _checking_code(project)
    kept = {name: kept_in / f"{base.commit[:12]}-{code[:12]}-{name}" for name in wanted}
    try:
        for name, artifacts in kept.items():
            shutil.copytree(artifacts, folder / name, dirs_exist_ok=True)
    except OSError:  # absent, or just being deleted
        error = _make_artifacts(project, base, build)
        if error:
            said = " ".join(str(error).split())
            raise CannotCheck(f"{base.name} ({base.commit[:9]}) does not parse: {said}") from error
        for name, artifacts in kept.items():
            _keep(folder / name, KEPT[name], artifacts)


def _make_artifacts(project: Project, base: Base, build: bool) -> BaseException | None:
    """Parse the commit, and build it if needed.

    Returns:
        The error if it does not parse.
    """
    with step(f"Reading {base.name} ({base.commit[:9]})"):
        # A package may be a folder of the commit, so the working tree's packages do not apply.
        error = project.install_packages(base.tree)
        error = error or _parse(project, base)
    if build and not error:
        with step(f"Building {base.name} without rows"):
            build_empty(project, base)
    return error


def _parse(project: Project, base: Base) -> BaseException | None:
    """Parse the commit with its own profile, or with the working tree's if a target is missing."""
    error: BaseException | None = None
    for profiles in dict.fromkeys([project.profiles_of(base.tree), project.profiles]):
        done = project.dbt("parse", root=base.tree, state=base.manifest, profiles=profiles)
        error = done.exception
        if error is None:
            break
    return error


def build_empty(project: Project, base: Base) -> None:
    """Build the commit's tables without rows, in separate schemas. Failures are ignored."""
    without_tests = ("--exclude-resource-type", "unit_test", "--exclude-resource-type", "test")
    own = os.environ.get(SCHEMA)
    os.environ[SCHEMA] = f"{own}_base" if own else "base"
    try:
        project.dbt("build", "--empty", *without_tests, root=base.tree, state=base.lineage)
    finally:
        del os.environ[SCHEMA]
        if own:
            os.environ[SCHEMA] = own


def _checking_code(project: Project) -> str:
    """Return a hash of everything else that determines the artifacts: this code and the profile."""
    code = hashlib.sha256(json.dumps([project.target, str(project.within())]).encode())
    guard = Path(dbt_spark_contracts.__file__).parent
    for file in [project.profiles / PROFILES, *sorted(guard.rglob("*.py"))]:
        code.update(file.read_bytes() if file.is_file() else b"")
    for name in ("dbt-core", "dbt-spark", "pyspark"):
        code.update(f"{name} {version(name)}".encode())
    return code.hexdigest()


def _keep(made: Path, names: list[str], kept: Path) -> None:
    """Cache these files of a base, all or none, and delete all but the newest bases."""
    if not all((made / name).is_file() for name in names):
        return  # the base does not build
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent, prefix=".") as folder:
        whole = Path(folder) / "whole"
        whole.mkdir()
        for name in names:
            shutil.copy(made / name, whole)
        with contextlib.suppress(OSError):  # a concurrent check has made the same
            whole.rename(kept)
    bases = sorted(kept.parent.glob("[!.]*"), key=lambda base: base.stat().st_mtime)
    for old in bases[:-BASES_KEPT]:
        shutil.rmtree(old, ignore_errors=True)
