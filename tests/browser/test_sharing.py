"""The dialog that shares a drawing: as a link, or as a picture."""

import base64
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.browser.board import CHIPS, PHONE, PHOTOS, STATUS, draw, found, ink, settled, upload
from tests.browser.conftest import loaded, opened
from tests.browser.sharing import LINK, OUTCOME, clipboard, share

CODE = '[data-part="code"]'
NO_CLIPBOARD = "Object.defineProperty(navigator, 'clipboard', {value: undefined})"


@pytest.fixture
def sender(browser: Browser, address: str) -> Iterator[Page]:
    """A phone with a menu for sending things, after a penguin was drawn on it."""
    with browser.new_context(
        viewport=PHONE, device_scale_factor=2, has_touch=True, is_mobile=True
    ) as context:
        context.add_init_script("navigator.share = async (what) => { window.sent = what; }")
        with loaded(context.new_page(), address) as page:
            page.get_by_role("button", name="penguin").click()
            expect(page.locator(PHOTOS)).to_have_count(12)
            yield page


def test_a_link_holds_the_drawing_and_undo_brings_back_what_was_there(
    owl: Page, browser: Browser
) -> None:
    owl.get_by_role("radio", name="Eraser").click()
    draw(owl, [{"points": [[0.2, 0.3], [0.8, 0.35]]}])
    photos = found(owl)
    link = share(owl)
    assert len(link) < 1200
    with opened(browser, link.partition("#")[0]) as other:
        other.get_by_role("button", name="rabbit").click()
        expect(other.locator(PHOTOS)).to_have_count(12)
        mine, before = found(other), ink(other)
        other.goto("about:blank")
        other.goto(link)
        expect(other.locator(PHOTOS)).to_have_count(12)
        expect(other).to_have_url(link.partition("#")[0])
        theirs = found(other)
        assert theirs[0] == photos[0]
        assert len(set(theirs) & set(photos)) >= 10
        other.get_by_role("button", name="Undo").click()
        assert found(other) == mine
        assert ink(other) == before
        other.get_by_role("button", name="Redo").click()
        assert found(other) == theirs
        assert share(other) == link


def test_a_link_opened_in_the_same_tab_takes_the_place_of_a_photo_search(owl: Page) -> None:
    photos, link = found(owl), share(owl)
    owl.keyboard.press("Escape")
    owl.locator(f"{PHOTOS} button").nth(6).click()
    owl.get_by_role("button", name="Photos like this one").click()
    expect(owl.locator(CHIPS)).to_have_count(1)
    owl.goto(link)
    expect(owl.locator(CHIPS)).to_have_count(0)
    expect(owl).to_have_url(link.partition("#")[0])
    assert found(owl)[0] == photos[0]


def test_a_damaged_link_is_said_and_the_page_left_alone(owl: Page, address: str) -> None:
    photos, before, link = found(owl), ink(owl), share(owl)
    owl.keyboard.press("Escape")
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = deflate.compress(bytes(200_000_000)) + deflate.flush()
    bombed = base64.urlsafe_b64encode(bomb).decode().rstrip("=")
    for text in (link[:-9], f"{address}/#d=", f"{address}/#d=%00", f"{address}/#d={bombed}"):
        for fresh in (False, True):
            if fresh:
                owl.goto("about:blank")
            owl.goto(text)
            expect(owl.locator(STATUS)).to_contain_text("cannot be read: it is damaged")
            expect(owl).to_have_url(f"{address}/")
            assert found(owl) == photos
            assert ink(owl) == before
            if fresh:
                expect(owl.get_by_role("button", name="Undo")).to_be_disabled()
    owl.get_by_role("button", name="Clear").click()
    expect(owl.locator(STATUS)).to_contain_text("Start with a line")


def test_a_browser_too_old_for_links_does_not_blame_the_link(
    browser: Browser, address: str, owl: Page
) -> None:
    link = share(owl)
    with browser.new_context() as context:
        context.add_init_script("delete window.DecompressionStream")
        with loaded(context.new_page(), link) as page:
            expect(page.locator(STATUS)).to_contain_text("browser is too old")


def test_the_dialog_is_worked_by_keys_and_gives_the_focus_back(owl: Page) -> None:
    button = owl.get_by_role("button", name="Share", exact=True)
    before = ink(owl)
    button.focus()
    owl.keyboard.press("Enter")
    expect(owl.get_by_role("button", name="Copy link")).to_be_focused()
    owl.keyboard.press("Control+z")
    owl.keyboard.press("Enter")
    assert clipboard(owl) == owl.get_by_label("Link", exact=True).input_value()
    owl.keyboard.press("Escape")
    expect(owl.get_by_role("dialog")).to_have_count(0)
    expect(button).to_be_focused()
    assert ink(owl) == before
    owl.get_by_role("button", name="Clear").click()
    expect(button).to_be_hidden()


def test_without_a_clipboard_the_text_is_marked_to_be_copied_by_hand(
    owl: Page, address: str
) -> None:
    owl.add_init_script(NO_CLIPBOARD)
    owl.reload()
    expect(owl.locator(PHOTOS)).to_have_count(12)
    link = share(owl)
    marked = "e => e.value.slice(e.selectionStart, e.selectionEnd)"
    owl.get_by_role("button", name="Copy link").click()
    expect(owl.locator(LINK)).to_be_focused()
    assert owl.locator(LINK).evaluate(marked) == link
    expect(owl.locator(OUTCOME)).to_contain_text("Ctrl+C")
    owl.get_by_role("button", name="Copy as Python").click()
    expect(owl.get_by_label("The call")).to_be_focused()
    assert f'Client("{address}/")' in owl.locator(CODE).evaluate(marked)
    assert owl.locator(CODE).get_attribute("readonly") is not None


