"""The overview page of any project's `dbt docs` begins with counts, freshness and a picture."""

import base64
import copy
import re
from xml.etree import ElementTree

import pytest
from dbt_spark_contracts.dbt_docs.overview import _arrows, add_to, layers
from dbt_spark_contracts.dbt_docs.picture import picture

pytestmark = pytest.mark.quick


def node(kind: str, name: str, schema: str = "", **more) -> dict:
    return {
        "resource_type": kind,
        "package_name": "shop",
        "name": name,
        "unique_id": f"{kind}.shop.{name}",
        "schema": schema,
        "fqn": ["shop", schema, name],
        "description": f"What `{name}` is. And more.",
        "config": {"materialized": "table"},
        "columns": {"a": {}},
        "depends_on": {"nodes": []},
        **more,
    }


MANIFEST = {
    "metadata": {"project_name": "shop"},
    "docs": {
        "doc.shop.__overview__": {"block_contents": "# The shop\n\nSells.\n"},
        "doc.shop.__marts__": {"block_contents": "# For readers\n\nNothing else.\n"},
        "doc.shop.__other__": {"block_contents": "Of another package.\n"},
    },
    "nodes": {
        "seed.shop.s": node("seed", "s", "raw"),
        "model.shop.e": node("model", "e", "raw", config={"materialized": "ephemeral"}),
        "model.shop.m": node("model", "m", "marts"),
        "model.shop.n": node("model", "n", "marts"),
        "model.other.x": node("model", "x", "elsewhere", package_name="other"),
        "test.shop.t": node("test", "t", attached_node="model.shop.m"),
        "test.shop.u": node("test", "u", depends_on={"nodes": ["seed.shop.s"]}),
    },
    "unit_tests": {
        "unit_test.shop.v": node("unit_test", "v", depends_on={"nodes": ["model.shop.m"]})
    },
    "sources": {"source.shop.web.o": node("source", "o", source_name="web|<b>")},
    "exposures": {"exposure.shop.d": node("exposure", "d", depends_on={"nodes": ["model.shop.n"]})},
    "parent_map": {
        "seed.shop.s": [],
        "source.shop.web.o": [],
        "model.shop.e": ["seed.shop.s"],
        "model.other.x": ["source.shop.web.o"],
        "model.shop.m": ["model.shop.e", "model.other.x"],
        "model.shop.n": ["model.shop.m"],
        "exposure.shop.d": ["model.shop.n", "source.shop.web.o"],
    },
}


def known(rows: int | None, written: str) -> dict:
    stats = {"written": {"value": written}} | ({} if rows is None else {"rows": {"value": rows}})
    return {"columns": {"a": {}, "b": {}}, "stats": stats}


CATALOG = {
    "metadata": {"generated_at": "2026-01-02T03:04:05.678901Z"},
    "nodes": {
        "seed.shop.s": known(3, "2026-01-01 08:00"),
        "model.shop.m": known(1000, "2026-01-01 09:00"),
        "model.shop.n": known(500, "2026-01-01 10:00"),
    },
    "sources": {"source.shop.web.o": {"columns": {}, "stats": {}}},
}
FRESHNESS = {
    "results": [
        {
            "unique_id": "source.shop.web.o",
            "status": "warn",
            "max_loaded_at": "2025-12-31T23:00:00Z",
            "snapshotted_at": "2026-01-01T12:30:00Z",
        }
    ]
}


@pytest.fixture
def manifest() -> dict:
    return copy.deepcopy(MANIFEST)


@pytest.fixture
def catalog() -> dict:
    return copy.deepcopy(CATALOG)


def overview(manifest: dict, catalog: dict, freshness: dict | None = None) -> str:
    add_to(manifest, catalog, freshness or {})
    return manifest["docs"]["doc.shop.__overview__"]["block_contents"]


def test_the_overview_begins_with_counts_by_schema_and_freshness(manifest, catalog):
    text = overview(manifest, catalog, FRESHNESS)
    assert text.startswith("# The shop\n")
    assert "**3 tables, 6 columns, 3 tests**, counted on 2026-01-02 03:04 UTC" in text
    assert "| raw | 1 | 2 | 1 | 3 | 2026-01-01 08:00 |" in text
    assert "| marts | 2 | 4 | 2 | 1,500 | 2026-01-01 10:00 |" in text
    assert "| web&#124;&#60;b&#62;.o | 2025-12-31 23:00 | warn on 2026-01-01 12:30 UTC |" in text
    assert text.endswith("\n\nSells.\n")


def test_the_page_of_a_folder_lists_its_tables_and_who_reads_them(manifest, catalog):
    add_to(manifest, catalog, {})
    add_to(manifest, catalog, {})
    docs = {id: block["block_contents"] for id, block in manifest["docs"].items()}
    text = docs["doc.shop.__marts__"]
    assert text.startswith("# For readers\n") and text.endswith("\n\nNothing else.\n")
    what = "What &#96;n&#96; is."
    link, reader = "[n](#!/model/model.shop.n)", "[d](#!/exposure/exposure.shop.d)"
    assert text.count(f"| {link} | {what} | 500 | 2026-01-01 10:00 | {reader} |") == 1
    assert text.count("[m](#!/model/model.shop.m)") == 1
    assert docs["doc.shop.__other__"] == "Of another package.\n"


def test_what_is_not_known_is_left_out(manifest, catalog):
    catalog["nodes"]["model.shop.n"] = known(None, "")
    text = overview(manifest, catalog)
    assert "| marts | 2 | 4 | 2 |  | 2026-01-01 09:00 |" in text
    assert "warn on" not in text and "| source |" not in text


def test_the_docs_may_be_generated_again(manifest, catalog):
    first = overview(manifest, catalog, FRESHNESS)
    catalog["nodes"]["seed.shop.s"] = known(4, "2026-01-03 08:00")
    second = overview(manifest, catalog, FRESHNESS)
    assert second == first.replace("| 3 | 2026-01-01 08:00 |", "| 4 | 2026-01-03 08:00 |")


def test_a_project_without_an_overview_has_the_counts_before_dbts(manifest, catalog):
    manifest["docs"] = {"doc.dbt.__overview__": {"block_contents": "### Welcome!\n"}}
    add_to(manifest, catalog, {})
    text = manifest["docs"]["doc.dbt.__overview__"]["block_contents"]
    assert text.index("3 tables") < text.index("### Welcome!")


def test_the_picture_has_a_box_for_each_layer_and_the_arrows_between(manifest, catalog):
    text = overview(manifest, catalog)
    drawn = base64.b64decode(re.search(r"base64,([^)]*)", text)[1])
    said = "|".join(ElementTree.fromstring(drawn).itertext())
    assert re.findall(r"web\|<b>|raw|marts|readers|elsewhere", said) == [
        "web|<b>",
        "raw",
        "marts",
        "readers",
    ]
    found = layers(manifest, catalog)
    # Through an ephemeral model and a model of another package.
    assert _arrows(manifest["parent_map"], found) == {(1, 2), (0, 2), (2, 3), (0, 3)}


def test_arrow_above_boxes_has_its_own_space():
    boxes = [["a"], ["b"], ["c"]]
    heights = [
        int(ElementTree.fromstring(picture(boxes, arrows)).attrib["height"])
        for arrows in ({(0, 1)}, {(0, 1), (0, 2)}, {(0, 2), (2, 0)})
    ]
    assert heights[0] < heights[1] < heights[2]
