"""Several tabs, and colours that people choose themselves."""

from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, expect

from tests.browser.board import (
    CROSS,
    LINE,
    PHOTOS,
    draw,
    ink,
    saved_strokes,
    wait_for_board,
)
from tests.browser.conftest import opened


def test_each_tab_keeps_its_own_drawing(browser: Browser, address: str) -> None:
    with browser.new_context() as context:
        tabs = [context.new_page() for _ in range(2)]
        pixels: list[str] = []
        for tab, line in zip(tabs, (LINE, CROSS), strict=True):
            tab.goto(address)
            wait_for_board(tab)
            if pixels:
                tab.get_by_role("button", name="Clear").click(force=True)
            draw(tab, [line])
            assert saved_strokes(tab)
            pixels.append(ink(tab))
        link = context.new_page()
        link.goto(f"{address}/#d=AQAYAtAPkAOAyAEA")  # Damaged or not, it is another tab.
        for tab, before in zip(tabs, pixels, strict=True):
            tab.reload()
            expect(tab.locator(PHOTOS)).to_have_count(12)
            assert ink(tab) == before
        new = context.new_page()
        new.goto(address)
        expect(new.locator(PHOTOS)).to_have_count(12)


def test_forced_colours_leave_ink_on_paper_and_show_which_pen_is_chosen(
    browser: Browser, address: str, tmp_path: Path
) -> None:
    with opened(browser, address, forced_colors="active", color_scheme="dark") as page:
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