def test_the_picture_shows_drawing_and_photos(owl: Page, tmp_path: Path) -> None:
    share(owl)
    poster = owl.locator('[data-part="poster"]')
    expect(poster).to_have_attribute("aria-label", "Your drawing beside the photos found: 12")
    expect(poster).to_have_attribute("width", "1608")
    with owl.expect_download() as download:
        owl.get_by_role("button", name="Save as PNG").click()
    assert download.value.suggested_filename == "sketchzoo.png"
    download.value.save_as(tmp_path / "saved.png")
    with Image.open(tmp_path / "saved.png") as picture:
        assert picture.width == 1608
        opacity = picture.convert("RGBA").getchannel("A").histogram()
        assert opacity[255] == picture.width * picture.height
        grey = picture.convert("L")

    def darker(than: int, left: int, top: int, right: int, bottom: int) -> int:
        return sum(grey.crop((left, top, right, bottom)).histogram()[:than])

    assert 0.02 < darker(60, 48, 84, 728, 764) / 680**2 < 0.3
    for column in range(4):
        for row in range(3):
            x, y = 776 + column * 200, 84 + row * 230
            assert darker(150, x + 8, y + 8, x + 176, y + 176) > 500
            assert darker(100, x, y + 186, x + 184, y + 214) > 20
    assert darker(160, 48, 788, 1560, grey.height) > 500


def test_an_upload_stays_out_of_the_link_and_that_is_said(
    page: Page, examples: dict[str, list[dict[str, Any]]], tmp_path: Path
) -> None:
    upload(page, examples["fish"], tmp_path / "fish.png")
    expect(page.locator(PHOTOS)).to_have_count(12)
    share(page)
    note = page.get_by_text("Only the PNG holds the uploaded picture")
    expect(note).to_be_visible()
    expect(page.get_by_role("button", name="Save as PNG")).to_be_visible()
    expect(page.get_by_role("button", name="Copy link")).to_be_hidden()
    expect(page.get_by_role("button", name="Copy as curl")).to_be_hidden()
    page.keyboard.press("Escape")
    draw(page, [{"points": [[0.1, 0.1], [0.4, 0.2]]}])
    settled(page)
    assert "#d=" in share(page)
    expect(note).to_be_visible()
    expect(page.get_by_role("button", name="Copy link")).to_be_visible()
    expect(page.get_by_role("button", name="Copy as curl")).to_be_hidden()
    page.keyboard.press("Escape")
    page.locator(f"{PHOTOS} button").first.click()
    page.get_by_role("button", name="Photos like this one").click()
    settled(page)
    share(page)
    expect(page.get_by_role("button", name="Copy as curl")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Remove: like a photo").click()
    page.get_by_role("button", name="Clear").click()
    page.get_by_role("button", name="owl").click()
    share(page)
    expect(note).to_be_hidden()


def test_a_drawing_over_the_limits_is_thinned_for_its_link(page: Page) -> None:
    line = {"width": 0.01, "points": [[0.1, 0.1], [0.9, 0.9]]}
    page.evaluate(
        "strokes => addEventListener('pagehide', () => "
        "sessionStorage['sketchzoo.page'] = JSON.stringify({strokes, picture: null}))",
        [line] * 1001,
    )
    page.reload()
    expect(page.locator(PHOTOS)).to_have_count(12)
    share(page)
    expect(page.get_by_role("button", name="Copy link")).to_be_visible()
    expect(page.get_by_role("button", name="Save as PNG")).to_be_visible()


def test_a_browser_that_cannot_pack_a_link_says_so(page: Page) -> None:
    page.evaluate("() => { window.CompressionStream = undefined; }")
    page.get_by_role("button", name="owl").click()
    share(page)
    expect(page.locator(OUTCOME)).to_contain_text("too large for a link")
    expect(page.get_by_role("button", name="Copy link")).to_be_hidden()
    expect(page.get_by_role("button", name="Save as PNG")).to_be_visible()


def test_on_a_phone_the_dialog_fits_and_sends(sender: Page) -> None:
    link = share(sender)
    box = sender.get_by_role("dialog").bounding_box()
    assert box
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= 844
    assert sender.evaluate("document.documentElement.scrollWidth") <= 390
    for button in sender.locator('[data-part="share-dialog"] button:visible').all():
        size = button.bounding_box()
        assert size
        assert size["height"] >= 44
        assert button.evaluate("b => b.scrollWidth <= b.clientWidth")
    sender.get_by_role("button", name="Send …").tap()
    sender.wait_for_function("window.sent")
    assert sender.evaluate("window.sent") == {"title": "SketchZoo", "url": link}
    sender.evaluate("() => { navigator.share = async () => { throw new TypeError('no'); }; }")
    sender.get_by_role("button", name="Send …").tap()
    expect(sender.locator(OUTCOME)).to_contain_text("was not sent")


def test_where_nothing_can_be_sent_there_is_no_button_for_it(owl: Page) -> None:
    owl.add_init_script("delete Navigator.prototype.share")
    owl.reload()
    share(owl)
    expect(owl.get_by_role("button", name="Copy link")).to_be_visible()
    expect(owl.locator('[data-part="send-link"]')).to_be_hidden()
