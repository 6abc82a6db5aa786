from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page

from tests.harness.apps import running_app


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """The real app with the shipped checkpoint and the starter gallery."""
    with running_app("app.py") as running:
        yield running


@contextmanager
def opened(browser: Browser, address: str) -> Iterator[Page]:
    """The app's page on a desktop; a script error in it fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(address)
    page.wait_for_selector('[data-part="examples"] button')
    yield page
    context.close()
    assert errors == []


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    with opened(browser, address) as page:
        yield page
