"""Uploads of any name and format, and what the browser shows of them."""

from pathlib import Path

import pytest
from PIL import Image
from pillow_heif import from_pillow
from playwright.sync_api import Browser, Page, expect

from tests.browser.board import PAD, PHOTOS, STATUS, found, ink
from tests.harness.pictures import fish

SAVED = "JSON.parse(sessionStorage['sketchzoo.page'] ?? 'null')"


def use(page: Page, file: Path) -> None:
    """Uploads a file, and waits until it is on the page and saved."""
    page.locator('[data-part="file"]').set_input_files(file)
    page.wait_for_function(f"{SAVED}?.picture || {said_error()}", timeout=20_000)
    expect(page.locator(f"{STATUS}.error")).to_have_count(0)


def said_error() -> str:
    return f"document.querySelector('{STATUS}').classList.contains('error')"


def page_with(page: Page, file: Path) -> None:
    """An upload shows dark lines on the board, and does so after a reload."""
    use(page, file)
    expect(page.locator(PHOTOS)).to_have_count(12)
    before, answer = ink(page), found(page)
    darkest, lightest = tones(page)
    assert darkest < 100 < lightest, "lines are seen"
    page.reload()
    expect(page.locator(PHOTOS)).to_have_count(12)
    page.wait_for_function(
        f"before => document.querySelector('{PAD}').toDataURL() === before", arg=before
    )
    assert found(page) == answer


def tones(page: Page) -> tuple[int, int]:
    """The darkest and the lightest tone of the pad on its paper."""
    darkest, lightest = page.locator(PAD).evaluate(
        """canvas => {
            const small = document.createElement("canvas");
            small.width = small.height = 200;
            const context = small.getContext("2d");
            context.fillStyle = "#fffdf8";
            context.fillRect(0, 0, 200, 200);
            context.drawImage(canvas, 0, 0, 200, 200);
            const { data } = context.getImageData(0, 0, 200, 200);
            const tones = data.filter((_, i) => i % 4 === 0);
            return [Math.min(...tones), Math.max(...tones)];
        }"""
    )
    return darkest, lightest


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


def test_a_file_that_is_chosen_before_the_board_listens_is_not_lost(
    browser: Browser, address: str, tmp_path: Path
) -> None:
    fish(300, 6).save(tmp_path / "early.png")
    with browser.new_context() as context:
        page = context.new_page()
        held = []
        page.route("**/js/board.js", lambda route: held.append(route))
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


def test_a_large_picture_is_kept_small(page: Page, tmp_path: Path) -> None:
    page.evaluate(
        """() => {
            window.bitmaps = [];
            const make = window.createImageBitmap;
            window.createImageBitmap = async (...given) => {
                window.bitmaps.push(await make(...given));
                return window.bitmaps.at(-1);
            };
        }"""
    )
    fish(2400, 30).resize((2400, 1200)).save(tmp_path / "large.png")
    use(page, tmp_path / "large.png")
    sizes = page.evaluate("() => bitmaps.map(({ width, height }) => [width, height])")
    assert [size for size in sizes if size != [0, 0]] == [[1600, 800]]  # 0: it is closed.
    assert tones(page)[0] < 100


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
