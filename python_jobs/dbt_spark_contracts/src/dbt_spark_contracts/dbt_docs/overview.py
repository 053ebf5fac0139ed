"""Adds counts, freshness and a picture to the first page of `dbt docs`.

They are computed when the docs are generated, from dbt's artifacts: the manifest, the catalog, and
the results of the last `dbt source freshness`. They are inserted below the title of the project's
own overview.
"""

import base64
import re
from dataclasses import dataclass, field
from datetime import datetime
from graphlib import TopologicalSorter

from dbt_spark_contracts.dbt_docs.picture import picture

TABLES = ("model", "seed", "snapshot")
TESTS = ("test", "unit_test")
# dbt's name for the overview, in its page and its manifest.
OVERVIEW = "__overview__"
# The counts are between these two lines. Markdown does not show them. (dbt's page shows HTML
# comments.)
_BEGIN, _END = "[//]: # (counted)", "[//]: # (as written)"


@dataclass
class Layer:
    """The tables of one schema, or the sources of one name, or the exposures.

    Attributes:
        kind: `source`, `schema` or `exposure`.
        name: Its name.
        rank: The length of the longest path to it in the graph.
        nodes: The unique ids of its nodes.
        columns: The number of their columns.
        tests: The number of their tests.
        rows: The number of their rows, or None if it is not known.
        written: When the newest of them was written, or empty if that is not known.
    """

    kind: str
    name: str
    rank: int = 0
    nodes: list[str] = field(default_factory=list)
    columns: int = 0
    tests: int = 0
    rows: int | None = 0
    written: str = ""


def add_to(manifest: dict, catalog: dict, freshness: dict) -> None:
    """Insert the counts into the docs blocks of a manifest.

    The overview gets counts, freshness and a picture. The page of a schema or of a folder of models
    (a docs block `__name__`) gets a list of its tables.

    Args:
        manifest: manifest.json. It is changed.
        catalog: catalog.json.
        freshness: sources.json, or empty if there is none.
    """
    project = manifest["metadata"]["project_name"]
    docs = manifest["docs"]
    overview = docs.get(f"doc.{project}.{OVERVIEW}") or docs.get(f"doc.dbt.{OVERVIEW}")
    found = layers(manifest, catalog)
    if overview and found:
        _begin_with(overview, markdown(manifest, catalog, freshness, found))
    for id, block in docs.items():
        page = re.fullmatch(rf"doc\.{re.escape(project)}\.__(.+)__", id)
        if page and (listed := tables_of(page[1], manifest, catalog)):
            _begin_with(block, listed)


def _begin_with(block: dict, counted: str) -> None:
    """Insert the counts into a docs block, below its title."""
    before, begin, rest = block["block_contents"].partition(_BEGIN)
    # With `--no-compile` the manifest has the previous counts.
    text = (before + rest.partition(_END)[2].lstrip() if begin else before).lstrip()
    title, line, rest = text.partition("\n") if text.startswith("# ") else ("", "", text)
    block["block_contents"] = f"{title}{line}\n{_BEGIN}\n\n{counted}\n{_END}\n\n{rest.lstrip()}"


def tables_of(page: str, manifest: dict, catalog: dict) -> str:
    """Return the tables of a schema or of a folder of models as Markdown. Empty without tables."""
    readers: dict[str, list[str]] = {}
    for exposure in manifest["exposures"].values():
        for id in exposure["depends_on"]["nodes"]:
            link = _link(exposure.get("label") or exposure["name"], "exposure", exposure)
            readers.setdefault(id, []).append(link)
    lines = []
    for id, node in sorted(manifest["nodes"].items()):
        own = node["package_name"] == manifest["metadata"]["project_name"]
        folder = node["fqn"][1] if len(node["fqn"]) > 2 else ""
        if own and _layer(node) and page in (node["config"].get("schema"), folder):
            stats = catalog["nodes"].get(id, {}).get("stats", {})
            rows = stats.get("rows", {}).get("value")
            cells = [
                _link(node["name"], node["resource_type"], node),
                _text(re.split(r"(?<=[.?!])\s|\n", node["description"].strip())[0]),
                "" if rows is None else f"{int(rows):,}",
                str(stats.get("written", {}).get("value", "")),
                ", ".join(readers.get(id, [])),
            ]
            lines.append(f"| {' | '.join(cells)} |")
    head = ["| table | what it is | rows | written, UTC | read by |", "|---|---|---:|---|---|"]
    return "\n".join([*head, *lines]) if lines else ""


def _link(name: str, kind: str, node: dict) -> str:
    return f"[{_text(name)}](#!/{kind}/{node['unique_id']})"


