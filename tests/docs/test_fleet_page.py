"""The page of the fleet, opened from disk in a browser."""

from datetime import date, datetime, timedelta, timezone

import pytest
from playwright.sync_api import expect

from python_jobs.fleet_page import page as fleet_page
from python_jobs.fleet_page.read import Fleet, Table
from tests.support import hostile

NOW = datetime(2026, 1, 15, 10, 0, tzinfo=timezone.utc)


def made_up(text: str = "Fiat Strada") -> Fleet:
    """Return a made-up fleet. `text` is used wherever data can appear."""
    monday = date(2025, 11, 3)
    kinds = ("LOW_FUEL", "SPEEDING", text)
    return Fleet(
        alerts={
            (monday + timedelta(weeks=week), kind): week + number
            for week in (0, 1, 3, 9)
            for number, kind in enumerate(kinds, start=1)
        },
        insurance={"ACTIVE": 1200, "EXPIRED": 2, "EXPIRING_IN_90_DAYS": 16, text: 1},
        ending=[
            {"last_day": date(2026, 1, 31), "status": "EXPIRING_IN_90_DAYS", "car": text}
            | {"chassis": f"chassis {number}", "provider": text}
            for number in range(15)
        ],
        efficiency=[(text, 17.91, 1200.0), ("GWM Haval H6", 10.0, 800.5)],
        rejected={text: 3, **{f"field {number} is missing": 1 for number in range(20)}},
        tables=[
            Table("silver.silver_car_telemetry", 174, NOW, "2026-01-14 09:00:00"),
            Table("gold.gold_fuel_efficiency_monthly", 52, NOW, "2026-01"),
            Table("gold.gold_performance_alerts", 124, NOW, "2026-01-02"),
            Table(text, 0, NOW),
        ],
    )


@pytest.fixture
def opened(page, tmp_path):
    """Return a function that writes the page of a fleet and opens it."""

    def open_page(fleet):
        file = tmp_path / "fleet.html"
        file.write_text(fleet_page.html(fleet, NOW), encoding="utf-8")
        page.goto(file.as_uri())

    return open_page


WIDTHS = {"wide": (1600, 1000), "laptop": (1280, 720), "phone": (390, 844)}


@pytest.mark.parametrize("screen", WIDTHS)
def test_the_page_tells_all_and_fits_the_screen(page, opened, screenshot, screen):
    width, height = WIDTHS[screen]
    page.set_viewport_size({"width": width, "height": height})
    opened(made_up())
    expect(page.get_by_role("listitem")).to_have_text([
        "1,219 cars",
        "2 insurances have ended",
        "16 end within 90 days",
        "63 alerts since 2025-11-03",
        "23 rejected events",
    ])  # fmt: skip
    body = page.locator("body")
    for text in (
        "Fiat Strada · 17.9",
        "GWM Haval H6 · 10.0",
        "EXPIRING_IN_90_DAYS · 16",
        "3 more cars are not shown.",
        "What readers saw on 2026-01-15 10:00.",
    ):
        expect(body).to_contain_text(text)
    assert page.locator("svg").count() == 4
    expect(page.get_by_role("row", name="silver_car_telemetry")).to_contain_text("25 hours")
    expect(page.get_by_role("row", name="gold_performance_alerts")).to_contain_text("13 days")
    assert page.get_by_role("row", name="efficiency").locator("td").last.text_content() == ""
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # The text of the plots is large enough to read.
    smallest = page.evaluate(
        "() => Math.min(...[...document.querySelectorAll('svg text')]"
        ".map(text => text.getBoundingClientRect().height))"
    )
    assert smallest >= 7
    screenshot(f"fleet_{screen}")


def test_a_fleet_without_an_event(page, opened):
    opened(Fleet())
    assert page.locator("svg").count() == 0
    expect(page.locator("body")).to_contain_text("No insurance has ended, and none ends soon.")


@pytest.mark.parametrize(
    "text", [hostile.EVIL, hostile.MARKDOWN, hostile.ESCAPES, *hostile.NAMES], ids=range(8)
)
def test_any_text_is_shown_and_none_runs(page, opened, text):
    opened(made_up(text))
    assert page.evaluate("window.harmed") is None
    assert page.locator("img, iframe, details, script, body > a").count() == 0
    assert page.locator("svg").count() == 4
