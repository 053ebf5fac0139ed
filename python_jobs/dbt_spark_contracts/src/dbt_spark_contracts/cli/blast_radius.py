"""The reach of a change: columns of Gold, and exposures.

It compares the column lineage of two builds without data (column_lineage.json next to dbt's
manifest.json), and adds the differences that no plan shows. For a model without known lineage it
follows dbt's graph, where all columns count.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dbt_spark_contracts.cli.check_pull_request.changes.change import Change, Reach
from dbt_spark_contracts.cli.check_pull_request.exposures import columns_read, reader, readers
from dbt_spark_contracts.cli.check_pull_request.manifest import Manifest, parents
from dbt_spark_contracts.cli.check_pull_request.text import cell, inline
from dbt_spark_contracts.lineage.artifact import short_name
from dbt_spark_contracts.lineage.record import FILE_NAME, Derivation, Model, Unreadable, read
from dbt_spark_contracts.lineage.record import Column as RecordedColumn

# A column: its model's dbt id, and its name.
Column = tuple[str, str]

# The layer that readers use. In a project without it, any model may have readers.
GOLD = "gold"


NO_PLAN_SHOWS = "the plan of a first build does not show the difference"


@dataclass
class State:
    """A project after a build.

    Attributes:
        manifest: dbt's manifest.
        models: The models' lineage by their ids. Empty if nothing was built.
    """

    manifest: Manifest
    models: dict[str, Model]


@dataclass
class Touched:
    """What a change touches in one model.

    Attributes:
        model: Its display name.
        columns: The touched columns, with removed ones marked.
        by_rows: Whether its rows may change.
        exposures: The exposures that read it, as in dbt's manifest.
        is_traced: Whether its lineage, and so its columns, are known.
        moves: Whether its name changes.
    """

    model: str
    columns: list[str]
    by_rows: bool
    exposures: list[dict] = field(default_factory=list)
    is_traced: bool = True
    moves: bool = False


@dataclass
class BlastRadius:
    """What a change touches.

    Attributes:
        changes: The changes, in words.
        touched: What they touch.
        untraced: What could not be traced there.
        layer: Gold, or "model" if the project has no such layer.
    """

    changes: list[str]
    touched: list[Touched]
    untraced: list[str]
    layer: str = "Gold"


def read_lineage(folder: Path) -> dict[str, Model]:
    """Return the lineage of a build's models by their ids. Empty if it is missing or unreadable."""
    try:
        return read(folder / FILE_NAME).models
    except (FileNotFoundError, Unreadable):
        return {}


def blast_radius(
    before: State,
    after: State,
    changes: Collection[Change] = (),
    proven: Collection[str] = (),
) -> BlastRadius:
    """Find what the difference between two states touches in Gold.

    Args:
        before: The state without the change.
        after: The state with the change.
        changes: Differences that the lineage does not show.
        proven: The ids of models whose code changed, but whose plan is proven to be the same.

    Returns:
        The touched models, with the changes.
    """
    columns, rows, words = changed(before, after, proven)
    whole, more, unseen = _not_shown(changes, {*proven}, before, after, columns, rows)
    columns, rows, whole = spread(columns | more, rows | whole, [before, after], whole)
    moved = {key for each in changes for key, how in each.reaches.items() if how is Reach.NAME}
    touched = []
    for model in gold(after):
        names = _touched_columns(model, columns, whole, before, after)
        if not names and model not in rows | whole | moved:
            continue
        plain = {name.partition(" (")[0].lower() for name in names}
        is_whole = model in rows | whole | moved
        touched.append(
            Touched(
                short_name(model),
                names,
                model in rows,
                [
                    exposure
                    for exposure in readers(after.manifest, [model])
                    if is_whole or not (own := columns_read(exposure, model)) or plain & {*own}
                ],
                model in after.models,
                model in moved,
            )
        )
    untraced = [
        f"{short_name(model)}.{name}: {', '.join(column.untraced)}"
        for model in gold(after)
        if model in after.models
        for name, column in after.models[model].columns.items()
        if column.untraced
    ]
    untraced += [f"{short_name(model)}: {NO_PLAN_SHOWS}" for model in sorted(unseen)]
    layer = "Gold" if _has_gold(after.manifest) else "model"
    return BlastRadius([*(each.text for each in changes), *words], touched, untraced, layer)


def changed(
    before: State, after: State, proven: Collection[str] = ()
) -> tuple[set[Column], set[str], list[str]]:
    """Find the columns and rows that are computed in a different way.

    Args:
        before: The state without the change.
        after: The state with the change.
        proven: The models whose plan is proven to be the same.

    Returns:
        The columns, the models whose rows changed, and each change in words. Models that were not
        built are left out.
    """
    columns: set[Column] = set()
    rows: set[str] = set()
    words = []
    for model in sorted((before.models.keys() | after.models.keys()) - {*proven}):
        name = short_name(model)
        is_new, is_gone = model not in before.models, model not in after.models
        if is_new or is_gone:
            other = before if is_new else after
            if model in other.manifest.nodes:
                continue  # it failed to build in that state
            words.append(f"{name} is {'new' if is_new else 'gone'}")
        old, new = (state.models.get(model, Model()).columns for state in (before, after))
        for column in [*old, *(column for column in new if column not in old)]:
            if how := difference(old.get(column), new.get(column)):
                columns.add((model, column))
                if not is_new and not is_gone:
                    words.append(f"{name}.{column} {how}")
        if not is_new and not is_gone:
            fingerprints = [state.models[model].rows.fingerprint for state in (before, after)]
            if fingerprints[0] != fingerprints[1]:
                rows.add(model)
                words.append(f"the rows of {name} are selected differently")
    return columns, rows, words


