"""The dbt docs, opened from disk in a browser."""

import json
import re
from itertools import pairwise
from types import SimpleNamespace

import pytest
from playwright.sync_api import expect

from tests.support.dbt_runner import ROOT

PYTHON_MODEL = "gold_car_current_state"

# The content of a page below its title.
DETAILS = ".app-details:visible"


@pytest.fixture(scope="module")
def docs(browser, dbt, module_schema):
    """Run `dbt docs generate --static` after an empty build. Return its URL and its nodes."""
    tables = ("--resource-type", "model", "--resource-type", "seed")
    built = dbt("build", "--empty", *tables, schema=module_schema)
    assert built.success, built.text
    generated = dbt("docs", "generate", "--static", schema=module_schema)
    assert generated.success, generated.text
    manifest = json.loads((dbt.target_path / "manifest.json").read_text())
    nodes = {**manifest["nodes"], **manifest["sources"], **manifest["exposures"]}
    return SimpleNamespace(
        url=(dbt.target_path / "static_index.html").as_uri(),
        parents=manifest["parent_map"],
        nodes={
            id: node
            for id, node in nodes.items()
            if node["resource_type"] in ("model", "seed", "source", "exposure")
        },
        tests=[node for node in nodes.values() if node["resource_type"] == "test"],
    )


def title(node):
    """Return a node's name on its page and in the graph."""
    if node["resource_type"] == "source":
        return f"{node['source_name']}.{node['name']}"
    return node.get("label") or node["name"]


def plain(text):
    """Return a text without Markdown syntax and line breaks."""
    return re.sub(r"\s+", " ", re.sub(r"[`*]", "", text)).strip()


def open_node(page, docs, id):
    """Open the page of a node. Return its text, including collapsed parts."""
    node = docs.nodes[id]
    page.goto(f"{docs.url}#!/{node['resource_type']}/{id}")
    return read_node(page, node)


def read_node(page, node):
    """Return the text of the open page of `node`, including collapsed parts."""
    expect(page.locator("h1 .break:visible")).to_have_text(title(node))
    return plain(page.locator(DETAILS).evaluate("element => element.textContent"))


# cytoscape draws the lineage graph. The page has it as `window.graph`.


def drawn(page):
    """Return the graph as it is drawn.

    It has the nodes by id, each with its position, its colour and whether it is highlighted, and
    the edges as (from, to, whether it is highlighted).
    """
    # Wait until the layout is done and fitted to the window.
    page.wait_for_function(
        """() => {
          const places = window.graph?.nodes(":visible").map(node => node.renderedPosition())
          const [now, before] = [JSON.stringify(places), window.before]
          window.before = now
          return places?.some(({x}) => x > 0) && now === before
        }""",
        polling=200,
    )
    return SimpleNamespace(
        **page.evaluate(
            """() => {
              const canvas = document.querySelector("#cy canvas[data-id='layer2-node']")
              const scale = canvas.width / canvas.clientWidth
              const nodes = graph.nodes(":visible").map(node => {
                const {x, y} = node.renderedPosition()
                const left = x - node.renderedOuterWidth() / 2
                const pixel = [(left + 3) * scale, y * scale, 1, 1]
                const [r, g, b] = canvas.getContext("2d").getImageData(...pixel).data
                return [node.id(), {x, y, color: [r, g, b], lit: node.data("selected") === 1}]
              })
              const edges = graph.edges(":visible").map(edge =>
                [edge.source().id(), edge.target().id(), edge.data("selected") === 1])
              return {nodes: Object.fromEntries(nodes), edges: edges}
            }"""
        )
    )


def click_node(page, id, **options):
    """Click on a node in the graph."""
    node = drawn(page).nodes[id]
    page.locator("#cy").click(position={"x": node["x"], "y": node["y"]}, **options)


def test_the_overview_explains_the_layers_and_the_gates(page, docs, screenshot, module_schema):
    page.goto(docs.url)
    expect(page.get_by_role("heading", name="Car lakehouse")).to_be_visible()
    overview = page.locator(".app-content:visible")
    # It begins with the counts, the picture and the freshness of the landing folder.
    kinds = [node["resource_type"] for node in docs.nodes.values()]
    tables = kinds.count("model") + kinds.count("seed")
    counted = re.compile(rf"^{tables} tables, \d+ columns, \d+ tests, counted on")
    expect(overview.locator("h1 + p")).to_have_text(counted)
    picture = overview.locator("h1 ~ p img").first
    assert picture.evaluate("image => image.complete && image.naturalWidth") > 500
    rows = overview.locator("table").first.locator("tbody tr").all_inner_texts()
    layers = ("bronze", "silver", "gold")
    assert [row.split()[0] for row in rows] == [f"{module_schema}_{layer}" for layer in layers]
    expect(overview.locator("table").nth(1)).to_contain_text("landing.car_events")
    for gate in ("checked against its contract", "never dropped", "data tests", "published"):
        expect(overview).to_contain_text(gate)
    screenshot("overview")

    for layer in ("Bronze", "Silver", "Gold"):
        page.goto(docs.url)
        page.get_by_role("link", name=layer, exact=True).click()
        expect(page.get_by_role("heading", name=layer, exact=True)).to_be_visible()
        for node in docs.nodes.values():
            if node["resource_type"] != "source" and node["fqn"][1] == layer.lower():
                expect(page.get_by_role("link", name=title(node), exact=True)).to_be_visible()
    screenshot("gold_layer")


