"""The lineage page, opened from disk in a browser."""

import pytest
from dbt_spark_contracts.cli.main import run
from playwright.sync_api import expect

from tests.support import hostile, lineage_sample


@pytest.fixture
def opened(page, tmp_path):
    """Return a function that writes the page of a made-up project and opens it, at a column."""

    def open_page(made, at: str = "") -> None:
        target = lineage_sample.write(tmp_path / "target", *made)
        assert run(["lineage", "--html", "--target-path", str(target)]) == 0
        # Without the animations, which a test would have to wait for.
        page.emulate_media(reduced_motion="reduce")
        page.goto((target / "column_lineage.html").as_uri() + (f"#{at}" if at else ""))

    return open_page


def names(page, selector: str) -> set[str]:
    """Return the columns of the graph that match the selector, as model.column."""
    return set(page.evaluate("s => lineage.nodes(s).map(node => node.data('name'))", selector))


# The columns upstream and downstream of status.
PATH = {
    "landing.events.value",
    "bronze_events.raw",
    "silver_events.valid_until",
    "silver_events.at",
    "gold_state.status",
}


def search(page, text: str) -> None:
    page.get_by_role("combobox").fill(text)
    page.get_by_role("combobox").press("Enter")


def lit(page) -> set[str]:
    return names(page, ".column.on, .column.chosen")


def test_all_columns_are_shown(page, opened, screenshot):
    made = lineage_sample.small()
    opened(made)
    expected = {
        f"{key.split('.', 2)[2]}.{column}"
        for key, node in made[0]["nodes"].items()
        for column in node["columns"]
    }
    drawn = names(page, ".column")
    assert expected <= drawn
    assert {"landing.events.value", "rules.unused", "never_built.x", "old.limits.top"} <= drawn
    untraced = names(page, ".column.untraced")
    assert untraced == {"bronze_events.file", "gold_state.name", "never_built.x"}
    expect(page.locator("#legend")).to_contain_text("cannot be traced completely")
    screenshot("columns_small")


def test_search_highlights_the_path(page, opened, screenshot):
    opened(lineage_sample.small())
    page.get_by_role("combobox").fill("stat")
    expect(page.get_by_role("option").first).to_contain_text("status")
    page.get_by_role("combobox").press("Enter")
    assert lit(page) == PATH
    assert page.url.endswith("#gold_state.status")
    expect(page.locator("#panel")).to_contain_text("ACTIVE or EXPIRED.")
    expect(page.locator("#panel")).to_contain_text("decided by")
    screenshot("columns_path")

    page.get_by_role("combobox").press("Escape")
    page.keyboard.press("Escape")
    assert lit(page) == set()
    assert "#" not in page.url


def test_click_selects_and_a_click_on_the_background_deselects(page, opened):
    opened(lineage_sample.small())
    place = page.evaluate(
        "() => lineage.nodes('.column').filter(n => n.data('name') === 'gold_state.status')"
        ".renderedPosition()"
    )
    page.locator("#graph").click(position=place)
    assert lit(page) == PATH
    page.locator("#graph").click(position={"x": 3, "y": 3})
    assert lit(page) == set()


def test_link_opens_at_its_column(page, opened):
    opened(lineage_sample.small(), at="gold_state.name")
    assert names(page, ".chosen") == {"gold_state.name"}
    expect(page.locator("#panel")).to_contain_text("the Python function normalize")
    page.evaluate("location.hash = '#gold_state.nix'")
    expect(page.locator("#panel")).to_contain_text("There is no gold_state.nix.")


def test_rows_are_shown_when_asked_for(page, opened):
    opened(lineage_sample.small())
    shown = "() => lineage.edges('.rows').filter(edge => edge.visible()).length"
    assert page.evaluate(shown) == 0
    page.get_by_label("What chooses the rows").check()
    # The page's content security policy blocks the script of wait_for_function.
    for _ in range(50):
        if page.evaluate(shown):
            break
        page.wait_for_timeout(100)
    assert page.evaluate(shown) == 7


def test_text_of_the_project_is_never_html(page, opened):
    made = lineage_sample.small()
    opened(made, at="silver_events.speed")
    expect(page.locator("#panel")).to_contain_text(lineage_sample.EVIL)
    assert page.title() == "Columns of small"
    assert page.locator("img").count() == 0


WIDTHS = {"wide": (1600, 1000), "laptop": (1280, 720), "phone": (390, 844)}


