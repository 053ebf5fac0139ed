"""The recorded column lineage of a build, combined with dbt's manifest."""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from dbt_spark_contracts.lineage import record
from dbt_spark_contracts.lineage.places import said, words
from dbt_spark_contracts.lineage.record import Column, Derivation, Origin

# The manifest version of dbt 1.8 and later.
MANIFEST_VERSION = "https://schemas.getdbt.com/dbt/manifest/v12.json"
# The key in a model's meta for columns that may be untraced, with the reasons.
ALLOWED = "untraced_allowed"
NOT_RECORDED = "the model was not built at the time of the recording"
NOT_A_COLUMN = "not a recorded column of this model"

# How a column depends on another, and a model's rows on a column, in words.
COLUMN_KINDS = {
    "copy": "copy of",
    "computed": "computed from",
    "aggregated": "aggregated from",
    "condition": "decided by",
    "window": "in a window over",
}
ROW_KINDS = {
    "filter": "filtered by",
    "join": "joined on",
    "group": "grouped by",
    "sort": "sorted by",
}


class CannotShow(Exception):
    """The lineage cannot be shown. The message is one line, with the way out."""


class Place(NamedTuple):
    """A column of a node: of a model, a seed, or a source."""

    node: str
    column: str


def place_of(origin: Origin) -> Place:
    """Return the column of an origin."""
    return Place(origin.node, origin.column)


@dataclass
class NodeColumn(Column):
    """A recorded column, with its name and its contract.

    Attributes:
        name: Its name.
        description: Its description, in one line.
        marks: Its marks.
        known: Why its origin is known although Spark's plan does not show it: the reason
            that the model's meta gives for it.
    """

    name: str = ""
    description: str = ""
    marks: list[str] = field(default_factory=list)
    known: str = ""


@dataclass
class Node:
    """A model, a seed, a source or a table unknown to dbt, with its columns."""

    id: str
    label: str
    kind: str
    layer: str
    relation: str
    description: str = ""
    columns: dict[str, NodeColumn] = field(default_factory=dict)
    rows: Derivation = field(default_factory=Derivation)
    reads: list[str] = field(default_factory=list)  # nodes, according to dbt
    checksum: str = ""
    changed: bool = False  # whether the model's file has changed since
    reasons: dict[str, str] = field(default_factory=dict)  # meta untraced_allowed, by column
    sources: list[str] = field(
        default_factory=list
    )  # sources that its code reads: see `known_roots`


@dataclass
class Exposure:
    """An exposure. `reads` are the ids of nodes."""

    id: str
    label: str
    kind: str
    description: str
    reads: list[str]


@dataclass
class Lineage:
    """The project's columns and their origins. `nodes` are by id."""

    project: str
    generated_at: str
    recorded: set[str]
    nodes: dict[str, Node]
    exposures: list[Exposure]

    def column(self, place: Place) -> NodeColumn:
        """Return the column at a place, which comes from `find` or an origin."""
        return self.nodes[place.node].columns[place.column]

    def name(self, place: Place) -> str:
        """Return model.column, for display."""
        return f"{self.nodes[place.node].label}.{place.column}"

    @cached_property
    def uses(self) -> dict[Place, list[tuple[Place, Origin]]]:
        """Return, for each place, the places that depend on it, and how."""
        found = defaultdict(list)
        for node in self.nodes.values():
            for column in node.columns.values():
                for origin in column.origins:
                    found[place_of(origin)].append((Place(node.id, column.name), origin))
        return found

    @cached_property
    def row_uses(self) -> dict[Place, list[tuple[str, Origin]]]:
        """Return, for each place, the nodes whose rows it selects, and how."""
        found = defaultdict(list)
        for node in self.nodes.values():
            for origin in node.rows.origins:
                found[place_of(origin)].append((node.id, origin))
        return found

    @cached_property
    def readers(self) -> dict[str, set[str]]:
        """Return, for each node, its readers, according to the record and to dbt."""
        found = defaultdict(set)
        for node in self.nodes.values():
            for read in [*node.reads, *(origin.node for origin in all_origins(node))]:
                found[read].add(node.id)
        return found

    def find(self, name: str) -> Place:
        """Find the column with a name like model.column, source.table.column or seed.column.

        A node may also be given by its dbt unique_id or its relation. Case is ignored, as in Spark.

        Raises:
            CannotShow: If there is none. The message suggests similar names.
        """
        nodes = {}
        for each in self.nodes.values():
            for called in (each.relation, each.id, each.label):
                nodes[called.lower()] = each
        asked = name.lower()
        # The longest node first: a part of its name may be a node as well.
        cuts = [at for at, letter in enumerate(asked) if letter == "."][::-1]
        node = next((nodes[asked[:at]] for at in cuts if asked[:at] in nodes), None)
        if node is None:
            labels = [node.label for node in self.nodes.values()]
            if asked in nodes:
                example = next(iter(nodes[asked].columns), "column")
                raise CannotShow(f"{name} has columns: choose one, as in {name}.{example}")
            if not cuts:
                raise CannotShow(f"{name} is not a column: write model.column{close(name, labels)}")
            model = name[: cuts[0]]
            raise CannotShow(f"no model, seed or source is named {model}{close(model, labels)}")
        cut = next(at for at in cuts if nodes.get(asked[:at]) is node)
        columns = {column.lower(): column for column in node.columns}
        column = name[cut + 1 :]
        if column.lower() not in columns:
            raise CannotShow(f"{node.label} has no column {column}{close(column, node.columns)}")
        return Place(node.id, columns[column.lower()])


