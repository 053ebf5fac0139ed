"""Files that are no part of dbt's project and no module: what a model names, as its data."""

import re
from collections.abc import Collection, Iterator
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from python_jobs.check_pull_request.changes.change import Change, Reach
from python_jobs.check_pull_request.changes.imports import modules_of, text_of
from python_jobs.check_pull_request.changes.macros import Calls
from python_jobs.check_pull_request.changes.settings import (
    PROJECT_FILE,
    nodes_that_hold,
    var_readers,
)
from python_jobs.check_pull_request.manifest import Manifest, names
from python_jobs.check_pull_request.project import PACKAGES, read_yaml

# What dbt reads itself, so that the manifest or another file of this folder shows it.
OF_DBT = ("dbt_project.yml", "profiles.yml", "packages.yml", "dependencies.yml", "selectors.yml")
FOLDERS = ("model", "seed", "snapshot", "macro", "test", "analysis", "docs", "function")
SUFFIXES = {"seed": (".csv", ".yml", ".yaml", ".md"), "test": (".csv", ".sql", ".yml", ".yaml")}
OTHER_SUFFIXES = (".sql", ".py", ".yml", ".yaml", ".md", ".jinja")
QUOTED = re.compile(r"""["'`]([^"'`\n]+)["'`]""")
SHOWN = 5


def changed(
    root: Path,
    tree: Path,
    files: Collection[str],
    known: Collection[str],
    before: Manifest,
    after: Manifest,
) -> Iterator[Change]:
    """Each file that a node names, and in one line all others.

    Args:
        root: The project's folder.
        tree: The same in a work tree of the base.
        files: The files that are others than in the base, as seen from the project's folder.
        known: Files that other changes are of.
        before: The base's manifest.
        after: The working tree's.
    """
    others = []
    for file in files:
        if file in known or is_of_dbt(file, tree) or is_of_dbt(file, root):
            continue
        reaches = _named_by(file, tree, before) | _named_by(file, root, after)
        if reaches:
            text = f"the file {file} is another: named by {names(reaches)}"
            yield Change("file", text, file, reaches)
        elif not file.startswith("../"):
            others.append(file)
    if others:
        more = f" and {len(others) - SHOWN} more" if len(others) > SHOWN else ""
        text = f"files that no model is known to read: {', '.join(others[:SHOWN])}{more}"
        yield Change("file", text, others[0] if len(others) == 1 else "")


def is_of_dbt(file: str, root: Path) -> bool:
    """Does dbt itself read the file, as a part of the project, or of a package that is a folder?"""
    if file in OF_DBT:
        return True
    for listed in PACKAGES:
        for package in read_yaml(root / listed).get("packages") or ():
            folder = str(package.get("local") or "").strip("/").removeprefix("./")
            if folder and f"{file}/".startswith(f"{folder}/"):
                return file == folder or is_of_dbt(file.removeprefix(f"{folder}/"), root / folder)
    settings = read_yaml(root / PROJECT_FILE)
    for kind in FOLDERS:
        default = {"analysis": "analyses", "docs": "docs"}.get(kind, f"{kind}s")
        for folder in settings.get(f"{kind}-paths") or ([] if kind == "docs" else [default]):
            is_in = PurePosixPath(file).is_relative_to(str(folder))
            if is_in and file.endswith(SUFFIXES.get(kind, OTHER_SUFFIXES)):
                return True
    return False


def _named_by(file: str, root: Path, state: Manifest) -> dict[str, Reach]:
    """The nodes in whose code, modules, macros, vars or settings a text names the file."""

    def names_it(text: str) -> bool:
        return names_file(text, file)

    calls = Calls(state)
    found = nodes_that_hold(state, calls, names_it)
    for key, node in state.nodes.items():
        if node.get("language") == "python":
            modules = modules_of(root, node["raw_code"])
            if any(names_it(text_of(root / module)) for module in modules):
                found[key] = Reach.ALL
        if names_it(str(node.get("external"))):
            found[key] = Reach.ALL
    for name, value in _flat_vars(read_yaml(root / PROJECT_FILE).get("vars") or {}):
        if names_it(repr(value)):
            found |= var_readers(state, calls, name)
    # What a file holds shows in no plan.
    return dict.fromkeys(found, Reach.ALL)


def names_file(text: str, file: str) -> bool:
    """Does a quoted part of the text name the file: by its path or name, a pattern or a folder?"""
    name = PurePosixPath(file).name
    for quoted in QUOTED.findall(text):
        said = quoted.partition("://")[2] or quoted
        said = said.removeprefix("./").strip("/")
        if said in (name, file) or file.endswith(f"/{said}") or said.endswith(f"/{file}"):
            return True
        is_pattern = re.search(r"\w", said) and "*" in said
        if is_pattern and (fnmatchcase(file, said) or fnmatchcase(name, said)):
            return True
        if said and file.startswith(f"{said}/"):
            return True
    return False


def _flat_vars(variables: dict) -> Iterator[tuple[str, object]]:
    for name, value in variables.items():
        yield name, value
        if isinstance(value, dict):
            yield from value.items()