@pytest.mark.parametrize("screen", WIDTHS)
def test_no_path_is_cut(page, opened, screenshot, screen):
    width, height = WIDTHS[screen]
    page.set_viewport_size({"width": width, "height": height})
    opened(lineage_sample.read_by_code(), at="gold_state.status")
    screenshot(f"columns_{screen}")
    boxes = page.evaluate(
        """() => lineage.nodes('.box').filter(node => node.visible()).map(node => {
          const {x1, x2, y1, y2} = node.renderedBoundingBox({includeLabels: false})
          return [x1 >= 0, y1 >= 0, x2 <= lineage.width(), y2 <= lineage.height()]
        })"""
    )
    assert len(boxes) == 6  # landing, Bronze, Silver, Gold and two exposures
    assert all(map(all, boxes))
    # The page fits the width of the screen, and its parts do not overlap.
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    parts = [page.locator(part).bounding_box() for part in ("#graph", "#panel", "#legend")]
    for number, one in enumerate(parts):
        for other in parts[number + 1 :]:
            assert (
                one["x"] + one["width"] <= other["x"] + 1
                or one["y"] + one["height"] <= other["y"] + 1
            )
    # Without the filter, the path is highlighted among all columns.
    page.get_by_label("Only the path").uncheck()
    assert lit(page) == PATH
    assert page.evaluate("lineage.nodes('.lane.hidden').length") == 0


def test_what_a_models_code_reads_is_shown(page, opened, screenshot):
    opened(lineage_sample.read_by_code(), at="bronze_events.file")
    expect(page.locator("#panel")).to_contain_text("Read by the model's code from")
    expect(page.locator("#panel")).to_contain_text("Python splits the files.")
    shown = "() => lineage.nodes('.head').filter(n => n.visible()).map(n => n.data('label'))"
    assert set(page.evaluate(shown)) == {"landing.events", "bronze_events"}
    assert names(page, ".column.untraced") == {"gold_state.name", "never_built.x"}
    page.locator("#panel").get_by_role("link", name="landing.events").click()
    assert "bronze_events" in page.evaluate(shown)


def test_any_text_is_shown_and_found_and_none_runs(page, opened, screenshot):
    for text in (hostile.EVIL, hostile.MARKDOWN, *hostile.NAMES, hostile.ESCAPES, "50% #1 ?a=b"):
        shown = " ".join(text.encode("utf-8", "replace").decode().replace("\0", "").split())
        opened(lineage_sample.evil(text))
        assert len(names(page, ".column")) == 2
        word = "red" if text == hostile.ESCAPES else max(shown.split(), key=len)
        page.get_by_role("combobox").fill(word)
        expect(page.get_by_role("option")).to_have_count(2)
        page.get_by_role("combobox").press("Enter")
        panel = page.locator("#panel")
        said = " ".join(panel.text_content().split())
        if text == hostile.EVIL:
            screenshot("columns_evil")
        if text != hostile.ESCAPES:  # browsers do not render control characters
            # The name, the type, the mark, the description, the reason.
            assert said.count(shown) >= 5, text
        page.reload()  # the address has the name
        assert len(names(page, ".chosen")) == 1
        assert page.evaluate("window.harmed") is None
        assert page.locator("img, iframe, details, #panel script, #hits script").count() == 0


def test_address_that_is_not_a_name_is_reported(page, opened):
    opened(lineage_sample.small(), at="50%")
    expect(page.locator("#panel")).to_contain_text("There is no 50%.")


def test_search_finds_in_descriptions_and_has_what_readers_see_first(page, opened):
    opened(lineage_sample.small())
    found = page.get_by_role("option")
    page.get_by_role("combobox").fill("expired")
    expect(found).to_have_text(["gold_state.status "])
    page.get_by_role("combobox").fill("v")
    texts = [text.strip() for text in found.all_text_contents()]
    at = [texts.index(name) for name in ("gold_alerts.value", "landing.events.value")]
    assert at == sorted(at) and at[0] == 0


@pytest.mark.parametrize(
    ("models", "columns"), [(4, 50), pytest.param(20, 50, marks=pytest.mark.slow)]
)
def test_large_project_is_readable(page, opened, screenshot, models, columns):
    opened(lineage_sample.made_up(models, columns))
    assert len(names(page, ".column")) == models * columns
    boxes = page.evaluate(
        """() => lineage.nodes('.column').map(node => {
          const [{x, y}, {width, height}] = [node.position(), node.data()]
          return {x1: x - width / 2, x2: x + width / 2, y1: y - height / 2, y2: y + height / 2}
        })"""
    )
    assert overlapping(boxes) == 0
    screenshot(f"columns_{models * columns}")

    search(page, "column_7_of_2")
    assert len(lit(page)) > 1
    size = "() => parseFloat(lineage.nodes('.column.chosen').style('font-size')) * lineage.zoom()"
    assert page.evaluate(size) >= 9
    assert page.evaluate(
        """() => {
          const {x, y} = lineage.nodes('.column.chosen').renderedPosition()
          return x > 0 && y > 0 && x < lineage.width() && y < lineage.height()
        }"""
    )
    screenshot(f"columns_{models * columns}_path")


def overlapping(boxes: list[dict]) -> int:
    """Return the number of pairs of boxes that overlap."""
    boxes = sorted(boxes, key=lambda box: box["y1"])
    count = 0
    for number, one in enumerate(boxes):
        for other in boxes[number + 1 :]:
            if other["y1"] > one["y2"] - 0.01:
                break
            count += one["x1"] < other["x2"] and other["x1"] < one["x2"]
    return count
