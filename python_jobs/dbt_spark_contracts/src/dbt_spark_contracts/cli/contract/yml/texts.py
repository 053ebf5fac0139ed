"""The texts that the yml files of a project get, and what is told of them."""

from dataclasses import dataclass, field
from pathlib import Path

from dbt_spark_contracts.cli.contract.yml.change import ModelChange
from dbt_spark_contracts.cli.contract.yml.file import changed
from dbt_spark_contracts.cli.contract.yml.place import read_text


@dataclass
class NewTexts:
    """The texts that yml files get.

    Attributes:
        root: The project's folder.
        told: What people should know, a line each.
        contradicted: What the ymls say otherwise and is left, a line each.
        changes: The changes of models, by the files.
    """

    root: Path
    told: list[str] = field(default_factory=list)
    contradicted: list[str] = field(default_factory=list)
    changes: dict[Path, list[ModelChange]] = field(default_factory=dict)

    def add(self, file: Path, change: ModelChange) -> None:
        """Let a file have a change of a model."""
        if change:
            self.changes.setdefault(file, []).append(change)

    def differing(self) -> dict[Path, tuple[str, str]]:
        """The files whose texts become others, with the text as it is and as it becomes.

        Raises:
            Cannot: One cannot be changed in place.
        """
        found = {}
        for file, of_file in self.changes.items():
            before = read_text(file)
            after = changed(self.name(file), before, of_file)
            if after != before:
                found[file] = (before, after)
        return found

    def name(self, file: Path) -> str:
        """What people call a file."""
        return file.relative_to(self.root).as_posix()
