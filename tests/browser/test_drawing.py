"""Pens, eraser, undo and redo, and what survives a reload or a lost server."""

import base64
import io
import re
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, expect

from model.pictures.strokes import parse_strokes, render_strokes
from tests.browser.board import (
    CROSS,
    LINE,
    PAD,
    PHOTOS,
    PINS,
    STATUS,
    box,
    dark_pixels,
    draw,
    found,
    ink,
    painted,
    saved_strokes,
    settled,
    upload,
)
from tests.browser.conftest import loaded, opened


def choose(page: Page, pen: str) -> None:
    page.get_by_role("radio", name=pen).click()


def test_pens_draw_lines_of_their_width(page: Page) -> None:
    counts = []
    for pen in ("Fine pen", "Medium pen", "Bold pen"):
        choose(page, pen)
        expect(page.get_by_role("radio", name=pen)).to_be_checked()
        draw(page, [LINE])
        counts.append(dark_pixels(page))
        page.get_by_role("button", name="Clear").click()
    side = page.locator('[data-part="pad"]').evaluate("c => c.width")
    for count, width in zip(counts, (0.007, 0.012, 0.024), strict=True):
        assert abs(count / side**2 - 0.6 * width) < 0.0035, (counts, side)


def test_the_eraser_takes_ink_away_and_the_search_follows(page: Page) -> None:
    draw(page, [LINE, CROSS])
    crossed, before = dark_pixels(page), found(page)
    choose(page, "Eraser")
    draw(page, [{"points": [[0.5, 0.1], [0.5, 0.45]]}])
    assert dark_pixels(page) < 0.9 * crossed
    assert found(page) != before
    page.get_by_role("button", name="Undo").click()
    assert dark_pixels(page) == crossed
    assert found(page) == before
    draw(page, [{"points": [[0.1, y / 20], [0.9, y / 20]]} for y in range(2, 19)])
    expect(page.locator(STATUS)).to_contain_text("nothing on the page")


def test_undo_and_redo_by_button_and_keyboard(page: Page) -> None:
    draw(page, [LINE])
    one = dark_pixels(page)
    draw(page, [CROSS])
    two, answer = dark_pixels(page), found(page)
    redo = page.get_by_role("button", name="Redo")
    expect(redo).to_be_disabled()
    page.keyboard.press("Control+z")
    assert dark_pixels(page) == one
    redo.click()
    assert dark_pixels(page) == two
    assert found(page) == answer
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    assert dark_pixels(page) == 0
    page.keyboard.press("Control+Shift+Z")
    page.keyboard.press("Control+y")
    assert dark_pixels(page) == two
    expect(redo).to_be_disabled()


def test_pens_are_radio_buttons_for_the_keyboard(page: Page) -> None:
    page.get_by_role("radio", name="Medium pen").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="Bold pen")).to_be_checked()
    expect(page.get_by_role("radio", name="Bold pen")).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="Fine pen")).to_be_checked()


def test_a_reload_keeps_the_drawing(
    page: Page, examples: dict[str, list[dict[str, Any]]], tmp_path: Path
) -> None:
    page.get_by_role("button", name="fish").click()
    answer, before = found(page), dark_pixels(page)
    page.reload()
    expect(page.locator(PHOTOS)).to_have_count(12)
    assert dark_pixels(page) == before
    assert found(page) == answer
    upload(page, examples["owl"], tmp_path / "owl.png")
    expect(page.get_by_role("button", name="Undo")).to_be_enabled()
    draw(page, [LINE])
    answer = found(page)
    page.reload()
    expect(page.locator(PHOTOS)).to_have_count(12)
    assert found(page) == answer


