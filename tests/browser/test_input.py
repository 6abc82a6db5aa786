"""Dropped, pasted and SVG drawings, surprises, and how many photos come back."""

import base64
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.board import PHOTOS, STATUS, draw, found, settled, upload
from tests.browser.conftest import opened_in

GIVE = """([kind, encoded, name, type]) => {
    const bytes = Uint8Array.from(atob(encoded), c => c.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], name, {type}));
    const board = document.querySelector(".board");
    if (kind === "paste") {
        document.dispatchEvent(new ClipboardEvent("paste", {clipboardData: data, bubbles: true}));
        return;
    }
    for (const step of ["dragenter", "dragover", "drop"]) {
        if (step === "drop" && !board.classList.contains("dropping")) throw Error("no sign");
        board.dispatchEvent(new DragEvent(step, {dataTransfer: data, bubbles: true}));
    }
}"""


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_a_dropped_or_pasted_sketch_is_that_of_an_upload(
    page: Page, examples: dict[str, list[dict[str, Any]]], tmp_path: Path, kind: str
) -> None:
    file = tmp_path / "duck.png"
    upload(page, examples["duck"], file)
    expect(page.locator(PHOTOS)).to_have_count(12)
    expected = found(page)
    page.get_by_role("button", name="Clear").click()
    expect(page.locator(PHOTOS)).to_have_count(0)
    encoded = base64.b64encode(file.read_bytes()).decode()
    page.evaluate(GIVE, [kind, encoded, "duck.png", "image/png"])
    expect(page.locator(PHOTOS)).to_have_count(12)
    assert found(page) == expected
    assert not page.locator(".board.dropping").count()


def test_an_svg_drawing_is_painted_without_its_scripts(page: Page, tmp_path: Path) -> None:
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    file = tmp_path / "fish.svg"
    file.write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 80" width="100" height="80">'
        "<script>window.owned = true; fetch('http://example.invalid/x')</script>"
        '<image href="http://example.invalid/y.png" width="9" height="9"/>'
        '<g fill="none" stroke="black" stroke-width="2"><ellipse cx="42" cy="40" rx="28" ry="16"/>'
        '<path d="M70 40 90 26v28zM26 36h2"/></g></svg>'
    )
    page.locator('[data-part="file"]').set_input_files(file)
    expect(page.locator(PHOTOS)).to_have_count(12)
    settled(page)
    assert page.evaluate("window.owned") is None
    assert not [url for url in requests if "example.invalid" in url]
    file.write_text("<svg>cut short")
    page.locator('[data-part="file"]').set_input_files(file)
    expect(page.locator(STATUS)).to_contain_text("cannot be shown as a picture")
    expect(page.locator(PHOTOS)).to_have_count(12)


def test_surprises_differ_from_one_to_the_next(page: Page) -> None:
    seen = []
    for _ in range(3):
        page.get_by_role("button", name="Surprise me").click()
        expect(page.locator(PHOTOS)).to_have_count(12)
        seen.append(page.locator('[data-part="pad"]').evaluate("c => c.toDataURL()"))
        page.get_by_role("button", name="Clear").click()
    assert seen[0] != seen[1] != seen[2]


def test_as_many_photos_come_as_are_asked_for_and_the_browser_remembers(page: Page) -> None:
    page.get_by_role("button", name="elephant").click()
    expect(page.locator(PHOTOS)).to_have_count(12)
    first = found(page)
    for count in (48, 4, 24):
        page.get_by_label("Photos to show").select_option(str(count))
        expect(page.locator(PHOTOS)).to_have_count(count)
        assert found(page)[:4] == first[:4]
    page.reload()
    expect(page.locator(PHOTOS)).to_have_count(24)


def test_photos_that_stay_move_to_their_new_place_unless_motion_is_unwanted(
    desktop: BrowserContext,
    still_desktop: BrowserContext,
    address: str,
    examples: dict[str, list[dict[str, Any]]],
) -> None:
    for context, moves in ((desktop, True), (still_desktop, False)):
        with opened_in(context, address) as page:
            page.evaluate(
                "() => { window.moved = 0; const animate = Element.prototype.animate;"
                "Element.prototype.animate = function (frames, options) {"
                "  if (frames[0].transform) window.moved += 1;"
                "  return animate.call(this, frames, options); }; }"
            )
            for stroke in examples["horse"][:6]:
                draw(page, [stroke])
                settled(page)
            assert (page.evaluate("window.moved") > 0) == moves