def close(name: str, names: Iterable[str]) -> str:
    """Return the end of an error message: the names similar to `name`, or else all names."""
    names = list(names)
    like = get_close_matches(name, names, 3, 0.5) or [each for each in names if name in each][:3]
    if like:
        return f": did you mean {' or '.join(like)}?"
    some = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
    return f": there is {some}" if names else ""


def all_origins(node: Node) -> list[Origin]:
    """Return the origins of a node's columns and of its rows."""
    columns = (origin for column in node.columns.values() for origin in column.origins)
    return [*columns, *node.rows.origins]


def read(target: Path) -> Lineage:
    """Return the lineage that the last build recorded.

    Args:
        target: dbt's target folder.

    Raises:
        CannotShow: If it has no artifacts, or they cannot be read.
    """
    file = target / record.FILE_NAME
    try:
        recorded = record.read(file)
    except FileNotFoundError:
        raise CannotShow(f"there is no {file}: run `dbt build` first") from None
    except record.Unreadable as error:
        raise CannotShow(str(error)) from None
    manifest = read_manifest(target / "manifest.json")
    nodes = {}
    for of_dbt in known_to_dbt(manifest):
        node = described(of_dbt)
        nodes[node.id] = node
    make_labels_unique(nodes)
    for key, model in recorded.models.items():
        # A removed model has no entry in the manifest.
        label = key.split(".", 2)[-1]
        gone = Node(key, label, "model", "gone", "", checksum=model.checksum)
        add_record(nodes.setdefault(key, gone), model)
    for node in nodes.values():
        if node.kind in ("model", "snapshot") and node.id not in recorded.models:
            node.rows.untraced = [NOT_RECORDED]
            for column in node.columns.values():
                column.untraced = [NOT_RECORDED]
    for origin in [origin for node in list(nodes.values()) for origin in all_origins(node)]:
        add_place(nodes, place_of(origin))
    for node in nodes.values():
        known_roots(node, nodes)
    return Lineage(
        recorded.metadata.project_name,
        recorded.metadata.generated_at,
        set(recorded.models),
        nodes,
        [exposure(each, nodes) for each in manifest["exposures"].values()],
    )


def read_manifest(file: Path) -> dict:
    """Read dbt's manifest.

    Args:
        file: The file.

    Returns:
        The manifest.

    Raises:
        CannotShow: If it does not exist, is broken, or of another version.
    """
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CannotShow(f"there is no {file}: run `dbt build` first") from None
    except (OSError, ValueError, RecursionError) as error:
        raise CannotShow(f"{file} is broken ({error}): run `dbt build`") from None
    metadata = manifest.get("metadata") if isinstance(manifest, dict) else None
    version = metadata.get("dbt_schema_version") if isinstance(metadata, dict) else None
    if version != MANIFEST_VERSION:
        raise CannotShow(
            f"{file} is {version or 'not a manifest'}, but {MANIFEST_VERSION} is required: "
            "run `dbt build` with the dbt of this project"
        )
    return manifest


def known_to_dbt(manifest: dict) -> list[dict]:
    """Return the manifest's nodes with tables: models, seeds, snapshots, sources."""
    tables = [
        node
        for node in manifest["nodes"].values()
        if node["resource_type"] in ("model", "seed", "snapshot")
        and node["config"].get("materialized") != "ephemeral"
    ]
    return tables + list(manifest["sources"].values())