def test_an_upload_that_comes_late_after_a_reload_is_put_under_what_was_drawn_meanwhile(
    page: Page, examples: dict[str, list[dict[str, Any]]], tmp_path: Path
) -> None:
    upload(page, examples["owl"], tmp_path / "owl.png")
    expect(page.locator(PHOTOS)).to_have_count(12)
    before = ink(page)
    page.route("**/gradio_api/file=**", lambda route: route.fulfill(status=503))
    for _ in range(2):
        page.reload()
        expect(page.locator(PHOTOS)).to_have_count(12)
        assert dark_pixels(page) == 0
    draw(page, [LINE])
    answer, line = found(page), ink(page)
    page.unroute("**/gradio_api/file=**")
    page.wait_for_function(
        "line => document.querySelector('[data-part=pad]').toDataURL() !== line", arg=line
    )
    assert found(page) == answer
    page.get_by_role("button", name="Undo").click()
    assert ink(page) == before


def test_an_upload_that_the_server_has_lost_leaves_the_strokes(
    page: Page, examples: dict[str, list[dict[str, Any]]], tmp_path: Path
) -> None:
    upload(page, examples["owl"], tmp_path / "owl.png")
    expect(page.get_by_role("button", name="Undo")).to_be_enabled()
    draw(page, [LINE, CROSS])
    settled(page)
    page.route("**/gradio_api/file=**", lambda route: route.fulfill(status=404))
    page.reload()
    expect(page.locator(PHOTOS)).to_have_count(12)
    kept = "JSON.parse(localStorage['sketchzoo.page'])"
    page.wait_for_function(f"{kept}.picture === null && {kept}.strokes.length === 2")
    lines = dark_pixels(page)
    page.get_by_role("button", name="Clear").click()
    draw(page, [LINE, CROSS])
    assert dark_pixels(page) == lines


def test_a_browser_that_keeps_nothing_can_be_drawn_in(browser: Browser, address: str) -> None:
    with browser.new_context() as context:
        context.add_init_script(
            "Object.defineProperty(window, 'localStorage', { get() { throw new Error('no'); } });"
        )
        with loaded(context.new_page(), address) as page:
            draw(page, [LINE])
            expect(page.locator(PHOTOS)).to_have_count(12)
            page.get_by_role("button", name="Map", exact=True).click()
            expect(page.locator(PINS).first).to_be_visible()


def test_a_page_without_its_scripts_says_what_to_do(browser: Browser, address: str) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.route("**/js/board.js", lambda route: route.abort())
        page.goto(address)
        expect(page.locator(STATUS)).to_contain_text("Reload the page")


def test_a_stroke_whose_end_a_menu_has_swallowed_ends(page: Page) -> None:
    pad = box(page, PAD)
    page.mouse.move(pad["x"] + 50, pad["y"] + 50)
    page.mouse.down()
    page.mouse.move(pad["x"] + 90, pad["y"] + 50)
    before = dark_pixels(page)
    move = """([x, y]) => document.querySelector('[data-part="pad"]').dispatchEvent(
        new PointerEvent("pointermove", { pointerId: 1, clientX: x, clientY: y, buttons: 0 }))"""
    for step in (1, 2):
        page.evaluate(move, [pad["x"] + 90, pad["y"] + 50 + 80 * step])
    assert dark_pixels(page) == before
    page.mouse.up()
    draw(page, [LINE])
    page.get_by_role("button", name="Undo").click()
    assert dark_pixels(page) == before


def test_photos_come_on_their_own_when_the_server_is_back(page: Page) -> None:
    draw(page, [LINE])
    before = found(page)
    page.context.set_offline(True)
    draw(page, [CROSS])
    expect(page.locator(STATUS)).to_contain_text("photos come when it is back")
    page.context.set_offline(False)
    expect(page.locator(STATUS)).to_contain_text(re.compile("nearest", re.IGNORECASE))
    assert found(page) != before


def test_two_fingers_zoom_and_leave_no_stroke(phone: Page) -> None:
    pad = box(phone, PAD)
    touch = phone.context.new_cdp_session(phone)

    def fingers(kind: str, *places: tuple[float, float]) -> None:
        points = [
            {"x": pad["x"] + x * pad["width"], "y": pad["y"] + y * pad["height"], "id": i}
            for i, (x, y) in enumerate(places)
        ]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    fingers("touchStart", (0.4, 0.5))
    fingers("touchStart", (0.4, 0.5), (0.6, 0.5))
    for step in range(1, 8):
        fingers("touchMove", (0.4 - 0.03 * step, 0.5), (0.6 + 0.03 * step, 0.5))
    fingers("touchEnd")
    phone.wait_for_function("visualViewport.scale > 1")
    assert dark_pixels(phone) == 0
    expect(phone.get_by_role("button", name="Undo")).to_be_disabled()


