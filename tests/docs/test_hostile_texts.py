"""A docs page shows hostile texts unchanged, and executes none of them."""

import json
import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.support import hostile
from tests.support.dbt_runner import make_project

# Each page with the place that its description names.
PAGES = {
    "model/model.small.a": "model",
    "seed/seed.small.s": "seed",
    "source/source.small.src.t": "table",
    "source_list/src": "source",
    "macro/macro.small.m": "macro",
    "exposure/exposure.small.e": "exposure",
    "test/test.small.t": "test",
}
DETAILS = ".app-details:visible"


@pytest.fixture(scope="module")
def target(dbt, tmp_path_factory, module_schema):
    """Return the target folder of a hostile project, after a build and `dbt docs generate`."""
    project = make_project(dbt, tmp_path_factory.mktemp("hostile"), hostile.project())
    built = project("build", schema=module_schema)
    assert built.success, built.text
    generated = project("docs", "generate", "--static", schema=module_schema)
    assert generated.success, generated.text
    return project.target_path


@pytest.fixture
def opened(page, target):
    """Yield a function that opens a part of the static page and returns its text in one line.

    The test fails if a hostile text was executed.
    """

    def open_page(part: str = "") -> str:
        page.goto("about:blank")
        page.goto(f"{(target / 'static_index.html').as_uri()}#!/{part}")
        expect(page.locator(DETAILS if part else ".app-content:visible")).to_be_visible()
        return said(page, DETAILS if part else "body")

    yield open_page
    assert page.evaluate("window.harmed") is None
    assert page.locator("img[src=x], iframe, details").count() == 0


def said(page, selector: str) -> str:
    text = page.locator(selector).first.evaluate("element => element.textContent")
    return " ".join(text.split())


def test_descriptions_are_shown_as_they_are(opened):
    for part, where in PAGES.items():
        assert hostile.told(where) in opened(part), part


def test_all_of_a_model_is_shown(opened, page, screenshot):
    text = opened("model/model.small.a")
    screenshot("hostile_model")
    for each in (hostile.IMAGE, hostile.SCRIPT, f"key {hostile.SCRIPT}", "prototype"):
        assert each in text
    assert f"G {hostile.IMAGE} <g@e.org>" in text
    assert f"-- {hostile.SCRIPT} {hostile.COMMENT} {hostile.IMAGE}" in text  # the SQL
    assert hostile.told("column") in text
    for number, name in enumerate(hostile.NAMES):
        row = page.locator(".column-row", has_text=f"In name {number}:").first
        expect(row).to_contain_text(name)
        row.click()
    # The expanded row shows the column's description as Markdown.
    assert said(page, DETAILS).count(hostile.told("name 0")) >= 2


def test_markdown_is_markdown_and_no_more(opened, page, screenshot):
    text = opened("model/model.small.b")
    screenshot("hostile_markdown")
    block = page.locator(".model-markdown:visible")
    expect(block.locator("td").first).to_have_text(hostile.IMAGE)
    expect(block.locator("td code")).to_have_text(hostile.SCRIPT)
    expect(block.locator("pre code")).to_have_text(f"select '{hostile.SCRIPT}' {hostile.COMMENT}")
    expect(block.locator("strong")).to_have_text("bold")
    expect(block.get_by_role("link", name="harmless")).to_have_attribute(
        "href", "https://example.org/?a=1&b=2"
    )
    for line in (
        "a link",
        f"javascript:{hostile.HARM}",
        f'<details open ontoggle="{hostile.HARM}">',
    ):
        assert line in text
    assert page.locator("a[href^='javascript:'], a[href^='data:']").count() == 0
    assert " ".join(hostile.EVIL.replace(hostile.TEMPLATE, "").split()) in text  # the Python


def test_exposures_have_owners_and_labels(opened, page):
    text = opened("exposure/exposure.small.e")
    expect(page.locator("h1 .break:visible")).to_have_text(f"Label {hostile.IMAGE}")
    assert f"Owner {hostile.IMAGE} <o@example.org>" in text


def test_the_search_finds_them_and_runs_none(opened, page, screenshot):
    opened()
    for query in ("struct", "</script>", "&", "<img src=x onerror"):
        page.get_by_placeholder("Search").fill(query)
        expect(page.locator("h1 .break:visible")).to_have_text(query)
        if query != "&":  # not a word: dbt finds everything and shows the first 20 results
            kind = page.locator("small", has_text=re.compile(r"^\s*seed\s*$"))
            of_seed = page.locator(".result-body", has=kind)
            expect(of_seed).to_contain_text("</script> <img src=x onerror=")
            expect(of_seed.locator(".search-result-match").first).to_be_visible()
    screenshot("hostile_search")


def test_the_pages_let_only_their_own_scripts_run(target):
    for name in ("index.html", "static_index.html"):
        html = (target / name).read_text(encoding="utf-8")
        (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
        assert "unsafe" not in policy and "script-src 'sha256-" in policy
        assert hostile.SCRIPT not in html


def test_the_page_that_is_served_shows_the_same(browser, target):
    """The page requests manifest.json and catalog.json, as with `dbt docs serve`."""
    context = browser.new_context()
    page = context.new_page()

    def serve(route):
        file = target / urlsplit(route.request.url).path.strip("/")
        route.fulfill(path=file) if file.exists() else route.fulfill(status=404)

    page.route("http://docs.example/*", serve)
    page.goto("http://docs.example/index.html#!/model/model.small.a")
    expect(page.locator(DETAILS)).to_contain_text("In model:")
    assert hostile.told("model") in said(page, DETAILS)
    assert page.evaluate("window.harmed") is None
    context.close()


def test_the_data_is_that_of_dbt(page, target):
    page.goto((target / "static_index.html").as_uri())
    for name in ("manifest.json", "catalog.json"):
        inside = page.evaluate("id => document.getElementById(id).textContent", name)
        assert json.loads(inside) == json.loads((target / name).read_text(encoding="utf-8"))
