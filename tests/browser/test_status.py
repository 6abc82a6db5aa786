"""What the status line says, and for how long."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, Request, Route, expect

from tests.browser.board import CROSS, LINE, PHOTOS, STATUS, draw, painted, settled
from tests.harness.pictures import fish


def is_search(request: Request) -> bool:
    return request.url.endswith("/board/search")


def hold_searches(page: Page) -> Callable[[], None]:
    """Holds all searches from now on; returns what lets them go on."""
    held: list[Route] = []

    open_again: list[bool] = []

    def take(route: Route) -> None:
        if open_again:
            route.continue_()
        else:
            held.append(route)

    def release() -> None:
        open_again.append(True)
        for route in held:
            route.continue_()

    page.route("**/board/search", take)
    return release


def choose(page: Page, file: Path) -> None:
    page.locator('[data-part="file"]').set_input_files(file)


def test_an_upload_that_failed_is_not_hidden_by_a_search_that_fails_again(
    page: Page, tmp_path: Path
) -> None:
    page.context.set_offline(True)
    draw(page, [LINE])
    expect(page.locator(STATUS)).to_contain_text("does not answer")
    fish(300, 6).save(tmp_path / "fish.png")
    choose(page, tmp_path / "fish.png")
    expect(page.locator(STATUS)).to_contain_text("did not reach the server")
    for _ in range(2):
        page.wait_for_event("requestfailed", is_search)
    painted(page)
    expect(page.locator(STATUS)).to_contain_text("did not reach the server")
    draw(page, [CROSS])
    expect(page.locator(STATUS)).to_contain_text("does not answer")


def test_a_file_that_is_no_picture_is_not_hidden_by_a_late_answer(
    page: Page, tmp_path: Path
) -> None:
    release = hold_searches(page)
    with page.expect_request(is_search):
        draw(page, [LINE])
    (tmp_path / "notes.png").write_text("no picture")
    choose(page, tmp_path / "notes.png")
    expect(page.locator(STATUS)).to_contain_text("notes.png cannot be read")
    release()
    expect(page.locator(PHOTOS)).to_have_count(12)
    settled(page)
    expect(page.locator(STATUS)).to_contain_text("notes.png cannot be read")
    draw(page, [CROSS])
    expect(page.locator(f"{STATUS}.error")).to_have_count(0)
    expect(page.locator(STATUS)).not_to_contain_text("notes.png cannot be read")


def test_the_first_search_says_that_it_is_under_way(page: Page) -> None:
    release = hold_searches(page)
    expect(page.locator(STATUS)).to_have_text("Start with a line, or choose an example.")
    draw(page, [LINE])
    expect(page.locator(STATUS)).to_have_text("Searching …")
    release()
    expect(page.locator(PHOTOS)).to_have_count(12)
    settled(page)
    said = page.locator(STATUS).inner_text()
    hold_searches(page)
    with page.expect_request(is_search):
        draw(page, [CROSS])
    expect(page.locator(STATUS)).to_have_text(said)


def test_people_can_select_what_it_says(page: Page) -> None:
    page.locator(STATUS).dblclick(position={"x": 20, "y": 10})
    assert page.evaluate("String(getSelection())").strip() == "Start"
