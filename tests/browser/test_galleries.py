"""Several galleries: which one is searched is chosen on the board."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Page, Request, Route, expect

from model.gallery.build import build_gallery
from model.gallery.photos import photos_in
from tests.browser.board import CHIPS, PHOTOS, PINS, found, middle, settled
from tests.browser.conftest import opened_in
from tests.harness.apps import running_app
from tests.harness.checkpoints import make_checkpoint
from tests.harness.pictures import draw_photos

GALLERIES = '[data-part="galleries"]'
ANIMALS = '[data-part="animals"] option'


@pytest.fixture(scope="module")
def two_galleries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An app over two galleries, whose names and labels are as odd as names of folders may be."""
    folder = tmp_path_factory.mktemp("galleries")
    checkpoint = make_checkpoint(folder / "checkpoint")
    build_gallery(checkpoint, photos_in(draw_photos(folder / "photos")), folder / "zoo")
    label = folder / "other" / "<b>tag & 'co'"
    label.mkdir(parents=True)
    for hue in ("gold", "teal"):
        Image.new("RGB", (60, 60), hue).save(label / f"{hue}.png")
    odd = folder / "my & <i>zoo?"
    build_gallery(checkpoint, photos_in(folder / "other"), odd)
    with running_app("app.py", "--gallery", folder / "zoo", odd) as address:
        yield address


@pytest.fixture
def board(desktop: BrowserContext, two_galleries: str) -> Iterator[Page]:
    with opened_in(desktop, two_galleries) as page:
        yield page


def test_a_person_chooses_among_galleries_and_the_browser_keeps_the_choice(board: Page) -> None:
    expect(board.locator(f"{GALLERIES} option")).to_have_text(["zoo", "my & <i>zoo?"])
    board.get_by_role("button", name="horse").click()
    expect(board.locator(PHOTOS)).to_have_count(6)
    expect(board.locator(ANIMALS)).to_have_text(["All animals", "blue whale (3)", "red panda (3)"])
    board.locator(f"{PHOTOS} button").first.click()
    board.get_by_role("button", name="Less like this").click()
    expect(board.locator(CHIPS)).to_have_count(1)

    board.get_by_label("Gallery to search").select_option("my & <i>zoo?")
    expect(board.locator(PHOTOS)).to_have_count(2)
    expect(board.locator(CHIPS)).to_have_count(0)
    expect(board.locator(ANIMALS)).to_have_text(["All animals", "<b>tag & 'co' (2)"])
    settled(board)
    assert all("gallery=my%20%26%20%3Ci%3Ezoo%3F&v=" in address for address in found(board))
    shown = "images => images.every(image => image.complete && image.naturalWidth === 60)"
    board.wait_for_function(f"() => ({shown})([...document.querySelectorAll('{PHOTOS} img')])")
    board.locator(f"{PHOTOS} button").first.click()
    board.wait_for_function(
        "() => { const i = document.querySelector('[data-part=large]');"
        "return i.src.includes('/photos/') && i.naturalWidth === 60; }"
    )
    board.keyboard.press("Escape")
    board.get_by_role("button", name="Map").click()
    expect(board.locator(PINS)).to_have_count(2)

    board.reload()
    expect(board.locator(GALLERIES)).to_have_value("my & <i>zoo?")
    expect(board.locator(PHOTOS)).to_have_count(2)


def store_choice(page: Page, gallery: str) -> list[dict[str, Any]]:
    """Starts anew with a gallery that this browser has searched last; returns what is searched."""
    asked: list[dict[str, Any]] = []

    def note(request: Request) -> None:
        if request.url.endswith("/board/search"):
            asked.append(json.loads(request.post_data or ""))

    page.get_by_role("button", name="horse").click()
    expect(page.locator(PHOTOS)).to_have_count(6)
    page.evaluate("name => sessionStorage.setItem('sketchzoo.gallery', name)", gallery)
    page.on("request", note)
    return asked


def test_the_kept_gallery_is_searched_though_the_first_list_of_galleries_fails(
    board: Page,
) -> None:
    asked = store_choice(board, "my & <i>zoo?")
    failed: list[Route] = []

    def fail_once(route: Route) -> None:
        if failed:
            route.continue_()
        else:
            failed.append(route)
            route.abort()

    board.route("**/board/galleries", fail_once)
    board.reload()
    expect(board.locator(PHOTOS)).to_have_count(2)
    assert {search["gallery"] for search in asked} == {"my & <i>zoo?"}
    expect(board.locator(GALLERIES)).to_have_value("my & <i>zoo?")
    assert failed


def test_a_kept_gallery_that_is_gone_gives_way_to_the_first(board: Page) -> None:
    store_choice(board, "sold")
    board.reload()
    expect(board.locator(PHOTOS)).to_have_count(6)
    expect(board.locator(GALLERIES)).to_have_value("zoo")


def test_a_map_that_comes_late_is_not_that_of_another_gallery(board: Page) -> None:
    board.get_by_role("button", name="horse").click()
    expect(board.locator(PHOTOS)).to_have_count(6)
    settled(board)
    asked: list[Route] = []
    board.route("**/map.json*", lambda route: asked.append(route))
    board.get_by_role("button", name="Map").click()
    for _ in range(3):
        board.get_by_role("button", name="Undo").click()
        board.get_by_role("button", name="Redo").click()
        settled(board)
    assert len(asked) == 1
    with board.expect_request("**/map.json*"):
        board.get_by_label("Gallery to search").select_option("my & <i>zoo?")
    expect(board.locator(f"{ANIMALS}")).to_have_text(["All animals", "<b>tag & 'co' (2)"])
    settled(board)
    assert len(asked) == 2
    for route in reversed(asked):
        route.continue_()
    expect(board.locator(PINS)).to_have_count(2)
    board.wait_for_load_state("networkidle")
    board.mouse.move(*middle(board, PINS))
    expect(board.locator('[data-part="tip"]')).to_have_text("<b>tag & 'co'")


def test_photos_of_the_gallery_before_are_gone_at_once_and_do_not_come_back(board: Page) -> None:
    board.get_by_role("button", name="horse").click()
    expect(board.locator(PHOTOS)).to_have_count(6)
    settled(board)
    asked: list[Route] = []

    def hold(route: Route) -> None:
        if asked:
            route.continue_()
        asked.append(route)

    board.route("**/board/search", hold)
    board.get_by_role("button", name="Undo").click()
    with board.expect_request("**/board/search"):
        board.get_by_role("button", name="Redo").click()
    board.get_by_label("Gallery to search").select_option("my & <i>zoo?")
    expect(board.locator(PHOTOS)).to_have_count(0)
    assert len(asked) == 1
    board.evaluate(
        "results => { window.counts = []; new MutationObserver(() =>"
        "counts.push(results.children.length)).observe(results, {childList: true}); }",
        board.locator('[data-part="results"]').element_handle(),
    )
    asked[0].continue_()
    expect(board.locator(PHOTOS)).to_have_count(2)
    settled(board)
    assert max(board.evaluate("counts")) == 2


def test_where_there_is_one_gallery_there_is_nothing_to_choose(page: Page) -> None:
    expect(page.locator(ANIMALS).nth(1)).to_be_attached()
    expect(page.locator(GALLERIES)).to_be_hidden()
