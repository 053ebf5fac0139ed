"""Fixtures for a headless Chromium. Without an installed one the tests are skipped."""

import shutil

import pytest

from tests.support.dbt_runner import ROOT

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")

# Allow to run as root and without a display, and disable the browser's background requests.
FLAGS = [
    *("--no-sandbox", "--headless", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]

# Kept by CI.
SCREENSHOTS = ROOT / "target" / "screenshots"

# The URLs that a page may request without a network.
LOCAL = ("file:", "data:", "blob:")


# Per module, because the main thread has an event loop while Playwright runs.
@pytest.fixture(scope="module")
def browser():
    """Yield a headless Chromium. Skip the test if none is installed; none is downloaded."""
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
    """Yield an empty page without a network.

    The test fails if the page requests a remote URL or if a script fails.
    """
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
    """Return a function that saves a screenshot of the page: `screenshot("name")`."""
    return lambda name: page.screenshot(path=SCREENSHOTS / f"{name}.png")
