"""Modules of the project that Python models import, directly or indirectly. Nothing is run."""

import ast
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from dbt_spark_contracts.cli.check_pull_request.changes.change import Change, Reach
from dbt_spark_contracts.cli.check_pull_request.manifest import Manifest, file_of, names
from dbt_spark_contracts.compat.cpython import parsed

IMPORT = ("import_module", "__import__")
RUN_CODE = ("exec", "eval", "run_path", "run_module", "spec_from_file_location")
# Folders without modules of the project.
NOT_OURS = (".venv", "venv", "site-packages", "node_modules", "target", "dbt_packages")


def changed(
    root: Path, tree: Path, files: Iterable[str], before: Manifest, after: Manifest
) -> Iterator[Change]:
    """Yield each changed module, with the models that import it or may import it.

    Args:
        root: The project's folder.
        tree: The same in a work tree of the base.
        files: The changed files, relative to the project's folder.
        before: The base's manifest.
        after: The working tree's manifest.

    Yields:
        The changes.
    """
    old, new = (_imported(folder, state) for folder, state in ((tree, before), (root, after)))
    yield from _maybe_imported(root, {*files} - {*old, *new}, (before, after))
    for file in sorted(old.keys() | new.keys()):
        texts = [_bytes(folder / file) for folder in (tree, root)]
        if texts[0] == texts[1]:
            continue
        models = old.get(file, set()) | new.get(file, set())
        # If a model imports another module now, its own code has changed, which `code` reports.
        how = "is new" if texts[0] is None else "is gone" if texts[1] is None else "has changed"
        yield Change(
            "import",
            f"the module {file} {how}: imported by {names(models)}",
            file,
            dict.fromkeys(models, Reach.QUERY),
        )


def _maybe_imported(
    root: Path, files: Iterable[str], states: Iterable[Manifest]
) -> Iterator[Change]:
    """Yield modules that models with computed imports may import."""
    models = {
        key
        for state in states
        for key, node in state.nodes.items()
        if node.get("language") == "python"
        for source in (
            node["raw_code"],
            *(text_of(root / file) for file in modules_of(root, node["raw_code"])),
        )
        if _works_out_imports(source)
    }
    own = {file_of(node) for state in states for node in state.nodes.values()}
    for file in sorted({*files} - own) if models else ():
        if file.endswith(".py"):
            text = f"the module {file} has changed: {names(models)} may import it"
            yield Change("import", text, file, dict.fromkeys(models, Reach.QUERY))


def modules_of(root: Path, source: str) -> set[str]:
    """Return the project's files that a source imports, directly or indirectly.

    Args:
        root: The project's folder.
        source: The text of a Python model, or of a module at the project's root.

    Returns:
        The files, relative to the project's folder. Those outside of it begin with "..".
    """
    found: set[str] = set()
    reached = set(_files(root, _names(source, [])))
    while reached:
        file = reached.pop()
        if file in found:
            continue
        found.add(file)
        package = [part for part in Path(file).parent.parts if part != ".."]
        reached |= set(_files(root, _names(text_of(root / file), package)))
    return found


def _imported(root: Path, state: Manifest) -> dict[str, set[str]]:
    """Return the models that import each module, by the module's file."""
    found: dict[str, set[str]] = {}
    for key, node in state.nodes.items():
        if node.get("language") == "python" and file_of(node):
            for file in modules_of(root, node["raw_code"]):
                found.setdefault(file, set()).add(key)
    return found


def _names(source: str, package: list[str]) -> Iterator[str]:
    """Yield the full names of possible imports. For `from a import b`, these are a and a.b.

    An import inside a function counts, too, and so does importlib with a constant name.
    """
    try:
        syntax = parsed(source)
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(syntax):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            # In `from ..a import b`, two dots refer to the parent package.
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}".lstrip(".") for alias in node.names)
        elif isinstance(node, ast.Call) and _called(node) in IMPORT:
            yield from (_absolute(name, package) for name in _constants(node))
        elif isinstance(node, ast.Call) and _called(node) in ("addPyFile", "addFile"):
            # Spark sends the file to its workers.
            yield from (text.removesuffix(".py").replace("/", ".") for text in _constants(node))


def _absolute(name: str, package: list[str]) -> str:
    """Return a module's full name. One leading dot is the package, each further one a parent."""
    bare = name.lstrip(".")
    dots = len(name) - len(bare)
    return ".".join([*package[: len(package) - dots + 1], bare]) if dots else name


def _works_out_imports(source: str) -> bool:
    """Return whether a source runs code, or a module, with a computed name."""
    try:
        calls = [node for node in ast.walk(parsed(source)) if isinstance(node, ast.Call)]
    except (SyntaxError, ValueError):
        return True
    return any(
        _called(call) in RUN_CODE or (_called(call) in IMPORT and not _constants(call))
        for call in calls
    )


def _called(call: ast.Call) -> str:
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def _constants(call: ast.Call) -> list[str]:
    values = [each.value for each in call.args[:1] if isinstance(each, ast.Constant)]
    return [value for value in values if isinstance(value, str)]


def _files(root: Path, modules: Iterable[str]) -> Iterator[str]:
    """Yield the project's files that an import of these modules runs, with parent packages."""
    for module in modules:
        parts = [part for part in module.split(".") if part]
        for folder in _import_roots(root):
            for end in range(1, len(parts) + 1):
                path = folder.joinpath(*parts[:end])
                for file in (path.with_suffix(".py"), path / "__init__.py"):
                    if file.is_file():
                        yield Path(os.path.relpath(file, root)).as_posix()


def _import_roots(root: Path) -> list[Path]:
    """Return the folders that Python imports from: project, repository and PYTHONPATH."""
    repository = _repository(root)
    found = [root, repository]
    # The base's tree has the same folders as the working tree, where this process runs.
    for base in (_repository(Path.cwd()), repository):
        for entry in sys.path:
            path = Path(entry)
            if path.is_relative_to(base) and not set(NOT_OURS) & set(path.parts):
                found.append(repository / path.relative_to(base))
    return list(dict.fromkeys(found))


def _repository(folder: Path) -> Path:
    """Return the git work tree of a folder, or the folder itself if there is none."""
    return next((each for each in (folder, *folder.parents) if (each / ".git").exists()), folder)


def text_of(path: Path) -> str:
    """Return a file's text, with invalid UTF-8 replaced."""
    return (_bytes(path) or b"").decode(errors="replace")


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None
