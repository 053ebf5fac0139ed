"""OpenLineage's listener for Spark beside our column lineage, for this project's models.

    python -m tests.support.openlineage_models

builds a copy of the project with the listener, and prints each column for which the two differ.
Nothing is checkpointed: behind a checkpoint the listener sees nothing.
"""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import yaml
from dbt_spark_contracts.lineage.record import Derivation, read

from tests.support.openlineage_listener import (
    ROWS,
    Comparison,
    compared,
    inputs_by,
    inputs_of,
    lines,
    settings,
)
from tests.support.repository import Repository

BUILD = ("build", "--exclude-resource-type", "test", "unit_test")
VARIABLES = "{as_of_date: 2026-01-15}"


class Found(NamedTuple):
    """The comparison, and by model how many of its columns and rows we do not trace."""

    comparison: Comparison
    untraced: dict[str, int]


def compare(folder: Path) -> Found:
    """Build a copy of the project in the folder, and compare the inputs of the traced columns."""
    events = folder / "events.jsonl"
    copy = Repository(folder / "project")
    copy.change("dbt_project.yml", "    +checkpoint: true", "    +checkpoint: false")
    profiles = yaml.safe_load((copy.root / "profiles.yml").read_text(encoding="utf-8"))
    profiles["lakehouse"]["outputs"]["local"]["server_side_parameters"] |= settings(events)
    copy.write("profiles.yml", yaml.safe_dump(profiles))
    done = copy.python("dbt.cli.main", *BUILD, "--vars", VARIABLES)
    assert done.returncode == 0, done.stdout
    ours, untraced = {}, {}
    for unique_id, model in read(copy.root / "target/column_lineage.json").models.items():
        table = unique_id.rpartition(".")[2]
        parts: dict[str, Derivation] = {**model.columns, ROWS: model.rows}
        ours[table] = {name: inputs_of(part) for name, part in parts.items() if not part.untraced}
        untraced[table] = len(parts) - len(ours[table])
    return Found(compared(ours, inputs_by(events)), untraced)


def told(found: Found) -> Iterator[str]:
    """The comparison as lines of text."""
    yield from lines(found.comparison, "models")
    for table, number in found.untraced.items():
        if number:
            yield f"{table}: we do not trace {number} of its columns and rows"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        sys.stdout.writelines(f"{line}\n" for line in told(compare(Path(folder))))
