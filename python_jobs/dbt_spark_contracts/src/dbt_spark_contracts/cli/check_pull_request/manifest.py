"""dbt's manifest.json, as the check reads it."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from dbt_spark_contracts.lineage.artifact import short_name

# Resource types that hold or compute rows. Tests, hooks and analyses do not.
HOLDERS = ("model", "snapshot", "seed", "source", "function")


@dataclass(frozen=True)
class Manifest:
    """One state of the project.

    Attributes:
        raw: The content of manifest.json.
    """

    raw: dict

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Read the manifest in a target folder."""
        return cls(json.loads((folder / "manifest.json").read_text(encoding="utf-8")))

    @property
    def project(self) -> str:
        """The name of the project."""
        return self.raw["metadata"]["project_name"]

    @cached_property
    def nodes(self) -> dict[str, dict]:
        """Models, snapshots, seeds, sources and functions, by unique id."""
        every = {**self.raw["nodes"], **self.raw["sources"], **self.raw.get("functions", {})}
        return {key: node for key, node in every.items() if node["resource_type"] in HOLDERS}

    @cached_property
    def tests(self) -> dict[str, dict]:
        """Data tests and unit tests, by unique id."""
        nodes = self.raw["nodes"]
        tests = {key: node for key, node in nodes.items() if node["resource_type"] == "test"}
        return {**tests, **(self.raw.get("unit_tests") or {})}

    @property
    def hooks(self) -> dict[str, dict]:
        """The hooks at the start and end of a command."""
        nodes = self.raw["nodes"]
        return {key: node for key, node in nodes.items() if node["resource_type"] == "operation"}

    @property
    def macros(self) -> dict[str, dict]:
        """All macros, including those of packages."""
        return self.raw["macros"]

    @property
    def exposures(self) -> dict[str, dict]:
        """The exposures."""
        return self.raw["exposures"]

    def downstream(self, of: Iterable[str]) -> set[str]:
        """Return the nodes that read these ones directly or indirectly, without these ones."""
        begun = set(of)
        found: set[str] = set()
        reached = begun
        while reached:
            reached = {
                key
                for key, node in self.nodes.items()
                if key not in found and parents(node) & reached
            }
            found |= reached
        return found - begun


def parents(node: dict) -> set[str]:
    """Return the unique ids that a node depends on."""
    return set((node.get("depends_on") or {}).get("nodes") or ())


def names(of: Iterable[str]) -> str:
    """Return the display names of these nodes, in one text."""
    return ", ".join(sorted(map(short_name, of)))


def file_of(node: dict) -> str:
    """Return the file of the project that defines a node."""
    return node.get("original_file_path") or ""
