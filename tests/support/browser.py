"""Pages in a headless Chromium that is already there; without one, these tests are skipped."""

import shutil

import pytest

from tests.support.dbt_runner import ROOT

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")

# As root, without a screen, and without what a browser does for itself in the background.
FLAGS = [
    *("--no-sandbox", "--headless", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]

# Kept by CI.
SCREENSHOTS = ROOT / "target" / "screenshots"

# What a page from disk may ask for without a network.
LOCAL = ("file:", "data:", "blob:")


# For one file at a time: while Playwright runs, the main thread has an event loop.
@pytest.fixture(scope="module")
def browser():
    """A headless Chromium. Skips the test if none is installed: none is ever downloaded."""
    path = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if not path:
        pytest.skip(f"none of {', '.join(CHROMIUMS)} is on the PATH; .ci/run installs chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser):
    """An empty page without a network. The test fails if it asks for one, or if a script fails."""
    context = browser.new_context(offline=True, viewport={"width": 1600, "height": 1000})
    context.set_default_timeout(10_000)
    page = context.new_page()
    asked, errors = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert [url for url in asked if not url.startswith(LOCAL)] == []
    assert errors == []


@pytest.fixture
def screenshot(page):
    """A function that keeps what the page shows as a picture for people: `screenshot("name")`."""
    return lambda name: page.screenshot(path=SCREENSHOTS / f"{name}.png")
