from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from benchmarks.running import chromium, running_app


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """The real app with the shipped checkpoint and the starter gallery."""
    with running_app("app.py") as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """The app's page on a desktop; a script error in it fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.goto(address)
    opened.wait_for_selector('[data-part="examples"] button')
    yield opened
    context.close()
    assert errors == []
