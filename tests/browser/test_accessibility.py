"""What axe-core finds wrong with the page for people who use it in other ways."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.browser.test_board import PHOTOS, STATUS, draw, settled
from tests.browser.test_map import PINS


@pytest.fixture(params=["desktop", "phone"])
def size(request: pytest.FixtureRequest) -> ViewportSize:
    if request.param == "phone":
        return {"width": 390, "height": 844}
    return {"width": 1280, "height": 800}


@pytest.fixture(params=["light", "dark"])
def board(
    request: pytest.FixtureRequest, browser: Browser, address: str, size: ViewportSize
) -> Iterator[Page]:
    context = browser.new_context(
        viewport=size, color_scheme=request.param, reduced_motion="reduce"
    )
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector('[data-part="examples"] button')
    assert page.evaluate("document.body.classList.contains('dark')") == (request.param == "dark")
    yield page
    context.close()


def violations(page: Page) -> list[str]:
    """What is serious or critical, with the elements that it is about."""
    result = Axe().run(page).response
    return [
        f"{found['id']} ({found['impact']}): {node['html']} {node['failureSummary']}"
        for found in result["violations"]
        if found["impact"] in ("serious", "critical")
        for node in found["nodes"]
    ]


def test_every_view_is_free_of_serious_violations(board: Page) -> None:
    assert violations(board) == [], "empty page"
    board.get_by_role("button", name="horse").click()
    expect(board.locator(PHOTOS)).to_have_count(12)
    settled(board)
    assert violations(board) == [], "results"
    board.get_by_role("button", name="Map", exact=True).click()
    expect(board.locator(PINS).first).to_be_visible()
    assert violations(board) == [], "map"
    board.get_by_role("button", name="Photos", exact=True).click()
    board.locator(f"{PHOTOS} button").first.click()
    expect(board.get_by_role("dialog")).to_be_visible()
    assert violations(board) == [], "closer look"
    board.get_by_role("button", name="Why this photo?").click()
    expect(board.locator('[data-part="because"]')).to_contain_text("Warm parts")
    assert violations(board) == [], "why"
    board.get_by_role("button", name="More like this").click()
    settled(board)
    assert violations(board) == [], "chips"
    board.get_by_role("button", name="Share").click()
    expect(board.get_by_role("dialog")).to_be_visible()
    assert violations(board) == [], "share"
    board.keyboard.press("Escape")
    board.get_by_role("button", name="Remove").click()
    board.get_by_role("button", name="Clear").click()
    draw(board, [{"points": [[0.2, 0.5], [0.5, 0.5], [0.8, 0.5]]}])
    expect(board.locator(STATUS)).to_contain_text("Nothing here looks like it yet")
    settled(board)
    assert violations(board) == [], "nothing like it"
    board.context.set_offline(True)
    draw(board, [{"points": [[0.2, 0.2], [0.8, 0.2]]}])
    expect(board.locator(STATUS)).to_contain_text("does not answer")
    assert violations(board) == [], "an error"


def test_axe_finds_a_button_without_a_name(page: Page) -> None:
    page.evaluate("document.querySelector('[data-part=undo]').removeAttribute('aria-label')")
    page.evaluate("document.querySelector('[data-part=undo]').removeAttribute('title')")
    assert [found.partition(":")[0] for found in violations(page)] == ["button-name (critical)"]
