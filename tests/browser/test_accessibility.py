"""What axe-core finds on the page that keeps people from using it."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser.board import DESKTOP, PHONE, PHOTOS, PINS, STATUS, draw, settled
from tests.browser.conftest import opened


@pytest.fixture(params=["light", "dark"])
def colours(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[DESKTOP, PHONE], ids=["desktop", "phone"])
def board(
    request: pytest.FixtureRequest, browser: Browser, address: str, colours: str
) -> Iterator[Page]:
    options = {"viewport": request.param, "color_scheme": colours, "reduced_motion": "reduce"}
    with opened(browser, address, **options) as page:
        dark = page.evaluate("document.body.classList.contains('dark')")
        assert dark == (colours == "dark")
        yield page


def violations(page: Page) -> list[str]:
    """Serious and critical violations, each with its element."""
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
    assert violations(board) == [], "photo dialog"
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
