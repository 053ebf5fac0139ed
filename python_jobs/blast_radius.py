"""What a change touches, by the column lineage before and after it: columns of Gold, and exposures.

Read from the artifacts of two builds (dbt's manifest.json, and column_lineage.json beside it), of
which none needs any data.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path

from dbt_spark_contracts.lineage.artifact import short_name
from dbt_spark_contracts.lineage.record import FILE_NAME, Model, read
from dbt_spark_contracts.lineage.record import Column as RecordedColumn

# A column by its model's dbt id and its name.
Column = tuple[str, str]


@dataclass
class State:
    """A project as one build left it: dbt's manifest, and its models' lineage by their ids."""

    manifest: dict
    models: dict[str, Model]


@dataclass
class Touched:
    """What a change touches of one Gold model: which columns; whether its rows may be others."""

    model: str
    columns: list[str]
    by_rows: bool
    exposures: list[dict] = field(default_factory=list)


@dataclass
class BlastRadius:
    """Where a change is made, in words; what it touches in Gold; what could not be traced there."""

    changes: list[str]
    touched: list[Touched]
    untraced: list[str]


def read_state(folder: Path) -> State:
    """The artifacts of a build.

    Args:
        folder: dbt's target folder.

    Raises:
        FileNotFoundError: If the build left none, as one that failed.
        Unreadable: If the column lineage is broken, or of another version.
    """
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return State(manifest, read(folder / FILE_NAME).models)


def blast_radius(before: State, after: State) -> BlastRadius:
    """What is touched in Gold by what differs between two states."""
    columns, rows, changes = changed(before.models, after.models)
    columns, rows = spread(columns, rows, [before.models, after.models])
    touched = [
        Touched(
            short_name(model),
            [name for name in after.models[model].columns if (model, name) in columns],
            model in rows,
            exposures_of(model, after.manifest),
        )
        for model in gold(after)
        if model in rows or any(name == model for name, _ in columns)
    ]
    untraced = [
        f"{short_name(model)}.{name}: {', '.join(column.untraced)}"
        for model in gold(after)
        for name, column in after.models[model].columns.items()
        if column.untraced
    ]
    return BlastRadius(changes, touched, untraced)


def changed(
    before: dict[str, Model], after: dict[str, Model]
) -> tuple[set[Column], set[str], list[str]]:
    """Which columns are made in another way, and of which models the rows are chosen in another.

    In: the models' lineage before and after. Out: those columns and models, and each in words.
    """
    columns: set[Column] = set()
    rows: set[str] = set()
    words = []
    for model in sorted(before.keys() | after.keys()):
        name = short_name(model)
        if model not in before or model not in after:
            words.append(f"{name} is {'new' if model not in before else 'gone'}")
        old, new = (state.get(model, Model()).columns for state in (before, after))
        for column in [*old, *(column for column in new if column not in old)]:
            if how := difference(old.get(column), new.get(column)):
                columns.add((model, column))
                if model in before and model in after:
                    words.append(f"{name}.{column} {how}")
        if model in before and model in after:
            fingerprints = [state[model].rows.fingerprint for state in (before, after)]
            if fingerprints[0] != fingerprints[1]:
                rows.add(model)
                words.append(f"the rows of {name} are chosen in another way")
    return columns, rows, words


def difference(before: RecordedColumn | None, after: RecordedColumn | None) -> str:
    """How a column differs, in words; none if it does not. In: its lineage, or None."""
    if before is None or after is None:
        return "is new" if before is None else "is gone"
    if before.data_type != after.data_type:
        return f"is {after.data_type}, and was {before.data_type}"
    if before.fingerprint != after.fingerprint:
        return "is made in another way"
    return ""


def spread(
    columns: Iterable[Column], rows: Iterable[str], states: list[dict[str, Model]]
) -> tuple[set[Column], set[str]]:
    """All columns and models' rows that these ones reach, along the edges of either state."""
    columns, rows = set(columns), set(rows)
    before = (-1, -1)
    while before != (len(columns), len(rows)):
        before = (len(columns), len(rows))
        for model, lineage in (item for state in states for item in state.items()):
            for name, column in lineage.columns.items():
                if any((o.node, o.column) in columns for o in column.origins):
                    columns.add((model, name))
            by = lineage.rows.origins
            if any((o.node, o.column) in columns for o in by) or parents(lineage) & rows:
                rows.add(model)
    return columns, rows


def parents(lineage: Model) -> set[str]:
    """The nodes that a model's columns and rows come from."""
    parts = [*lineage.columns.values(), lineage.rows]
    return {origin.node for part in parts for origin in part.origins}


def gold(state: State) -> list[str]:
    """The models of Gold whose lineage is known."""
    nodes = state.manifest["nodes"]
    return [
        model for model in state.models if nodes.get(model, {}).get("fqn", ["", ""])[1] == "gold"
    ]


def exposures_of(model: str, manifest: dict) -> list[dict]:
    """The exposures that read a model, as dbt describes them, by name: dbt's order changes."""
    exposures = sorted(manifest["exposures"].values(), key=itemgetter("name"))
    return [exposure for exposure in exposures if model in exposure["depends_on"]["nodes"]]


def reader(exposure: dict) -> str:
    """An exposure and its owner, in words."""
    owner = exposure["owner"]
    return f"{exposure['name']} ({owner.get('name') or owner.get('email')})"


def report(radius: BlastRadius) -> Iterator[str]:
    """The lines of the report: Markdown that reads well on a terminal too."""
    yield "### What the change touches\n"
    yield from (f"- {change}" for change in radius.changes or ["nothing that a model computes"])
    if radius.changes and not radius.touched:
        yield "\nNo column of Gold, and no exposure."
    if radius.touched:
        yield "\n| Gold | columns | rows | read by |"
        yield "| --- | --- | --- | --- |"
    for touched in radius.touched:
        columns = ", ".join(touched.columns) or "none by itself"
        rows = "may be others" if touched.by_rows else "the same"
        readers = ", ".join(map(reader, touched.exposures)) or "no exposure"
        yield f"| {touched.model} | {columns} | {rows} | {readers} |"
    if radius.changes and radius.untraced:
        yield "\nNot traced, so it may be touched too:\n"
        yield from (f"- {column}" for column in radius.untraced)
