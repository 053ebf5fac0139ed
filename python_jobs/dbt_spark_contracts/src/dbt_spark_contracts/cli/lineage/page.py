"""The column graph of the whole project as one page that needs no network.

Python computes the layout (layout.py), and Cytoscape.js draws it. Project data is only in the page
as JSON, without any `<`, and page.js shows it as text, never as HTML. A content security policy
allows the page's own scripts, by their hashes, and nothing from outside.
"""

import base64
import hashlib
import json
from dataclasses import asdict
from html import escape
from pathlib import Path
from string import Template

from dbt_spark_contracts.cli.lineage.layout import HEAD, LETTER, ROW, Box, lay_out
from dbt_spark_contracts.cli.lineage.project import (
    COLUMN_KINDS,
    ROW_KINDS,
    Lineage,
    Node,
    Place,
    place_of,
)
from dbt_spark_contracts.lineage.record import Origin

HERE = Path(__file__).parent


def html(lineage: Lineage) -> str:
    """Return the page."""
    scripts = [part("vendor/cytoscape.min.js"), part("page.js")]
    return Template(part("page.html")).substitute(
        project=escape(lineage.project),
        policy=policy(scripts),
        style=part("page.css"),
        data=as_json(content(lineage)),
        cytoscape=scripts[0],
        script=scripts[1],
    )


def part(name: str) -> str:
    """Return a file of the page."""
    return (HERE / name).read_text(encoding="utf-8")


def policy(scripts: list[str]) -> str:
    """Return the content security policy: run these scripts, and fetch nothing."""
    digests = (hashlib.sha256(script.encode()).digest() for script in scripts)
    hashes = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    return f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src {hashes}"


def as_json(value: dict) -> str:
    """Return JSON that is safe in a script element: no character in it is special in HTML."""
    # A lone surrogate is not a character, and a browser could not put it into the address.
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    text = text.encode("utf-8", "replace").decode("utf-8")
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def content(lineage: Lineage) -> dict:
    """Return the page's data. Columns are referred to by number, nodes by position."""
    lanes, boxes = lay_out(lineage)
    places = [Place(node.id, name) for node in lineage.nodes.values() for name in node.columns]
    numbers = {place: number for number, place in enumerate(places)}
    order = {key: number for number, key in enumerate(lineage.nodes)}
    return {
        "project": lineage.project,
        "generated_at": lineage.generated_at,
        "row": ROW,
        "head": HEAD,
        "letter": LETTER,
        "words": COLUMN_KINDS | ROW_KINDS,
        "lanes": [asdict(lane) for lane in lanes],
        "nodes": [of_node(node, boxes[node.id], numbers, order) for node in lineage.nodes.values()],
        "exposures": [
            {
                "label": each.label,
                "kind": each.kind,
                "description": each.description,
                "reads": [order[key] for key in each.reads],
                **where(boxes[each.id]),
            }
            for each in lineage.exposures
        ],
    }


def of_node(node: Node, box: Box, numbers: dict[Place, int], order: dict[str, int]) -> dict:
    """Return a node in the format of the page's script."""
    return {
        "label": node.label,
        "kind": node.kind,
        "layer": node.layer,
        "relation": node.relation,
        "description": node.description,
        "changed": node.changed,
        **where(box),
        "sources": [order[key] for key in node.sources],
        "rows": {
            "origins": pairs(node.rows.origins, numbers),
            "untraced": [] if node.sources else node.rows.untraced,
        },
        "columns": [
            {
                "number": numbers[Place(node.id, column.name)],
                "name": column.name,
                "type": column.data_type,
                "description": column.description,
                "marks": column.marks,
                "untraced": [] if column.known else column.untraced,
                "known": column.known,
                "origins": pairs(column.origins, numbers),
            }
            for column in node.columns.values()
        ],
    }


def where(box: Box) -> dict[str, float]:
    """Return a box's corner and size."""
    return {"x": box.x, "y": box.y, "width": box.width, "height": box.height}


def pairs(origins: list[Origin], numbers: dict[Place, int]) -> list[list]:
    """Return origins as [column number, kind, field]."""
    return [[numbers[place_of(each)], each.kind, each.field] for each in origins]