def described(of_dbt: dict) -> Node:
    """Return a node of dbt, without the recorded lineage."""
    columns = {
        column["name"]: NodeColumn(
            data_type=column.get("data_type") or "",
            name=column["name"],
            description=" ".join((column.get("description") or "").split()),
            marks=_marks(meta(column)),
        )
        for column in of_dbt["columns"].values()
    }
    return Node(
        of_dbt["unique_id"],
        label(of_dbt),
        of_dbt["resource_type"],
        layer(of_dbt),
        (of_dbt.get("relation_name") or label(of_dbt)).replace("`", ""),
        (of_dbt.get("description") or "").strip(),
        columns,
        reads=(of_dbt.get("depends_on") or {}).get("nodes", []),
        checksum=(of_dbt.get("checksum") or {}).get("checksum", ""),
        reasons=allowed if isinstance(allowed := meta(of_dbt).get(ALLOWED), dict) else {},
    )


def _marks(told: dict) -> list[str]:
    """Return the marks in a column's meta: each key that is true, and where it stays."""
    stays = said({"meta": told}) if words({"meta": told}) else ""
    return [*(mark for mark, value in told.items() if value is True), *filter(None, [stays])]


def meta(of_dbt: dict) -> dict:
    """Return the meta of a node or a column. dbt has it in two places."""
    return {**(of_dbt.get("meta") or {}), **((of_dbt.get("config") or {}).get("meta") or {})}


def label(of_dbt: dict) -> str:
    """Return the display name of a node: model, model.v2, source.table."""
    if of_dbt["resource_type"] == "source":
        return f"{of_dbt['source_name']}.{of_dbt['name']}"
    version = of_dbt.get("version")
    return of_dbt["name"] if version is None else f"{of_dbt['name']}.v{version}"


def layer(of_dbt: dict) -> str:
    """Return the layer of a node: its schema, or else its folder, or its kind."""
    if of_dbt["resource_type"] == "source":
        return "sources"
    folders = of_dbt["fqn"][1:-1]
    return of_dbt["config"].get("schema") or (folders or [f"{of_dbt['resource_type']}s"])[0]


def make_labels_unique(nodes: dict[str, Node]) -> None:
    """Rename nodes of different packages with the same name to package.name."""
    same = defaultdict(list)
    for node in nodes.values():
        same[node.label].append(node)
    for node in [node for alike in same.values() if len(alike) > 1 for node in alike]:
        node.label = f"{node.id.split('.')[1]}.{node.label}"


def add_record(node: Node, model: record.Model) -> None:
    """Add the recorded lineage to a node. Its columns become the recorded ones, in that order."""
    contract, node.columns = node.columns, {}
    for name, recorded in model.columns.items():
        column = node.columns[name] = contract.get(name) or NodeColumn(name=name)
        column.data_type = recorded.data_type
        column.origins = recorded.origins
        column.untraced = recorded.untraced
    node.relation = model.relation_name.replace("`", "")
    node.rows = model.rows
    node.changed = model.checksum != node.checksum


def known_roots(node: Node, nodes: dict[str, Node]) -> None:
    """Mark the columns of a node that its own code reads from sources.

    Such a node reads sources alone, and its yml gives the reason why a column that no plan shows
    may pass. Of another, or without the reason, a column that is not traced is not known.
    """
    if not node.reads or any(nodes[key].kind != "source" for key in node.reads if key in nodes):
        return
    reasons = {name.lower(): reason for name, reason in node.reasons.items()}
    for column in node.columns.values():
        if column.untraced and not column.origins:
            column.known = str(reasons.get(column.name.lower(), ""))
    if any(column.known for column in node.columns.values()):
        node.sources = [key for key in node.reads if key in nodes]


def add_place(nodes: dict[str, Node], place: Place) -> None:
    """Create an origin's node and column if missing: a table unknown to dbt, a seed's column."""
    table = Node(place.node, place.node, "table", "sources", place.node)
    node = nodes.setdefault(place.node, table)
    if place.column not in node.columns:
        reason = [NOT_A_COLUMN] if node.kind in ("model", "snapshot") else []
        node.columns[place.column] = NodeColumn(untraced=reason, name=place.column)


def exposure(of_dbt: dict, nodes: dict[str, Node]) -> Exposure:
    """Return an exposure, with those of the nodes that it reads."""
    return Exposure(
        of_dbt["unique_id"],
        of_dbt.get("label") or of_dbt["name"],
        of_dbt["type"],
        (of_dbt.get("description") or "").strip(),
        [key for key in of_dbt["depends_on"]["nodes"] if key in nodes],
    )