def test_the_lineage_graph_leads_from_landing_to_the_exposures(page, docs, screenshot):
    page.goto(docs.url)
    page.get_by_title("View Lineage Graph").click()
    assert {*docs.nodes} == {*drawn(page).nodes}
    resources = page.locator("[data-form-type=resource_types]")
    resources.locator("select").click()
    resources.locator("li", has_text="Tests").filter(has_not_text="Unit").click()
    page.get_by_role("button", name="Update Graph").click()
    assert {*docs.nodes} < {*drawn(page).nodes}
    screenshot("lineage_with_tests")

    page.set_viewport_size({"width": 1280, "height": 520})
    page.goto(f"{docs.url}?again")
    page.get_by_role("link", name="Open it").click()
    page.wait_for_url("**g_v=1**")
    graph = drawn(page)
    assert {*graph.nodes} == {*docs.nodes}
    edges = {(parent, id) for id in docs.nodes for parent in docs.parents[id]}
    assert {(source, target) for source, target, _ in graph.edges} == edges
    way = ("landing", "bronze", "stg", "silver_car", "gold", "exposure.")
    ranks = [[node["x"] for id, node in graph.nodes.items() if step in id] for step in way]
    assert [len(rank) for rank in ranks] == [1, 1, 1, 1, 3, 3]
    assert all(max(left) < min(right) for left, right in pairwise(ranks))
    for id, node in graph.nodes.items():
        color = docs.nodes[id].get("docs", {}).get("node_color")
        if color:
            assert node["color"] == pytest.approx([*bytes.fromhex(color[1:])], abs=12)

    landing = next(id for id in docs.nodes if id.startswith("source."))
    click_node(page, landing)
    graph = drawn(page)
    assert graph.nodes[landing]["lit"]
    # All nodes except the seed, which does not come from the landing folder.
    dark = {source for source, _, lit in graph.edges if not lit}
    assert dark == {id for id in docs.nodes if id.startswith("seed.")}
    page.mouse.move(0, 0)
    screenshot("lineage")


def test_a_click_in_the_graph_opens_a_python_model(page, docs, screenshot):
    id, model = next(item for item in docs.nodes.items() if item[1]["name"] == PYTHON_MODEL)
    page.goto(f"{docs.url}#!/overview?g_v=1")
    click_node(page, id, button="right")
    page.get_by_role("button", name="View documentation").click()

    said = read_node(page, model)
    assert page.url.endswith(f"#!/model/{id}")
    assert "Language python" in said
    assert "Contract Enforced" in said
    assert "Code" in said
    assert plain((ROOT / model["original_file_path"]).read_text()) in said
    screenshot("python_model")
    page.get_by_role("heading", name="Code").scroll_into_view_if_needed()
    screenshot("python_model_code")


def test_a_column_says_where_it_comes_from(page, docs, screenshot):
    said = open_node(page, docs, "model.car_lakehouse.gold_car_current_state")
    assert "from silver_car_telemetry.insurance_valid_until " in said
    assert "from silver_car_telemetry.insurance_valid_until (condition)" in said
    page.locator("tr", has_text="insurance_days_expired").first.click()
    expect(page.locator(".column-expanded dd:visible")).to_have_text(
        "silver_car_telemetry.insurance_valid_until (computed)"
    )
    screenshot("column")


def test_every_node_has_a_page_that_says_all_of_it(page, docs):
    for id, node in docs.nodes.items():
        said = open_node(page, docs, id)
        assert plain(node["description"]) in said
        for column in node.get("columns", {}).values():
            type = column["data_type"] or node["config"]["column_types"][column["name"]]
            assert f"{column['name']} {type} {plain(column['description'])}" in said
        tests = [test["name"] for test in docs.tests if id in test["depends_on"]["nodes"]]
        if tests:
            page.locator(f"{DETAILS} .nav-tabs a", has_text="Data Tests").click()
            assert {*tests} <= {*page.locator(f"{DETAILS} .panel li").all_inner_texts()}
        if node["resource_type"] == "model":
            assert "Contract Enforced" in said
        if node["resource_type"] == "exposure":
            assert f"Owner {node['owner']['name']} <{node['owner']['email']}>" in said


def test_the_landing_folder_has_its_freshness(page, docs, screenshot):
    said = open_node(page, docs, "source.car_lakehouse.landing.car_events")
    assert "Warns if older than 1 day" in said
    assert "Fails if older than 7 days" in said
    assert re.search(r"Newest file, UTC 20\d\d-\d\d-\d\d \d\d:\d\d ", said)
    files = [file for file in (ROOT / "landing").rglob("*") if file.is_file()]
    assert f"Files {len(files)} " in said
    screenshot("landing")
    open_node(page, docs, "exposure.car_lakehouse.fleet_dashboard")
    screenshot("exposure")
