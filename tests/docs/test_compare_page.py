"""The page of `compare`, opened from disk in a browser."""

import pytest
from dbt_spark_contracts.cli.compare import rows
from dbt_spark_contracts.cli.compare.columns import Columns, Pair
from dbt_spark_contracts.cli.compare.explained import Explanation
from dbt_spark_contracts.cli.compare.grain import Grain
from dbt_spark_contracts.cli.compare.report import page as report
from dbt_spark_contracts.cli.compare.result import Comparison
from dbt_spark_contracts.cli.compare.rows import COUNTS, Counts, Example
from dbt_spark_contracts.cli.compare.values import way
from playwright.sync_api import expect
from pyspark.sql.types import DoubleType, IntegerType, LongType, StringType

from tests.support import hostile

SINCE = "the code since main (abc)"


def pair(name, old, new, at=0, tolerance=""):
    types = old.simpleString(), new.simpleString()
    return Pair(name, at, at, *types, way(old, new), tolerance)


def incident(text="C1"):
    """Return a comparison of an old Gold with a row per event and a new one.

    `text` is used wherever data can appear.
    """
    columns = Columns(
        keys=[pair("car_chassis", StringType(), StringType())],
        others=[
            pair("insurance_status", StringType(), StringType()),
            pair("current_mileage_km", DoubleType(), DoubleType(), tolerance="0.01D"),
            pair("year", LongType(), IntegerType()),
        ],
        only_old=[("event_id", "string"), ("event_year", "int")],
        only_new=[(text, "string")],
        ignored=["gold_processing_timestamp"],
    )
    numbers = {
        "old_rows": 101, "new_rows": 11, "old_keys": 11, "new_keys": 11, "both_keys": 10,
        "old_repeated": 10, "only_old_rows": 9, "only_old_keys": 1, "only_new_rows": 1,
        "only_new_keys": 1, "more_old_rows": 82, "more_old_keys": 10, "same": 6,
        "within_tolerance": 1, "changed": 3, "old_null_keys": 9,
    }  # fmt: skip
    return Comparison(
        f"/data/{text} (Parquet)",
        "gold.gold_car_current_state",
        columns,
        Counts({**dict.fromkeys(COUNTS, 0), **numbers}, {0: 3, 1: 1, 2: 1}),
        old_grain=Grain(["event_id"]),
        examples={
            0: [Example([text], text, "EXPIRED"), Example(["C2"], None, "ACTIVE")],
            1: [Example(["C2"], "1204.5", "1204.75")],
            rows.ONLY_OLD: [Example([None])],
            rows.MORE_OLD: [Example(["C1"]), Example(["C2"])],
        },
        marks={"event_id": "silver_only"},
        explanation=Explanation(
            "the code since main (abc)", frozenset({"insurance_status"}), False
        ),
    )


@pytest.fixture
def opened(page, tmp_path):
    """Return a function that writes the page of a comparison and opens it."""

    def open_page(found):
        file = tmp_path / "report.html"
        file.write_text(report.html(found), encoding="utf-8")
        page.goto(file.as_uri())
        return page

    return open_page


WIDTHS = {"wide": (1600, 1000), "laptop": (1280, 720), "phone": (390, 844)}


@pytest.mark.parametrize("screen", WIDTHS)
def test_the_page_shows_everything_and_fits_the_screen(page, opened, screenshot, screen):
    width, height = WIDTHS[screen]
    page.set_viewport_size({"width": width, "height": height})
    opened(incident())
    expect(page.get_by_role("heading", name="The tables differ.")).to_be_visible()
    body = page.locator("body")
    for text in (
        "The old table has 101 rows for 11 car_chassis: one per event_id.",
        "9 rows of the old table have no car_chassis (null).",
        "bigint → int, compared as bigint",
        "of 10 car_chassis that both have",
        "3 of 10 matched rows",
        "by more than 0.01",
        "explained: the code computes it differently",
        "not explained by the code",
        "Explained by the code since main (abc).",
        "gold_processing_timestamp",
        "event_id (silver_only)",
    ):
        expect(body).to_contain_text(text)
    expect(page.locator(".old.null")).to_have_text("null")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    screenshot(f"compare_{screen}")


def test_equal_tables_are_reported_as_equal(page, opened, screenshot):
    columns = Columns(keys=[pair("id", LongType(), LongType())])
    numbers = {
        "old_rows": 7,
        "new_rows": 7,
        "old_keys": 7,
        "new_keys": 7,
        "both_keys": 7,
        "same": 7,
    }
    opened(Comparison("a", "b", columns, Counts({**dict.fromkeys(COUNTS, 0), **numbers}, {})))
    expect(page.get_by_role("heading", name="The tables are equal.")).to_be_visible()
    assert page.locator(".line.different").count() == 0
    screenshot("compare_equal")


@pytest.mark.parametrize(
    "text", [hostile.EVIL, hostile.MARKDOWN, hostile.ESCAPES, *hostile.NAMES], ids=range(8)
)
def test_any_text_is_shown_and_none_runs(page, opened, text):
    opened(incident(text))
    assert page.evaluate("window.harmed") is None
    assert page.locator("img, iframe, details, script, body a").count() == 0
    value = page.locator(".example .old").first.text_content()
    if text != hostile.ESCAPES:
        start = text.split("\n")[0].split("\u2028")[0]
        assert value.startswith(start[: rows.LONGEST])
    assert not set(value) & set("\x1b\x07\x00\u202e\u2066\u2028")
