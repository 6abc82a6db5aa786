"""What tests do on the board, and where they look."""

import re
from pathlib import Path
from typing import Any

from playwright.sync_api import FloatRect, Page, ViewportSize, expect

from model.pictures.strokes import parse_strokes, render_strokes
from tests.harness.apps import ROOT

DESKTOP: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 390, "height": 844}

PAD = '[data-part="pad"]'
STATUS = '[data-part="status"]'
PHOTOS = '[data-part="results"] li'
LABELS = f'{PHOTOS} [data-part="label"]'
CHIPS = '[data-part="chips"] button'
DIALOG = '[data-part="photo-dialog"]'
PLANE = '[data-part="plane"]'
PINS = '[data-part="pins"] img'
RING = '[data-part="ring"]'

CREDITS = re.compile("Tux Paint stamps|via GCompris")
"""How the starter gallery's credits end."""

STARTER = len((ROOT / "assets" / "starter_gallery.csv").read_text().splitlines()) - 1
"""Number of photos of the starter gallery."""

LINE: dict[str, Any] = {"points": [[0.2, 0.5], [0.8, 0.5]]}
CROSS: dict[str, Any] = {"points": [[0.5, 0.2], [0.5, 0.8]]}


def wait_for_board(page: Page) -> None:
    """Waits until the board listens."""
    page.wait_for_selector('[data-part="examples"] button', state="attached")


def draw(page: Page, strokes: list[dict[str, Any]]) -> None:
    """Draws with the mouse, point by point."""
    pad = box(page, PAD)
    for stroke in strokes:
        for number, (x, y) in enumerate(stroke["points"]):
            page.mouse.move(pad["x"] + x * pad["width"], pad["y"] + y * pad["height"])
            if number == 0:
                page.mouse.down()
        page.mouse.up()


def upload(page: Page, strokes: list[dict[str, Any]], file: Path) -> None:
    """Saves a picture of these strokes, and chooses it as an upload."""
    render_strokes(parse_strokes(strokes)).save(file)
    page.locator('[data-part="file"]').set_input_files(file)


def settled(page: Page) -> None:
    """Waits until the newest photos are there, each at its place, and a frame is painted."""
    page.wait_for_selector('[data-part="results"][aria-busy="false"]', state="attached")
    painted(page)
    page.wait_for_function(
        "() => document.getAnimations().every((one) => one.playState !== 'running'"
        " || one.effect.getComputedTiming().endTime === Infinity)"
    )


def found(page: Page) -> list[str]:
    """The URLs of the photos that are shown, in their order."""
    settled(page)
    sources: list[str] = page.locator(f"{PHOTOS} img").evaluate_all("all => all.map(i => i.src)")
    return sources


def saved_strokes(page: Page) -> list[dict[str, Any]]:
    """The strokes that the browser saves when the page is left."""
    settled(page)
    saved: dict[str, Any] = page.evaluate(
        "() => { dispatchEvent(new Event('pagehide'));"
        "return JSON.parse(sessionStorage['sketchzoo.page']); }"
    )
    return list(saved["strokes"])


def ink(page: Page) -> str:
    """The pixels of the pad."""
    pixels: str = page.locator(PAD).evaluate("canvas => canvas.toDataURL()")
    return pixels


def dark_pixels(page: Page) -> int:
    """The number of inked pixels of the pad."""
    count: int = page.locator(PAD).evaluate(
        "c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data"
        ".reduce((n, v, i) => n + (i % 4 === 3 && v > 128), 0)"
    )
    return count


def open_photo(page: Page, rank: int) -> str:
    """Opens the dialog of a photo; returns the photo's label."""
    label: str = page.locator(LABELS).nth(rank - 1).inner_text()
    page.locator(f"{PHOTOS} button").nth(rank - 1).click()
    expect(page.locator(DIALOG)).to_be_visible()
    return label


def box(page: Page, selector: str, number: int = 0) -> FloatRect:
    """Where an element is in the window."""
    found = page.locator(selector).nth(number).bounding_box()
    assert found
    return found


def middle(page: Page, selector: str) -> tuple[float, float]:
    """The middle of an element in the window."""
    found = box(page, selector)
    return found["x"] + found["width"] / 2, found["y"] + found["height"] / 2


def painted(page: Page) -> None:
    """Waits until the next frame has been painted."""
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
