"""Takes screenshots of the board for the documentation.

python -m tools.screens [--out docs/screens] [names ...]
"""

import argparse
import io
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page

from tests.harness.apps import running_app
from tests.harness.browser import chromium
from tests.harness.pictures import fish, pencil_on_paper

DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
SIDEWAYS = {"width": 844, "height": 390}

Step = Callable[[Page], None]


def empty(page: Page) -> None:
    page.wait_for_timeout(300)


def results(page: Page, animal: str = "elephant") -> None:
    page.get_by_role("button", name=animal).click()
    page.wait_for_selector('[data-part="results"] li')
    page.wait_for_function(
        "() => document.querySelector('[data-part=results]').ariaBusy === 'false'"
        " && [...document.images].every((i) => i.complete)"
    )
    page.wait_for_timeout(500)


def drawing(page: Page) -> None:
    """In the middle of a stroke."""
    box = page.locator('[data-part="pad"]').bounding_box()
    assert box
    side = box["width"]
    for number in range(70):
        angle = 2 * np.pi * number / 60
        x, y = 0.5 + 0.28 * np.cos(angle), 0.5 + 0.16 * np.sin(angle) * (1 + 0.3 * np.cos(angle))
        page.mouse.move(box["x"] + x * side, box["y"] + y * side)
        if number == 0:
            page.mouse.down()
        page.wait_for_timeout(10)
    page.wait_for_timeout(700)


def why(page: Page) -> None:
    results(page, "giraffe")
    page.locator('[data-part="results"] button').first.click()
    page.get_by_role("button", name="Why this photo?").click()
    page.wait_for_selector(".dialog.explained")
    page.wait_for_timeout(900)


def gallery_map(page: Page) -> None:
    results(page, "horse")
    page.get_by_role("button", name="Map", exact=True).click()
    page.wait_for_timeout(1500)


def narrowed(page: Page) -> None:
    results(page, "horse")
    label = page.locator('[data-part="results"] [data-part="label"]').first.inner_text()
    page.locator('[data-part="results"] button').first.click()
    page.get_by_role("button", name=f"No {label}", exact=True).click()
    page.wait_for_timeout(1200)
    page.locator('[data-part="results"] button').nth(1).click()
    page.get_by_role("button", name="More like this").click()
    page.wait_for_timeout(1200)


def camera(page: Page) -> None:
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / "paper.jpg"
        pencil_on_paper(fish(768, 9), np.random.default_rng(0)).save(photo, quality=90)
        page.locator('[data-part="file"]').set_input_files(photo)
        page.wait_for_selector('[data-part="results"] li')
        page.wait_for_timeout(1500)


def share(page: Page) -> None:
    results(page, "rabbit")
    page.get_by_role("button", name="Share").click()
    page.wait_for_timeout(1500)


def error(page: Page) -> None:
    results(page, "duck")
    page.locator('[data-part="file"]').set_input_files(
        {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no picture"}
    )
    page.wait_for_selector(".status.error")


def offline(page: Page) -> None:
    results(page, "duck")
    page.context.set_offline(True)
    drawing(page)
    page.mouse.up()
    page.wait_for_selector(".status.error")


SCREENS: dict[str, tuple[Step, dict[str, int], str]] = {
    "empty": (empty, DESKTOP, "light"),
    "drawing": (drawing, DESKTOP, "light"),
    "desktop": (results, DESKTOP, "light"),
    "why": (why, DESKTOP, "light"),
    "map": (gallery_map, DESKTOP, "light"),
    "narrowed": (narrowed, DESKTOP, "light"),
    "camera": (camera, DESKTOP, "light"),
    "share": (share, DESKTOP, "light"),
    "error": (error, DESKTOP, "light"),
    "offline": (offline, DESKTOP, "light"),
    "dark": (results, DESKTOP, "dark"),
    "dark-why": (why, DESKTOP, "dark"),
    "phone": (results, PHONE, "light"),
    "phone-empty": (empty, PHONE, "light"),
    "phone-why": (why, PHONE, "light"),
    "phone-map": (gallery_map, PHONE, "dark"),
    "phone-sideways": (results, SIDEWAYS, "light"),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.screens", description=__doc__)
    parser.add_argument(
        "names", nargs="*", default=list(SCREENS), help="names of screenshots (default: all)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("docs/screens"),
        metavar="DIR",
        help="(default: docs/screens)",
    )
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    with running_app("app.py") as address, chromium() as browser:
        for name in arguments.names:
            take(browser, address, name).save(arguments.out / f"{name}.webp", quality=82)
            print(name)
    return 0


def take(browser: Browser, address: str, name: str) -> Image.Image:
    step, size, scheme = SCREENS[name]
    is_phone = size is not DESKTOP
    context = browser.new_context(
        viewport={"width": size["width"], "height": size["height"]},
        color_scheme="dark" if scheme == "dark" else "light",
        is_mobile=is_phone,
        has_touch=is_phone,
        device_scale_factor=2 if is_phone else 1,
    )
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector('[data-part="examples"] button')
    step(page)
    shot = Image.open(io.BytesIO(page.screenshot()))
    context.close()
    return shot.convert("RGB")


if __name__ == "__main__":
    sys.exit(main())