def test_the_keyboard_stays_on_a_button_that_has_nothing_more_to_do(page: Page) -> None:
    draw(page, [LINE])
    for name in ("Undo", "Redo", "Clear"):
        button = page.get_by_role("button", name=name)
        button.focus()
        page.keyboard.press("Enter")
        expect(button).to_be_disabled()
        expect(button).to_be_focused()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Undo").click()
    assert dark_pixels(page) > 0, "clearing an empty page is nothing to undo"


def test_a_pen_draws_by_its_pressure_and_the_hand_beside_it_draws_nothing(page: Page) -> None:
    pad = page.locator('[data-part="pad"]')
    script = """(canvas, [type, pressure, y, button = 0, later = 0]) => {
        const box = canvas.getBoundingClientRect();
        canvas.setPointerCapture = () => {};
        const send = (name, x) => {
            const event = new PointerEvent(name, {
                pointerId: 7, pointerType: type, pressure, bubbles: true, buttons: 1, button,
                clientX: box.left + x * box.width, clientY: box.top + y * box.height,
            });
            Object.defineProperty(event, "timeStamp", { value: performance.now() + later });
            canvas.dispatchEvent(event);
        };
        send("pointerdown", 0.2);
        for (let x = 0.25; x < 0.8; x += 0.05) send("pointermove", x);
        send("pointerup", 0.8);
    }"""
    counts = []
    for pressure in (0.1, 0.5, 0.9):
        pad.evaluate(script, ["pen", pressure, 0.5])
        counts.append(dark_pixels(page))
        page.get_by_role("button", name="Clear").click()
    assert counts[0] < 0.7 * counts[1] < 0.55 * counts[2]
    pad.evaluate(script, ["touch", 0.5, 0.3])
    assert dark_pixels(page) == 0
    pad.evaluate(script, ["pen", 0.9, 0.5])
    full = dark_pixels(page)
    pad.evaluate(script, ["pen", 0.1, 0.5, 5])  # its other end
    assert dark_pixels(page) < 0.8 * full
    pad.evaluate(script, ["touch", 0.5, 0.3, 0, 1000])
    assert dark_pixels(page) < 0.8 * full
    pad.evaluate(script, ["touch", 0.5, 0.3, 0, 5100])
    assert dark_pixels(page) > full / 2


def test_the_canvas_is_sharp_on_a_dense_screen(browser: Browser, address: str) -> None:
    viewport = {"width": 800, "height": 700}
    with opened(browser, address, viewport=viewport, device_scale_factor=3) as page:
        painted(page)
        width = page.locator(PAD).evaluate("c => c.width")
        assert abs(width - 3 * box(page, PAD)["width"]) <= 4


def test_erasers_reach_the_server_as_they_look(page: Page) -> None:
    """The canvas and the server's own rendering of the same strokes agree."""
    page.get_by_role("button", name="rabbit").click()
    choose(page, "Eraser")
    draw(page, [{"points": [[0.3, 0.3], [0.7, 0.7]]}])
    rendered = render_strokes(parse_strokes(saved_strokes(page))).resize((96, 96))
    url = page.locator(PAD).evaluate(
        "c => { const s = document.createElement('canvas'); s.width = s.height = 384;"
        "const x = s.getContext('2d'); x.fillStyle = '#fff'; x.fillRect(0, 0, 384, 384);"
        "x.drawImage(c, 0, 0, 384, 384); return s.toDataURL(); }"
    )
    with Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) as shot:
        shown = shot.convert("L").resize((96, 96))
    apart = [abs(a - b) for a, b in zip(rendered.tobytes(), shown.tobytes(), strict=True)]
    assert sum(apart) / len(apart) < 3
    assert max(255 - v for v in rendered.tobytes()) > 100
