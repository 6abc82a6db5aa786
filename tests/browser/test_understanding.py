"""What the drawing may show, why a photo matches, and drawings on photographed paper."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.board import (
    DESKTOP,
    PHONE,
    PHOTOS,
    STATUS,
    draw,
    found,
    open_photo,
    painted,
    settled,
)
from tests.browser.conftest import opened
from tests.harness.pictures import fish, pencil_on_paper

GUESSES = '[data-part="guesses"] li'
WARMTH = """(name) => {
    const canvas = document.querySelector(`[data-part="${name}"]`);
    const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    let warm = 0;
    for (let i = 0; i < pixels.length; i += 4) {
        warm += pixels[i + 3] > 60 && pixels[i] - pixels[i + 2] > 60;
    }
    return warm / (pixels.length / 4);
}"""

WHITE_AND_BLACK = """() => {
    const canvas = document.querySelector('[data-part="pad"]');
    const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    let white = 0, black = 0;
    for (let i = 0; i < data.length; i += 4) {
        white += data[i] > 245;
        black += data[i + 3] > 200 && data[i] < 60;
    }
    return [white, black].map((n) => n / (data.length / 4));
}"""


def test_guesses_are_bars_as_wide_as_they_are_sure(horse: Page) -> None:
    expect(horse.get_by_role("list", name="What it may be")).to_be_visible()
    first = horse.locator(GUESSES).first
    expect(first).to_contain_text("horse")
    percent = [int(t.split()[0]) for t in horse.locator(f"{GUESSES} b").all_inner_texts()]
    assert percent == sorted(percent, reverse=True)
    assert 3 <= percent[0] <= 100
    width = first.evaluate("e => parseFloat(getComputedStyle(e, '::after').width)")
    whole = first.evaluate("e => e.clientWidth")
    assert 100 * width / whole == pytest.approx(percent[0], abs=2)
    horse.get_by_role("button", name="Clear").click()
    expect(horse.locator(GUESSES)).to_have_count(0)


def test_the_warm_parts_are_shown_on_the_photo_and_on_the_drawing(horse: Page) -> None:
    open_photo(horse, 2)
    why = horse.get_by_role("button", name="Why this photo?")
    expect(why).to_have_attribute("aria-pressed", "false")
    why.click()
    expect(why).to_have_attribute("aria-pressed", "true")
    expect(horse.locator('[data-part="because"]')).to_contain_text("Warm parts")
    for canvas in ("photo-heat", "sketch-heat"):
        assert 0.005 < horse.evaluate(WARMTH, canvas) < 0.7
    why.click()
    expect(why).to_have_attribute("aria-pressed", "false")
    expect(horse.locator('[data-part="photo-heat"]')).to_be_hidden()


def test_an_explanation_that_takes_long_leaves_the_next_photo_alone(horse: Page) -> None:
    held: list[Route] = []
    horse.route("**/board/explain", lambda route: held.append(route))
    why = horse.get_by_role("button", name="Why this photo?")
    because = horse.locator('[data-part="because"]')
    for rank in (2, 3):
        open_photo(horse, rank)
        expect(why).to_be_enabled()
        expect(because).to_have_text("")
        with horse.expect_request("**/board/explain"):
            why.click()
        expect(because).to_have_text("Looking …")
        if rank == 2:
            horse.keyboard.press("Escape")
    with horse.expect_response("**/board/explain"):
        held[0].continue_()
    painted(horse)
    expect(why).to_be_disabled()
    expect(because).to_have_text("Looking …")
    held[1].continue_()
    expect(because).to_contain_text("Warm parts")
    expect(why).to_be_enabled()


def test_a_search_by_a_photo_has_no_drawing_to_explain(horse: Page) -> None:
    open_photo(horse, 3)
    horse.get_by_role("button", name="Photos like this one").click()
    settled(horse)
    expect(horse.locator(GUESSES)).to_have_count(0)
    open_photo(horse, 2)
    expect(horse.get_by_role("button", name="Why this photo?")).to_be_hidden()


def test_a_line_is_like_nothing_here(page: Page) -> None:
    draw(page, [{"points": [[0.2, 0.5], [0.5, 0.5], [0.8, 0.5]]}])
    expect(page.locator(STATUS)).to_contain_text("Nothing here looks like it yet")
    expect(page.locator(PHOTOS)).to_have_count(12)


@pytest.mark.parametrize(
    "options",
    [{"viewport": DESKTOP}, {"viewport": PHONE, "is_mobile": True, "has_touch": True}],
    ids=["desktop", "phone"],
)
def test_a_photographed_drawing_becomes_ink_on_white_and_can_be_drawn_on(
    browser: Browser, address: str, tmp_path: Path, options: dict[str, Any]
) -> None:
    file = tmp_path / "paper.jpg"
    pencil_on_paper(fish(512, 6), np.random.default_rng(0)).save(file, quality=90)
    with opened(browser, address, **options) as page:
        page.locator('[data-part="file"]').set_input_files(file)
        expect(page.locator(PHOTOS)).to_have_count(12)
        settled(page)
        shares = page.evaluate(WHITE_AND_BLACK)
        assert shares[0] > 0.85
        assert 0.005 < shares[1] < 0.1
        before = found(page)
        draw(page, [{"points": [[0.1, 0.1], [0.9, 0.1]]}])
        assert found(page) != before
        page.reload()
        expect(page.locator(PHOTOS)).to_have_count(12)
