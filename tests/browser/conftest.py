"""The running app, and pages of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from gradio_client import Client
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.board import DESKTOP, PHONE, PHOTOS, settled, wait_for_board
from tests.browser.maps import show_map
from tests.harness.apps import running_app


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """The real app with the shipped checkpoint and the starter gallery."""
    with running_app("app.py") as running:
        yield running


@pytest.fixture(scope="session")
def client(address: str) -> Client:
    """Gradio's client of the app."""
    return Client(address, verbose=False)


@contextmanager
def loaded(page: Page, address: str) -> Iterator[Page]:
    """Loads the board into a page; a script error in it fails the test."""
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(address)
    wait_for_board(page)
    yield page
    assert errors == []


@contextmanager
def opened(browser: Browser, address: str, **options: Any) -> Iterator[Page]:
    """The board in a browser context of its own, by default on a desktop."""
    with (
        browser.new_context(**{"viewport": DESKTOP, **options}) as context,
        loaded(context.new_page(), address) as page,
    ):
        yield page


@contextmanager
def opened_in(context: BrowserContext, address: str) -> Iterator[Page]:
    """The board in a browser context that other tests use, too. It has stored nothing of them."""
    page = context.new_page()
    stored = {"origin": address, "storageTypes": "cookies,local_storage"}
    context.new_cdp_session(page).send("Storage.clearDataForOrigin", stored)
    try:
        with loaded(page, address):
            yield page
    finally:
        page.close()
        context.set_offline(False)
        context.clear_permissions()


@contextmanager
def kept(browser: Browser, **options: Any) -> Iterator[BrowserContext]:
    """A context that many tests use, so that Gradio's scripts are loaded once.

    Its first page stays open. Without it, Chromium would end the process of each page that is
    closed, and compile these scripts anew for the next.
    """
    with browser.new_context(**options) as context:
        context.new_page()
        yield context


@pytest.fixture(scope="session")
def desktop(browser: Browser) -> Iterator[BrowserContext]:
    with kept(browser, viewport=DESKTOP) as context:
        yield context


@pytest.fixture(scope="session")
def still_desktop(browser: Browser) -> Iterator[BrowserContext]:
    """A desktop where nothing is animated, so that places can be read at once."""
    options: dict[str, Any] = {"reduced_motion": "reduce", "device_scale_factor": 2}
    with kept(browser, viewport=DESKTOP, **options) as context:
        yield context


@pytest.fixture(scope="session")
def still_phone(browser: Browser) -> Iterator[BrowserContext]:
    """A phone where nothing is animated."""
    options: dict[str, Any] = {"reduced_motion": "reduce", "device_scale_factor": 3}
    with kept(browser, viewport=PHONE, has_touch=True, is_mobile=True, **options) as context:
        yield context


@pytest.fixture
def page(desktop: BrowserContext, address: str) -> Iterator[Page]:
    """The board on a desktop."""
    with opened_in(desktop, address) as page:
        yield page


@pytest.fixture
def phone(still_phone: BrowserContext, address: str) -> Iterator[Page]:
    """The board on a phone."""
    with opened_in(still_phone, address) as page:
        yield page


@pytest.fixture
def view(still_desktop: BrowserContext, address: str) -> Iterator[Page]:
    """The map on a desktop."""
    with opened_in(still_desktop, address) as page:
        show_map(page)
        yield page


@pytest.fixture
def phone_view(phone: Page) -> Page:
    """The map on a phone."""
    show_map(phone)
    return phone


@pytest.fixture
def horse(page: Page) -> Page:
    """The board after a horse was drawn."""
    page.get_by_role("button", name="horse").click()
    expect(page.locator(PHOTOS)).to_have_count(12)
    settled(page)
    return page


@pytest.fixture
def owl(page: Page) -> Page:
    """The board after an owl was drawn, in a browser whose clipboard can be read."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="owl").click()
    expect(page.locator(PHOTOS)).to_have_count(12)
    settled(page)
    return page