def layers(manifest: dict, catalog: dict) -> list[Layer]:
    """Return the layers from left to right: sources by name, tables by schema, exposures."""
    own = manifest["metadata"]["project_name"]
    parents = manifest["parent_map"]
    order = [*TopologicalSorter(parents).static_order()]
    depth: dict[str, int] = {}
    for id in order:
        depth[id] = 1 + max((depth[parent] for parent in parents.get(id, [])), default=-1)
    nodes = {**manifest["nodes"], **manifest["sources"], **manifest["exposures"]}
    found: dict[tuple[str, str], Layer] = {}
    of_node: dict[str, Layer] = {}
    for id, node in nodes.items():
        key = _layer(node) if node["package_name"] == own else None
        if not key:
            continue
        layer = of_node[id] = found.setdefault(key, Layer(*key))
        layer.nodes.append(id)
        layer.rank = max(layer.rank, depth.get(id, 0))
        known = {**catalog["nodes"], **catalog["sources"]}.get(id, {})
        layer.columns += len(known.get("columns") or node.get("columns") or {})
        stats = known.get("stats", {})
        rows = stats.get("rows", {}).get("value")
        layer.rows = None if layer.rows is None or rows is None else layer.rows + int(rows)
        newest = stats.get("written") or stats.get("newest") or {}
        layer.written = max(layer.written, str(newest.get("value", "")))
    for test in [*nodes.values(), *manifest.get("unit_tests", {}).values()]:
        if test["resource_type"] in TESTS and test["package_name"] == own:
            tested = [test.get("attached_node"), *test["depends_on"]["nodes"]]
            if layers_of := [of_node[id] for id in tested if id in of_node]:
                layers_of[0].tests += 1
    kinds = {"source": 0, "schema": 1, "exposure": 2}
    return sorted(found.values(), key=lambda layer: (kinds[layer.kind], layer.rank, layer.name))


def _layer(node: dict) -> tuple[str, str] | None:
    """Return the kind and the name of a node's layer, or None if it has no table."""
    if node["resource_type"] == "source":
        return "source", node["source_name"]
    if node["resource_type"] == "exposure":
        return "exposure", "exposures"
    has_table = node["resource_type"] in TABLES and node["config"]["materialized"] != "ephemeral"
    return ("schema", node["schema"]) if has_table else None


def markdown(manifest: dict, catalog: dict, freshness: dict, found: list[Layer]) -> str:
    """Return the counts, the picture and the freshness as Markdown."""
    schemas = [layer for layer in found if layer.kind == "schema"]
    counts = [
        _count(sum(len(layer.nodes) for layer in schemas), "table"),
        _count(sum(layer.columns for layer in schemas), "column"),
        _count(sum(layer.tests for layer in found), "test"),
    ]
    generated = datetime.fromisoformat(catalog["metadata"]["generated_at"].replace("Z", "+00:00"))
    drawn = picture([_box(layer) for layer in found], _arrows(manifest["parent_map"], found))
    encoded = base64.b64encode(drawn.encode()).decode()
    lines = [
        f"**{counts[0]}, {counts[1]}, {counts[2]}**, counted on {generated:%Y-%m-%d %H:%M} UTC",
        "",
        f"![The data flow](data:image/svg+xml;base64,{encoded})",
        "",
        "| schema | tables | columns | tests | rows | newest write, UTC |",
        "|---|---:|---:|---:|---:|---|",
    ]
    for layer in schemas:
        rows = "" if layer.rows is None else f"{layer.rows:,}"
        cells = [_text(layer.name), len(layer.nodes), layer.columns, layer.tests, rows]
        lines.append(f"| {' | '.join(map(str, cells))} | {layer.written} |")
    if judged := _freshness(manifest, catalog, freshness):
        lines += ["", "| source | newest, UTC | freshness |", "|---|---|---|", *judged]
    return "\n".join(lines)


def _freshness(manifest: dict, catalog: dict, freshness: dict) -> list[str]:
    """Return one line for each source with a known freshness."""
    judged = {each["unique_id"]: each for each in freshness.get("results", [])}
    lines = []
    for id, source in sorted(manifest["sources"].items()):
        stats = catalog["sources"].get(id, {}).get("stats", {})
        newest = str(stats.get("newest", {}).get("value", ""))
        told, verdict = judged.get(id, {}), "not checked yet: run `dbt source freshness`"
        if told.get("max_loaded_at"):
            newest = newest or told["max_loaded_at"][:16].replace("T", " ")
            verdict = f"{told['status']} on {told['snapshotted_at'][:16].replace('T', ' ')} UTC"
        if newest:
            name = _text(f"{source['source_name']}.{source['name']}")
            lines.append(f"| {name} | {newest} | {verdict} |")
    return lines


def _box(layer: Layer) -> list[str]:
    """Return the lines of a layer's box in the picture: its name, and its counts."""
    if layer.kind == "source":
        return [layer.name, _count(len(layer.nodes), "source"), layer.written]
    if layer.kind == "exposure":
        return ["readers", _count(len(layer.nodes), "exposure"), ""]
    return [layer.name, _count(len(layer.nodes), "table"), _count(layer.tests, "test")]


def _arrows(parents: dict[str, list[str]], found: list[Layer]) -> set[tuple[int, int]]:
    """Return which layer is read by which other layer, as pairs of positions."""
    place = {id: number for number, layer in enumerate(found) for id in layer.nodes}
    reads: set[tuple[int, int]] = set()
    for id in place:
        # Skip over nodes without a box: ephemeral models, and those of other packages.
        todo, seen = [*parents.get(id, [])], set()
        while todo:
            parent = todo.pop()
            if parent in place:
                reads.add((place[parent], place[id]))
            elif parent not in seen:
                seen.add(parent)
                todo += parents.get(parent, [])
    return {(left, right) for left, right in reads if left != right}


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _text(name: str) -> str:
    """Return a name escaped for Markdown."""
    return re.sub(r"[^\w .]", lambda found: f"&#{ord(found[0])};", name)
