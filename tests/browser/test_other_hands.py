"""What people's hands, devices, files and tabs do that developers' own do not."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pillow_heif import from_pillow
from playwright.sync_api import Browser, CDPSession, Page, expect

from tests.browser.test_board import PHOTOS, STATUS, draw, found, settled
from tests.browser.test_drawing import CROSS, LINE, dark_pixels
from tests.harness.pictures import fish

PAD = '[data-part="pad"]'
INK = f"document.querySelector('{PAD}').toDataURL()"
KEPT = "JSON.parse(sessionStorage['sketchzoo.page'] ?? 'null')"


def pulled(page: Page, selector: str, far: float = 8, to: str | None = None) -> None:
    """Presses on something, slips so many pixels, or to the middle of another, and lets go."""
    box = page.locator(selector).first.bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
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
    ink = page.evaluate(INK)
    pulled(page, f"{PHOTOS} img")
    dialog = page.locator('[data-part="photo-dialog"]')
    expect(dialog).to_be_visible()  # A click that slips is a click.
    page.keyboard.press("Escape")
    pulled(page, f"{PHOTOS} img", 40, PAD)
    pulled(page, "footer img", 8)
    pulled(page, "footer img", 40, PAD)
    page.get_by_role("button", name="Map", exact=True).click()
    expect(page.locator('[data-part="pins"] img').first).to_be_visible()
    pulled(page, '[data-part="pins"] img')
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Photos", exact=True).click()
    draw(page, [{"points": [[0.1, 0.9], [0.2, 0.9]]}])
    settled(page)
    page.get_by_role("button", name="Undo").click()
    assert page.evaluate(INK) == ink
    assert uploads == []
    expect(page.locator("[data-part=results]")).to_be_visible()
    assert page.locator(".board.dropping").count() == 0


@pytest.fixture
def tablet(browser: Browser, address: str) -> Iterator[tuple[Page, CDPSession]]:
    context = browser.new_context(viewport={"width": 1024, "height": 768}, has_touch=True)
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector('[data-part="examples"] button')
    yield page, context.new_cdp_session(page)
    context.close()


Hand = Callable[[str, list[tuple[float, float]]], None]


def hand(page: Page, session: CDPSession) -> tuple[Hand, Hand]:
    """What a finger and a pen do at places of the page, as trusted events of the browser."""
    box = page.locator(PAD).bounding_box()
    assert box

    def at(x: float, y: float) -> dict[str, float]:
        return {"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"]}

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


def strokes(page: Page) -> list[dict[str, Any]]:
    """What the browser keeps, once it does."""
    settled(page)
    page.wait_for_timeout(400)  # The page is kept once it has not changed for a while.
    kept: dict[str, Any] = page.evaluate(KEPT)
    return list(kept["strokes"])


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
    drawn = strokes(page)
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
    assert len(strokes(page)) == 2


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
    assert len(strokes(page)) == 2
    page.evaluate("() => { window.swallow = true; }")
    touch("touchStart", [(0.2, 0.6)])
    touch("touchMove", [(0.3, 0.6)])
    touch("touchEnd", [])
    page.evaluate("() => { window.swallow = false; }")
    draw(page, [{"points": [[0.2, 0.8], [0.6, 0.8]]}])
    drawn = strokes(page)
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
    assert strokes(page)[-1]["points"][-1] == pytest.approx([0.6, 0.8], abs=0.01)
    session.send(
        "Input.dispatchTouchEvent",
        {"type": "touchCancel", "touchPoints": []},
    )
    touch("touchStart", [(0.2, 0.4)])
    touch("touchMove", [(0.6, 0.4)])
    touch("touchEnd", [])
    assert strokes(page)[-1]["points"][-1] == pytest.approx([0.6, 0.4], abs=0.01)


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


def keep(page: Page, strokes: list[dict[str, Any]]) -> None:
    """Makes the browser keep another page, and loads it."""
    page.add_init_script(
        "if (!sessionStorage.begun) { sessionStorage.begun = 1; "
        f"sessionStorage['sketchzoo.page'] = {json.dumps(json.dumps({'strokes': strokes}))}; }}"
    )
    page.reload()
    page.wait_for_selector('[data-part="examples"] button', state="attached")


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
    keep(page, lines)
    expect(page.locator(PHOTOS)).to_have_count(12, timeout=20_000)
    draw(page, [{"points": [[0.1, 0.95], [0.9, 0.95]]}])
    settled(page)
    expect(page.locator(STATUS)).not_to_have_class("error")
    expect(page.locator(PHOTOS)).to_have_count(12)
    sent = asked[-1]["strokes"]
    assert len(sent) <= 1000
    assert 0 < sum(len(stroke["points"]) for stroke in sent) <= 50_000
    assert sent[-1]["points"][-1] == pytest.approx([0.9, 0.95], abs=0.01)


def test_a_mouse_of_a_thousand_reports_a_second_leaves_no_points_that_look_alike(
    page: Page,
) -> None:
    box = page.locator(PAD).bounding_box()
    assert box
    page.mouse.move(box["x"] + 50, box["y"] + 50)
    page.mouse.down()
    page.evaluate(
        """([x, y]) => {
            const pad = document.querySelector('[data-part="pad"]');
            for (let i = 0; i < 2000; i++)
                pad.dispatchEvent(new PointerEvent("pointermove", {pointerId: 1, buttons: 1,
                    pointerType: "mouse", clientX: x + (i >> 1) / 10, clientY: y}));
        }""",
        [box["x"] + 50, box["y"] + 50],
    )
    page.mouse.up()
    (line,) = strokes(page)
    # 100 pixels, and at least 0.001 of the page's side between points.
    assert 50 < len(line["points"]) <= 1 + 100 / (0.001 * box["width"])
    steps = zip(line["points"], line["points"][1:], strict=False)
    assert all(abs(b[0] - a[0]) >= 0.001 - 1e-9 for a, b in steps)


def use(page: Page, file: Path) -> None:
    """Uploads a file, and waits until it is on the page and kept."""
    page.locator('[data-part="file"]').set_input_files(file)
    page.wait_for_function(f"{KEPT}?.picture || {said_error()}", timeout=20_000)
    expect(page.locator(STATUS)).not_to_have_class("error")


def said_error() -> str:
    return f"document.querySelector('{STATUS}').classList.contains('error')"


def page_with(page: Page, file: Path) -> None:
    """An upload shows dark lines on the board, and does so after a reload."""
    use(page, file)
    expect(page.locator(PHOTOS)).to_have_count(12)
    before, answer = page.evaluate(INK), found(page)
    assert tones(page)[0] < 100 < tones(page)[1], "lines are seen"
    page.reload()
    expect(page.locator(PHOTOS)).to_have_count(12)
    page.wait_for_function(f"before => {INK} === before", arg=before)
    assert found(page) == answer


def tones(page: Page) -> tuple[int, int]:
    """The darkest and the lightest tone of what is seen of the page, on its paper."""
    seen: list[int] = page.locator(PAD).evaluate(
        "c => { const s = document.createElement('canvas'); s.width = s.height = 200;"
        "const x = s.getContext('2d'); x.fillStyle = '#fffdf8'; x.fillRect(0, 0, 200, 200);"
        "x.drawImage(c, 0, 0, 200, 200); return [...x.getImageData(0, 0, 200, 200).data]; }"
    )
    grey = seen[::4]
    return min(grey), max(grey)


NAMES = ["a#1", "50%25", "100% #1 é?", "a&b=c+d", "[x]{y}", "a;b,c'd", "%2e%2e%2f", " sp ace "]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("is_photo", [True, False], ids=["photo", "clean"])
def test_a_path_in_an_address_is_escaped_whatever_the_file_is_called(
    page: Page, tmp_path: Path, name: str, is_photo: bool
) -> None:
    drawing = fish(300, 6)
    if is_photo:  # Uneven light, so that the server makes the paper white.
        light = Image.linear_gradient("L").resize((300, 300)).point(lambda v: 120 + v // 2)
        drawing = Image.composite(light, Image.new("L", (300, 300), 40), drawing)
    file = tmp_path / f"{name}.png"
    drawing.save(file)
    page_with(page, file)


@pytest.mark.parametrize("ending", ["tif", "g4.tif", "heic", "cmyk.tif", "bmp", "gif", "webp"])
def test_what_the_server_reads_is_shown_whatever_the_browser_decodes(
    page: Page, tmp_path: Path, ending: str
) -> None:
    file = tmp_path / f"scan.{ending}"
    drawing = fish(480, 5)
    if ending == "g4.tif":
        drawing.convert("1").save(file, compression="group4")
    elif ending == "cmyk.tif":
        drawing.convert("CMYK").save(file)
    elif ending == "heic":
        from_pillow(drawing.convert("RGB")).save(file)
    else:
        drawing.save(file)
    page_with(page, file)


@pytest.mark.parametrize("ending", ["png", "webp", "gif", "large.png"])
@pytest.mark.parametrize("ink", [(255, 255, 255), (255, 230, 120)], ids=["white", "yellow"])
def test_transparent_is_not_always_white_paper(
    page: Page, tmp_path: Path, ending: str, ink: tuple[int, int, int]
) -> None:
    side = 2400 if "large" in ending else 480
    alpha = fish(side, side // 80).point(lambda tone: 255 - tone)
    drawing = Image.new("RGBA", alpha.size, (0, 0, 0, 0))
    drawing.paste(ink, mask=alpha)
    file = tmp_path / f"night.{ending}"
    drawing.save(file, lossless=True)
    page_with(page, file)


def test_each_tab_keeps_its_own_drawing(browser: Browser, address: str) -> None:
    with browser.new_context() as context:
        tabs = [context.new_page() for _ in range(2)]
        inks: list[str] = []
        for tab, line in zip(tabs, (LINE, CROSS), strict=True):
            tab.goto(address)
            tab.wait_for_selector('[data-part="examples"] button', state="attached")
            if inks:
                tab.get_by_role("button", name="Clear").click(force=True)
            draw(tab, [line])
            assert strokes(tab)
            inks.append(tab.evaluate(INK))
        link = context.new_page()
        link.goto(f"{address}/#d=AQAYAtAPkAOAyAEA")  # Damaged or not, it is another tab.
        for tab, ink in zip(tabs, inks, strict=True):
            tab.reload()
            expect(tab.locator(PHOTOS)).to_have_count(12)
            assert tab.evaluate(INK) == ink
        new = context.new_page()
        new.goto(address)
        expect(new.locator(PHOTOS)).to_have_count(12)


def test_a_file_that_is_chosen_before_the_board_listens_is_not_lost(
    browser: Browser, address: str, tmp_path: Path
) -> None:
    fish(300, 6).save(tmp_path / "early.png")
    with browser.new_context() as context:
        page = context.new_page()
        held = []
        page.route("**/sketchzoo/js/board.js", lambda route: held.append(route))
        page.goto(address)
        page.wait_for_selector(PAD)
        expect(page.locator(STATUS)).to_contain_text("starting")
        with page.expect_file_chooser() as chooser:
            page.get_by_role("button", name="Upload").click()
        chooser.value.set_files(tmp_path / "early.png")
        page.wait_for_function("document.querySelector('[data-part=file]').files.length")
        held[0].continue_()
        expect(page.locator(PHOTOS)).to_have_count(12, timeout=20_000)
        assert tones(page)[0] < 100


def test_forced_colours_leave_ink_on_paper_and_show_which_pen_is_chosen(
    browser: Browser, address: str, tmp_path: Path
) -> None:
    with browser.new_context(forced_colors="active", color_scheme="dark") as context:
        page = context.new_page()
        page.goto(address)
        page.wait_for_selector('[data-part="examples"] button')
        page.screenshot(path=tmp_path / "empty.png")
        draw(page, [LINE])
        paper = page.locator(".paper").screenshot()
        (tmp_path / "paper.png").write_bytes(paper)
        with Image.open(tmp_path / "paper.png") as shot:
            grey = np.asarray(shot.convert("L"))
        assert grey[len(grey) // 4, len(grey) // 2] > 200
        assert grey[len(grey) // 2, len(grey) // 2] < 60
        colour = "e => getComputedStyle(e).backgroundColor"
        chosen = page.get_by_role("radio", name="Medium pen").evaluate(colour)
        assert chosen != page.get_by_role("radio", name="Fine pen").evaluate(colour)
        example = page.locator('[data-part="examples"] canvas').first.evaluate(colour)
        assert example not in ("rgb(0, 0, 0)", "rgba(0, 0, 0, 0)")


@pytest.mark.parametrize(
    ("attributes", "width", "height"),
    [
        ('viewBox="0 0 200 100"', 768, 384),
        ('width="100%" height="100%" viewBox="0,0,50,100"', 384, 768),
        ("", 768, 768),
        ('width="40" height="20"', 40, 20),
    ],
)
def test_an_svg_without_a_size_gets_that_of_its_drawing_in_every_browser(
    page: Page, attributes: str, width: int, height: int
) -> None:
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" {attributes}><path d="M1 1h9"/></svg>'
    size = page.evaluate(
        """async (svg) => {
            const { withSize } = await import(new URL("sketchzoo/js/svg.js", document.baseURI));
            const root = new DOMParser().parseFromString(withSize(svg), "image/svg+xml");
            const { documentElement: e } = root;
            return [Number(e.getAttribute("width")), Number(e.getAttribute("height"))];
        }""",
        svg,
    )
    assert size == [width, height]
