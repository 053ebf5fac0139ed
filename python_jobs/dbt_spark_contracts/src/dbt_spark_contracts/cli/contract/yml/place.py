"""Finds the yml file for a model's contract."""

from pathlib import Path
from typing import Any

import yaml

from dbt_spark_contracts.cli.contract.cannot import Cannot

# The usual names of a folder's models file, in order of preference.
USUAL = ("_{folder}__models", "_models", "models", "_schema", "schema", "_properties")


def file_of(root: Path, node: dict) -> Path:
    """Return the yml file of a model. If it has none, return where dbt users would look for it.

    That is the file with the model's own name, if the folder has such files. Otherwise it is the
    folder's only models file, or the one with a usual name. Otherwise it is
    `_<folder>__models.yml`, as in dbt's style guide.

    Args:
        root: The project's folder.
        node: The model.

    Raises:
        Cannot: If several files are possible.
    """
    if node.get("patch_path"):
        return root / node["patch_path"].partition("://")[2]
    folder = (root / node["original_file_path"]).parent
    described = {file: _models(file) for file in sorted([*folder.glob("*.y*ml")])}
    holding = [file for file, names in described.items() if names]
    if holding and all(names == [file.stem] for file, names in described.items() if names):
        return folder / f"{node['name']}.yml"
    if len(holding) == 1:
        return holding[0]
    usual = [name.format(folder=folder.name) for name in USUAL]
    for stem in usual:
        if named := next((file for file in holding if file.stem == stem), None):
            return named
    if holding:
        raise Cannot(
            f"{node['name']} has no yml, and {len(holding)} files of {folder.name}/ have models: "
            "write its name into one of them"
        )
    return folder / f"{usual[0]}.yml"


def entry_of(root: Path, node: dict) -> dict:
    """Return a node's entry in its yml, unrendered. Empty without a yml."""
    kind = node["resource_type"]
    path = node.get("patch_path")
    file = root / (path.partition("://")[2] if path else node["original_file_path"])
    if (not path and kind != "source") or not file.is_file():
        return {}
    data = read_yaml(file)
    if kind == "source":
        tables = [
            table
            for source in data.get("sources") or ()
            if source.get("name") == node["source_name"]
            for table in source.get("tables") or ()
        ]
        return next((each for each in tables if each.get("name") == node["name"]), {})
    return next((e for e in data.get(f"{kind}s") or () if e.get("name") == node["name"]), {})


def read_text(file: Path) -> str:
    """Return the text of a file. Empty if it does not exist. Raises Cannot if it is unreadable."""
    try:
        with file.open(encoding="utf-8", newline="") as text:
            return text.read()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise Cannot(f"{file} cannot be read: {error}") from None


def read_yaml(file: Path) -> dict[str, Any]:
    """Return the content of a yml file. Empty if it does not exist or is not valid YAML."""
    try:
        data = yaml.safe_load(read_text(file))
    except yaml.YAMLError:
        return {}
    return data if isinstance(data, dict) else {}


def _models(file: Path) -> list[str]:
    return [str(each.get("name")) for each in read_yaml(file).get("models") or ()]
