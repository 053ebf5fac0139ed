"""Data files: files that models name and that are neither part of the dbt project nor modules."""

import re
from collections.abc import Collection, Iterator
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from dbt_spark_contracts.cli.check_pull_request.changes.change import Change, Reach
from dbt_spark_contracts.cli.check_pull_request.changes.imports import modules_of, text_of
from dbt_spark_contracts.cli.check_pull_request.changes.macros import OF_DBT, Calls
from dbt_spark_contracts.cli.check_pull_request.changes.settings import PROJECT_FILE, var_readers
from dbt_spark_contracts.cli.check_pull_request.manifest import Manifest, names
from dbt_spark_contracts.cli.check_pull_request.project import PACKAGES, read_yaml

# Files that dbt reads. The manifest or another file of this folder shows their changes.
READ_BY_DBT = (
    "dbt_project.yml",
    "profiles.yml",
    "packages.yml",
    "dependencies.yml",
    "selectors.yml",
)
FOLDERS = ("model", "seed", "snapshot", "macro", "test", "analysis", "docs", "function")
SUFFIXES = {"seed": (".csv", ".yml", ".yaml", ".md"), "test": (".csv", ".sql", ".yml", ".yaml")}
OTHER_SUFFIXES = (".sql", ".py", ".yml", ".yaml", ".md", ".jinja")
QUOTED = re.compile(r"""["'`]([^"'`\n]+)["'`]""")
# A path with a star, which names several files. It is not the text between two apostrophes.
PATTERN = re.compile(r"(?=.*\w)(?=.*\*)[^\s(){}]+")
# `imports` reports modules, and documentation is not data.
NO_DATA = (".py", ".md")
GUARD = "dbt_spark_contracts"
SHOWN = 5


def changed(
    root: Path,
    tree: Path,
    files: Collection[str],
    known: Collection[str],
    before: Manifest,
    after: Manifest,
) -> Iterator[Change]:
    """Yield each changed file that a node names, and all others in one line.

    Args:
        root: The project's folder.
        tree: The same in a work tree of the base.
        files: The changed files, relative to the project's folder.
        known: Files that other changes cover.
        before: The base's manifest.
        after: The working tree's manifest.

    Yields:
        The changes.
    """
    found = [
        file
        for file in files
        if file not in known and not is_of_dbt(file, tree) and not is_of_dbt(file, root)
    ]
    states = ((tree, before), (root, after)) if found else ()
    quoted = [_quoted_by_node(folder, state) for folder, state in states]
    others = []
    for file in found:
        named = {
            key
            for by_node in quoted
            for key, texts in by_node.items()
            if not file.endswith(NO_DATA) and any(names_file(text, file) for text in texts)
        }
        if named:
            text = f"the file {file} has changed: named by {names(named)}"
            # No plan shows a file's content.
            yield Change("file", text, file, dict.fromkeys(named, Reach.ALL))
        elif not file.startswith("../"):
            others.append(file)
    if others:
        more = f" and {len(others) - SHOWN} more" if len(others) > SHOWN else ""
        text = f"files that no model is known to read: {', '.join(others[:SHOWN])}{more}"
        yield Change("file", text, others[0] if len(others) == 1 else "")


def is_of_dbt(file: str, root: Path) -> bool:
    """Return whether dbt itself reads the file, in the project or in a local package."""
    if file in READ_BY_DBT:
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


def _quoted_by_node(root: Path, state: Manifest) -> dict[str, set[str]]:
    """Return the quoted texts of each node: in its code, settings, modules, macros and vars."""
    calls = Calls(state)
    in_macros = {
        key: _quoted(macro["macro_sql"])
        for key, macro in state.macros.items()
        if macro["package_name"] not in (*OF_DBT, GUARD)
    }
    found: dict[str, set[str]] = {}
    for key, node in state.nodes.items():
        settings = f"{node.get('unrendered_config')} {node.get('external')}"
        texts = [node.get("raw_code") or "", settings]
        if node.get("language") == "python":
            texts += [text_of(root / file) for file in modules_of(root, node["raw_code"])]
        macros = [each for called in calls.of(node).values() for each in called]
        found[key] = {quoted for text in texts for quoted in _quoted(text)}
        found[key] |= {quoted for macro in macros for quoted in in_macros.get(macro, ())}
    for name, value in _flat_vars(read_yaml(root / PROJECT_FILE).get("vars") or {}):
        if isinstance(value, str):
            for key in var_readers(state, calls, name):
                found[key].add(value)
    return found


def _quoted(text: str) -> set[str]:
    return {*QUOTED.findall(text)}


def names_file(quoted: str, file: str) -> bool:
    """Return whether a quoted text names the file: by path, name, pattern or folder."""
    name = PurePosixPath(file).name
    said = (quoted.partition("://")[2] or quoted).removeprefix("./").strip("/")
    if said in (name, file) or file.endswith(f"/{said}") or said.endswith(f"/{file}"):
        return bool(said)
    if PATTERN.fullmatch(said) and (fnmatchcase(file, said) or fnmatchcase(name, said)):
        return True
    return bool(said) and file.startswith(f"{said}/")


def _flat_vars(variables: dict) -> Iterator[tuple[str, object]]:
    for name, value in variables.items():
        yield name, value
        if isinstance(value, dict):
            yield from value.items()
