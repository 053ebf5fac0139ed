"""The new texts of a project's yml files, and the messages about them."""

from dataclasses import dataclass, field
from pathlib import Path

from dbt_spark_contracts.cli.contract.yml.change import ModelChange
from dbt_spark_contracts.cli.contract.yml.file import changed
from dbt_spark_contracts.cli.contract.yml.place import read_text


@dataclass
class NewTexts:
    """The new texts of yml files.

    Attributes:
        root: The project's folder.
        told: Messages for the user.
        contradicted: What the ymls have in addition, and is kept. One line each.
        changes: The changes of models, by file.
    """

    root: Path
    told: list[str] = field(default_factory=list)
    contradicted: list[str] = field(default_factory=list)
    changes: dict[Path, list[ModelChange]] = field(default_factory=dict)

    def add(self, file: Path, change: ModelChange) -> None:
        """Add a change of a model in a file."""
        if change:
            self.changes.setdefault(file, []).append(change)

    def differing(self) -> dict[Path, tuple[str, str]]:
        """Return the files whose text changes, with the old and the new text.

        Raises:
            Cannot: If a file cannot be changed in place.
        """
        found = {}
        for file, of_file in self.changes.items():
            before = read_text(file)
            after = changed(self.name(file), before, of_file)
            if after != before:
                found[file] = (before, after)
        return found

    def name(self, file: Path) -> str:
        """Return a file's name for messages."""
        return file.relative_to(self.root).as_posix()