def difference(before: RecordedColumn | None, after: RecordedColumn | None) -> str:
    """Return how the lineage of a column differs, in words. Empty if it does not."""
    if before is None or after is None:
        return "is new" if before is None else "is gone"
    if before.data_type != after.data_type:
        return f"is {after.data_type}, and was {before.data_type}"
    if before.fingerprint != after.fingerprint:
        return "is computed differently"
    return ""


def spread(
    columns: Iterable[Column],
    rows: Iterable[str],
    states: list[State],
    whole: Iterable[str] = (),
) -> tuple[set[Column], set[str], set[str]]:
    """Follow these columns, rows and whole models along the edges of both states."""
    columns, rows, whole = set(columns), set(rows), set(whole)
    size = -1
    while size != len(columns) + len(rows) + len(whole):
        size = len(columns) + len(rows) + len(whole)
        for state in states:
            for model, lineage in state.models.items():
                for name, column in lineage.columns.items():
                    if _is_reached(column, columns, whole):
                        columns.add((model, name))
                if _is_reached(lineage.rows, columns, whole) or _parents(lineage) & rows:
                    rows.add(model)
            for model in _without_lineage(state):
                reached = rows | whole | {node for node, _ in columns}
                if parents(state.manifest.nodes[model]) & reached:
                    whole.add(model)
                    rows.add(model)
    return columns, rows, whole


def _not_shown(
    changes: Iterable[Change],
    proven: set[str],
    before: State,
    after: State,
    columns: set[Column],
    rows: set[str],
) -> tuple[set[str], set[Column], set[str]]:
    """Return what the changes touch besides what the lineage shows.

    Returns:
        Nodes as a whole, columns, and nodes whose query changed although no plan shows it. For
        example, an incremental model may differ in later runs, and another model by a var.
    """
    shown = rows | {model for model, _ in columns}
    whole: set[str] = set()
    more: set[Column] = set()
    unseen: set[str] = set()
    for change in changes:
        for key, reach in change.reaches.items():
            is_traced = key in before.models and key in after.models
            if reach is Reach.ALL and change.columns is not None:
                more |= {(key, name) for name in change.columns}
            elif reach is Reach.ALL or (reach is Reach.PLAN and not is_traced):
                whole.add(key)
            elif reach is Reach.QUERY and key not in proven:
                hidden = _hidden(after.models.get(key, Model()))
                more |= {(key, name) for name in hidden}
                if not is_traced:
                    whole.add(key)
                elif key not in shown and not hidden:
                    unseen.add(key)
    return whole, more, unseen


def _hidden(lineage: Model) -> list[str]:
    """Return the columns that the plan does not trace, such as those from a Python function."""
    return [name for name, column in lineage.columns.items() if column.untraced]


def _touched_columns(
    model: str, columns: set[Column], whole: set[str], before: State, after: State
) -> list[str]:
    """Return the model's touched columns, with removed ones marked."""
    old, new = (list(state.models.get(model, Model()).columns) for state in (before, after))
    now = [name for name in new if model in whole or (model, name) in columns]
    gone = [name for name in old if name not in new and model in after.models]
    return [*now, *(f"{name} (gone)" for name in gone)]


def _is_reached(made: Derivation, columns: set[Column], whole: set[str]) -> bool:
    return any(
        origin.node in whole or (origin.node, origin.column) in columns for origin in made.origins
    )


def _parents(lineage: Model) -> set[str]:
    """Return the nodes that a model's columns and rows come from."""
    parts: list[Derivation] = [*lineage.columns.values(), lineage.rows]
    return {origin.node for part in parts for origin in part.origins}


def _without_lineage(state: State) -> list[str]:
    """Return the models and snapshots whose inputs only dbt's graph shows."""
    nodes = state.manifest.nodes
    return [key for key in _models(nodes) if key not in state.models and parents(nodes[key])]


def _models(nodes: dict[str, dict]) -> list[str]:
    kinds = ("model", "snapshot")
    return [key for key, node in nodes.items() if node["resource_type"] in kinds]


def _has_gold(manifest: Manifest) -> bool:
    return any(_is_gold(manifest.nodes[model]) for model in _models(manifest.nodes))


def _is_gold(node: dict) -> bool:
    return [*node.get("fqn", []), "", ""][1] == GOLD


def gold(state: State) -> list[str]:
    """Return the models of Gold, or all models of a project without that folder."""
    nodes = state.manifest.nodes
    every = _models(nodes)
    return sorted([model for model in every if _is_gold(nodes[model])] or every)


def report(radius: BlastRadius) -> Iterator[str]:
    """Yield the lines of the report, in Markdown that is also readable on a terminal."""
    yield "### What the change touches\n"
    nothing = ["nothing that a model computes"]
    yield from (f"- {inline(change)}" for change in radius.changes or nothing)
    if radius.changes and not radius.touched:
        yield f"\nNo {'column of Gold' if radius.layer == 'Gold' else 'model'}, and no exposure."
    if radius.touched:
        yield f"\n| {radius.layer} | columns | rows | read by |"
        yield "| --- | --- | --- | --- |"
    for touched in radius.touched:
        columns = ", ".join(map(cell, touched.columns))
        if touched.moves:
            columns = f"{columns} (the table moves)" if columns else "the table moves"
        elif not columns:
            columns = "none by itself" if touched.is_traced else "any: no plan was read"
        rows = "may be others" if touched.by_rows else "the same"
        who = ", ".join(cell(reader(each)) for each in touched.exposures) or "no exposure"
        yield f"| {cell(touched.model)} | {columns} | {rows} | {who} |"
    if radius.changes and radius.untraced:
        yield "\nNot traced, so possibly touched, too:\n"
        yield from (f"- {inline(column)}" for column in radius.untraced)
