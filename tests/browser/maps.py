"""What tests do on the map."""

from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.board import PHOTOS, PINS, PLANE, box, settled

TO_MIDDLE = "plane => plane.scrollIntoView({ block: 'center', behavior: 'instant' })"


def show_map(page: Page) -> None:
    """Draws a horse and turns to the map."""
    page.get_by_role("button", name="horse").click()
    expect(page.locator(PHOTOS)).to_have_count(12)
    page.get_by_role("button", name="Map", exact=True).click()
    expect(page.locator(PINS).first).to_be_visible()
    settled(page)


def dots(page: Page) -> list[dict[str, Any]]:
    """The photos of the map and where the page shows them, in pixels of the window."""
    answer: list[dict[str, Any]] = page.evaluate(
        """async () => {
          const base = document.baseURI;
          const { fitPlane } = await import(new URL("sketchzoo/js/map-layout.js", base));
          const { labels, photos } = await (await fetch(new URL("map.json", base))).json();
          const canvas = document.querySelector('[data-part="plane"]');
          const { left, top, width, height } = canvas.getBoundingClientRect();
          const toPixels = fitPlane(photos, width, height, 22);
          return photos.map((photo, number) => {
            const [x, y] = toPixels(photo);
            return { number, label: labels[photo[2]], x: left + x, y: top + y };
          });
        }"""
    )
    return answer


def inside(page: Page, spot: tuple[float, float]) -> bool:
    plane = box(page, PLANE)
    across = plane["x"] <= spot[0] <= plane["x"] + plane["width"]
    return across and plane["y"] <= spot[1] <= plane["y"] + plane["height"]
