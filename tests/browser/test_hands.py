"""Mice, fingers, palms, pens and keyboards as people use them."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, CDPSession, Page, expect

from tests.browser.board import (
    CROSS,
    DIALOG,
    LINE,
    PAD,
    PHOTOS,
    PINS,
    STATUS,
    box,
    dark_pixels,
    draw,
    ink,
    middle,
    saved_strokes,
    settled,
    wait_for_board,
)
from tests.browser.conftest import opened


def drag(page: Page, selector: str, far: float = 8, to: str | None = None) -> None:
    """Presses on something, moves by so many pixels or onto something else, and lets go."""
    x, y = middle(page, selector)
    page.mouse.move(x, y)
    page.mouse.down()
    for step in range(1, 5):
        page.mouse.move(x + far * step / 4, y + far * step / 8)
    if to:
        page.locator(to).hover(force=True)
    page.mouse.up()


def test_a_slip_of_the_hand_on_a_photo_leaves_the_drawing(page: Page) -> None:
    uploads: list[str] = []
    page.on("request", lambda asked: uploads.append(asked.url) if "upload" in asked.url else None)
    draw(page, [LINE, CROSS])
    settled(page)
    before = ink(page)
    drag(page, f"{PHOTOS} img")
    expect(page.locator(DIALOG)).to_be_visible()  # A click that slips is a click.
    page.keyboard.press("Escape")
    drag(page, f"{PHOTOS} img", 40, PAD)
    drag(page, "footer img", 8)
    drag(page, "footer img", 40, PAD)
    page.get_by_role("button", name="Map", exact=True).click()
    expect(page.locator(PINS).first).to_be_visible()
    drag(page, PINS)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Photos", exact=True).click()
    draw(page, [{"points": [[0.1, 0.9], [0.2, 0.9]]}])
    settled(page)
    page.get_by_role("button", name="Undo").click()
    assert ink(page) == before
    assert uploads == []
    expect(page.locator("[data-part=results]")).to_be_visible()
    assert page.locator(".board.dropping").count() == 0


@pytest.fixture
def tablet(browser: Browser, address: str) -> Iterator[tuple[Page, CDPSession]]:
    with opened(browser, address, viewport={"width": 1024, "height": 768}, has_touch=True) as page:
        yield page, page.context.new_cdp_session(page)


Hand = Callable[[str, list[tuple[float, float]]], None]


def hand(page: Page, session: CDPSession) -> tuple[Hand, Hand]:
    """Functions that touch and draw with a pen, as trusted events of the browser."""
    pad = box(page, PAD)

    def at(x: float, y: float) -> dict[str, float]:
        return {"x": pad["x"] + x * pad["width"], "y": pad["y"] + y * pad["height"]}

    def touch(kind: str, places: list[tuple[float, float]]) -> None:
        points = [{**at(*place), "id": number} for number, place in enumerate(places)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    def pen(kind: str, places: list[tuple[float, float]]) -> None:
        for number, place in enumerate(places):
            step = ("mousePressed" if number == 0 else "mouseMoved") if kind == "line" else kind
            event = {"type": step, **at(*place), "pointerType": "pen", "force": 0.5}
            pressed = {"button": "left", "buttons": 1, "clickCount": 1}
            session.send("Input.dispatchMouseEvent", event | pressed)
        end = {**at(*places[-1]), "button": "left", "buttons": 0, "pointerType": "pen"}
        session.send("Input.dispatchMouseEvent", {"type": "mouseReleased", "clickCount": 1, **end})

    return touch, pen


def test_one_owner_of_the_pad_a_palm_that_lies_there_first_gives_way_to_the_pen(
    tablet: tuple[Page, CDPSession],
) -> None:
    page, session = tablet
    touch, pen = hand(page, session)
    touch("touchStart", [(0.7, 0.8)])
    touch("touchMove", [(0.71, 0.8)])
    pen("line", [(0.2, 0.2), (0.3, 0.2), (0.5, 0.2)])
    touch("touchMove", [(0.72, 0.81)])
    pen("line", [(0.2, 0.4), (0.3, 0.4), (0.5, 0.4)])
    touch("touchEnd", [])
    drawn = saved_strokes(page)
    assert len(drawn) == 2
    for stroke, y in zip(drawn, (0.2, 0.4), strict=True):
        xs = [point[0] for point in stroke["points"]]
        assert (min(xs), max(xs)) == (pytest.approx(0.2, abs=0.01), pytest.approx(0.5, abs=0.01))
        assert all(point[1] == pytest.approx(y, abs=0.01) for point in stroke["points"])


def test_one_owner_of_the_pad_a_finger_that_drew_a_line_keeps_it_when_a_pen_comes(
    tablet: tuple[Page, CDPSession],
) -> None:
    page, session = tablet
    touch, pen = hand(page, session)
    touch("touchStart", [(0.1, 0.8)])
    for step in range(1, 9):
        touch("touchMove", [(0.1 + 0.1 * step, 0.8)])
    pen("line", [(0.2, 0.2), (0.5, 0.2)])
    touch("touchEnd", [])
    assert len(saved_strokes(page)) == 2


def test_a_touch_whose_end_never_comes_leaves_mouse_and_touch_alive(
    tablet: tuple[Page, CDPSession],
) -> None:
    page, session = tablet
    page.evaluate(
        """() => {
            window.swallow = true;
            for (const name of ["pointerup", "pointercancel", "lostpointercapture"])
                window.addEventListener(name, (event) => {
                    if (window.swallow) event.stopImmediatePropagation();
                }, true);
        }"""
    )
    touch, _ = hand(page, session)
    touch("touchStart", [(0.2, 0.2)])
    touch("touchMove", [(0.3, 0.2)])
    touch("touchEnd", [])
    page.evaluate("() => { window.swallow = false; }")
    touch("touchStart", [(0.2, 0.4)])
    touch("touchMove", [(0.6, 0.4)])
    touch("touchEnd", [])
    assert len(saved_strokes(page)) == 2
    page.evaluate("() => { window.swallow = true; }")
    touch("touchStart", [(0.2, 0.6)])
    touch("touchMove", [(0.3, 0.6)])
    touch("touchEnd", [])
    page.evaluate("() => { window.swallow = false; }")
    draw(page, [{"points": [[0.2, 0.8], [0.6, 0.8]]}])
    drawn = saved_strokes(page)
    assert [stroke["points"][-1][1] for stroke in drawn] == pytest.approx(
        [0.2, 0.4, 0.6, 0.8], abs=0.01
    )


def test_a_finger_that_lies_still_for_ever_leaves_mouse_and_touch_alive(
    tablet: tuple[Page, CDPSession],
) -> None:
    page, session = tablet
    touch, _ = hand(page, session)
    touch("touchStart", [(0.2, 0.2)])
    touch("touchMove", [(0.3, 0.2)])
    draw(page, [{"points": [[0.2, 0.8], [0.6, 0.8]]}])
    assert saved_strokes(page)[-1]["points"][-1] == pytest.approx([0.6, 0.8], abs=0.01)
    session.send(
        "Input.dispatchTouchEvent",
        {"type": "touchCancel", "touchPoints": []},
    )
    touch("touchStart", [(0.2, 0.4)])
    touch("touchMove", [(0.6, 0.4)])
    touch("touchEnd", [])
    assert saved_strokes(page)[-1]["points"][-1] == pytest.approx([0.6, 0.4], abs=0.01)


@pytest.mark.parametrize(
    ("layout", "small", "large"),
    [
        ("Russian", "я", "Я"),
        ("Greek", "ζ", "Ζ"),
        ("Hebrew", "ז", "Z"),
        ("Arabic", "ئ", "~"),
        ("Thai", "ผ", "("),
        ("English", "z", "Z"),
    ],
)
def test_keys_by_letter_undo_and_redo_on_every_layout(
    page: Page, layout: str, small: str, large: str
) -> None:
    session = page.context.new_cdp_session(page)

    def press(key: str, code: str, shift: bool = False) -> None:
        for kind in ("rawKeyDown", "keyUp"):
            session.send(
                "Input.dispatchKeyEvent",
                {"type": kind, "key": key, "code": code, "modifiers": 10 if shift else 2},
            )

    draw(page, [LINE])
    one = dark_pixels(page)
    draw(page, [CROSS])
    both = dark_pixels(page)
    press(small, "KeyZ")
    assert dark_pixels(page) == one, layout
    press(large, "KeyZ", shift=True)
    assert dark_pixels(page) == both, layout
    # On Dvorak, the key at that place is a semicolon, and German has its Z elsewhere.
    press(";", "KeyZ")
    assert dark_pixels(page) == both
    press("z", "KeyY")
    assert dark_pixels(page) == one
    press("y", "KeyZ")
    assert dark_pixels(page) == both


def load_saved(page: Page, strokes: list[dict[str, Any]]) -> None:
    """Loads another drawing, as if this browser had saved it."""
    page.add_init_script(
        "if (!sessionStorage.begun) { sessionStorage.begun = 1; "
        f"sessionStorage['sketchzoo.page'] = {json.dumps(json.dumps({'strokes': strokes}))}; }}"
    )
    page.reload()
    wait_for_board(page)


@pytest.mark.parametrize(("strokes", "points"), [(1001, 2), (3, 17_000)])
def test_a_limit_thins_the_drawing_and_one_can_go_on(page: Page, strokes: int, points: int) -> None:
    asked: list[dict[str, Any]] = []
    page.on(
        "request",
        lambda request: (
            asked.append(json.loads(request.post_data or ""))
            if request.url.endswith("/board/search")
            else None
        ),
    )
    lines = [
        {
            "width": 0.012,
            "points": [
                [round(0.1 + 0.8 * i / points, 5), round(0.1 + 0.8 * (n % 400) / 400, 5)]
                for i in range(points)
            ],
        }
        for n in range(strokes)
    ]
    lines[0] = {"width": 0.012, "points": [[0.1, 0.05], [0.101, 0.05]]}
    if strokes == 3:
        lines.append(lines[-1])
    load_saved(page, lines)
    expect(page.locator(PHOTOS)).to_have_count(12, timeout=20_000)
    draw(page, [{"points": [[0.1, 0.95], [0.9, 0.95]]}])
    settled(page)
    expect(page.locator(f"{STATUS}.error")).to_have_count(0)
    expect(page.locator(PHOTOS)).to_have_count(12)
    sent = asked[-1]["strokes"]
    assert len(sent) <= 1000
    assert 0 < sum(len(stroke["points"]) for stroke in sent) <= 50_000
    assert sent[-1]["points"][-1] == pytest.approx([0.9, 0.95], abs=0.01)


def test_a_mouse_of_a_thousand_reports_a_second_leaves_no_points_that_look_alike(
    page: Page,
) -> None:
    pad = box(page, PAD)
    page.mouse.move(pad["x"] + 50, pad["y"] + 50)
    page.mouse.down()
    page.evaluate(
        """([x, y]) => {
            const pad = document.querySelector('[data-part="pad"]');
            for (let i = 0; i < 2000; i++)
                pad.dispatchEvent(new PointerEvent("pointermove", {pointerId: 1, buttons: 1,
                    pointerType: "mouse", clientX: x + (i >> 1) / 10, clientY: y}));
        }""",
        [pad["x"] + 50, pad["y"] + 50],
    )
    page.mouse.up()
    (line,) = saved_strokes(page)
    # 100 pixels, and at least 0.001 of the page's side between points.
    assert 50 < len(line["points"]) <= 1 + 100 / (0.001 * pad["width"])
    steps = zip(line["points"], line["points"][1:], strict=False)
    assert all(abs(b[0] - a[0]) >= 0.001 - 1e-9 for a, b in steps)
