"""Scaffolds a Gold model that builds at once: the model, its contract, and a unit test.

    uv run python -m python_jobs.new_gold_model gold_events_per_car --key car_chassis

It counts the events of each key. Then edit it: see docs/contracts.md. The exit code is 0, or 2 with
one line if nothing was written.
"""

import argparse
import json
import re
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
SILVER = "models/silver/_silver__models.yml"
EXPOSURES = "models/exposures.yml"
PARENT = "silver_car_telemetry"

MODEL = '''"""The number of events: one row per {keys}."""

from pyspark.sql import functions as F


def model(dbt, spark):
    return {function}(dbt.ref("{parent}"))


def {function}(events):
    """Return the number of events and the time of the newest event, per {keys}."""
    counted = events.groupBy({quoted}).agg(
        F.count("event_id").alias("event_count"),
        F.max("event_timestamp").alias("newest_event_at"),
    )
    return counted.select({quoted}, "event_count", "newest_event_at")
'''

YML = """version: 2

models:

  - name: {name}
    description: "The number of events. One row per {keys}."
    access: public
    constraints: [{{type: primary_key, columns: [{key_list}]}}]
    config:
      meta: {{newest_event: newest_event_at}}
    data_tests:
      - unique_combination:
          arguments:
            columns: [{key_list}]
    columns:
{key_columns}      - name: event_count
        data_type: bigint
        description: "The number of events."
        constraints: [{{type: not_null}}]
      - name: newest_event_at
        data_type: timestamp
        description: "The time of the newest event, UTC."

unit_tests:

  - name: {name}_counts_events
    description: Two events with the same key become one row.
    model: {name}
    given:
      - input: ref('{parent}')
        rows:
          - {{event_id: e1, event_timestamp: "2026-01-01 08:00:00"}}
          - {{event_id: e2, event_timestamp: "2026-01-02 08:00:00"}}
    expect:
      rows:
        - {{event_count: 2, newest_event_at: "2026-01-02 08:00:00"}}
"""

COLUMN = """      - name: {name}
        data_type: {data_type}
        description: {description}
"""
NOT_NULL = """        constraints: [{type: not_null}]
        data_tests: [not_null]
"""


class CannotWriteError(Exception):
    """The model cannot be written. The message is one line."""


def write(name: str, keys: list[str], exposure: str = "", root: Path = ROOT) -> list[Path]:
    """Write the files of a new Gold model.

    Args:
        name: The model's name, which begins with `gold_`.
        keys: The columns of Silver whose combinations are its rows.
        exposure: An existing exposure that reads it. Empty if there is none yet.
        root: The folder of the project.

    Returns:
        The files.

    Raises:
        CannotWriteError: If a Gold model cannot have that name or these keys.
    """
    if not re.fullmatch("gold_[a-z][a-z0-9_]*", name):
        raise CannotWriteError(
            f"{name} is not a valid name for a Gold model: gold_, then a-z, 0-9 and _"
        )
    there = sorted(file for file in root.glob("models/**/*") if file.stem == name)
    if there:
        raise CannotWriteError(f"{there[0].relative_to(root)} already exists: choose another name")
    columns = [_column(key, root) for key in keys]
    if exposure:
        text = (root / EXPOSURES).read_text(encoding="utf-8")
        exposures = _with_reader(text, exposure, name)
    words = {
        "name": name,
        "function": name.removeprefix("gold_"),
        "parent": PARENT,
        "keys": ", ".join(keys),
        "quoted": ", ".join(f'"{key}"' for key in keys),
        "key_list": ", ".join(keys),
        "key_columns": "".join(columns),
    }
    files = {f"{name}.py": MODEL.format(**words), f"{name}.yml": YML.format(**words)}
    written = [root / "models" / "gold" / file for file in files]
    for file, text in zip(written, files.values(), strict=True):
        file.write_text(text, encoding="utf-8")
    if exposure:
        (root / EXPOSURES).write_text(exposures, encoding="utf-8")
        written.append(root / EXPOSURES)
    return written


def _with_reader(text: str, exposure: str, name: str) -> str:
    """Return the exposures' file, with the model added to what an exposure reads."""
    known = [each["name"] for each in yaml.safe_load(text)["exposures"]]
    if exposure not in known:
        raise CannotWriteError(f"{EXPOSURES} has no {exposure}: it has {', '.join(known)}")
    lines = text.splitlines(keepends=True)
    here = lines.index(f"  - name: {exposure}\n")
    listed = lines.index("    depends_on:\n", here) + 1
    while listed < len(lines) and lines[listed].startswith("      - "):
        listed += 1
    lines.insert(listed, f"      - ref('{name}')\n")
    return "".join(lines)


def _column(name: str, root: Path) -> str:
    """Return the contract's lines about a key, copied from Silver's contract."""
    models = yaml.safe_load((root / SILVER).read_text(encoding="utf-8"))["models"]
    [silver] = [model for model in models if model["name"] == PARENT]
    column = {column["name"]: column for column in silver["columns"]}.get(name)
    if column is None:
        raise CannotWriteError(f"{PARENT} has no column {name}: see {SILVER}")
    if column.get("config", {}).get("meta"):
        raise CannotWriteError(f"{name} is marked in {SILVER}: it stays in Silver")
    lines = COLUMN.format(**{**column, "description": json.dumps(column["description"])})
    is_required = {"type": "not_null"} in column.get("constraints", [])
    return lines + NOT_NULL if is_required else lines


def main(arguments: list[str] | None = None) -> int:
    """Write the model, and print the next steps."""
    parser = argparse.ArgumentParser(
        prog="python -m python_jobs.new_gold_model",
        description="Scaffold a Gold model that builds at once: model, contract and unit test.",
    )
    parser.add_argument("name", help="the model's name, such as gold_events_per_car")
    parser.add_argument(
        "--key",
        nargs="+",
        default=["car_chassis"],
        help=f"columns of {PARENT}: the model has one row per combination (default: car_chassis)",
    )
    parser.add_argument(
        "--exposure", default="", help=f"who reads it: an exposure in {EXPOSURES}, which is updated"
    )
    options = parser.parse_args(arguments)
    try:
        written = write(options.name, options.key, options.exposure)
    except CannotWriteError as error:
        print(error, file=sys.stderr)
        return 2
    print(*(file.relative_to(ROOT) for file in written), sep="\n")
    print(f"Build and test it: uv run dbt build -s {options.name}")
    if not options.exposure:
        print(f"Then declare its readers in {EXPOSURES}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
