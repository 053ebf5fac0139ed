"""Which yml file holds a model's contract, or is to."""

from pathlib import Path
from typing import Any

import yaml

from dbt_spark_contracts.cli.contract.cannot import Cannot

# The usual names of a folder's own file, the first that is there.
USUAL = ("_{folder}__models", "_models", "models", "_schema", "schema", "_properties")


def file_of(root: Path, node: dict) -> Path:
    """The yml file of a model; where it has none, the one that dbt users would look for.

    That is the file of the model's own name, if its folder has such files; else the folder's one
    file of models, or its usual one; else `_<folder>__models.yml`, as dbt's style guide has it.

    Args:
        root: The project's folder.
        node: The model.
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
    """What a node's yml says of it, as it is written there; nothing, if it has none."""
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
    """The text of a file as it is; empty if it is not there. Raises Cannot if it cannot be read."""
    try:
        with file.open(encoding="utf-8", newline="") as text:
            return text.read()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise Cannot(f"{file} cannot be read: {error}") from None


def read_yaml(file: Path) -> dict[str, Any]:
    """What a yml file says; nothing, if it is not there or no YAML."""
    try:
        data = yaml.safe_load(read_text(file))
    except yaml.YAMLError:
        return {}
    return data if isinstance(data, dict) else {}


def _models(file: Path) -> list[str]:
    return [str(each.get("name")) for each in read_yaml(file).get("models") or ()]
