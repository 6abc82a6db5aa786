"""What failed once comes back: canvases, examples, and thumbnails."""

from collections.abc import Callable

from playwright.sync_api import Page, Route, expect

from tests.browser.board import (
    LINE,
    PAD,
    PHOTOS,
    PINS,
    PLANE,
    dark_pixels,
    draw,
    settled,
)

LOSE = "canvas => { canvas.width = canvas.width; }"
RESTORE = "canvas => canvas.dispatchEvent(new Event('contextrestored'))"


def test_a_canvas_that_the_browser_restores_is_painted_again(view: Page) -> None:
    before = dark_pixels(view)
    view.locator(PAD).evaluate(LOSE)
    assert dark_pixels(view) == 0
    view.locator(PAD).evaluate(RESTORE)
    assert dark_pixels(view) == before
    picture = "canvas => canvas.toDataURL()"
    shown = view.locator(PLANE).evaluate(picture)
    view.locator(PLANE).evaluate(LOSE)
    assert view.locator(PLANE).evaluate(picture) != shown
    view.locator(PLANE).evaluate(RESTORE)
    assert view.locator(PLANE).evaluate(picture) == shown


def test_examples_that_do_not_come_at_first_come_later(page: Page) -> None:
    failures: list[Callable[[Route], None]] = [
        lambda route: route.abort(),
        lambda route: route.fulfill(status=503),
    ]

    def fail_twice(route: Route) -> None:
        (failures.pop() if failures else Route.continue_)(route)

    page.route("**/examples.json", fail_twice)
    page.reload()
    expect(page.get_by_role("button", name="horse")).to_be_visible()
    page.get_by_role("button", name="Surprise me").click()
    expect(page.locator(PHOTOS)).to_have_count(12)


def test_a_thumbnail_that_failed_once_is_loaded_again(page: Page) -> None:
    failed: list[str] = []

    def fail_once(route: Route) -> None:
        url = route.request.url
        if url in failed:
            route.continue_()
        else:
            failed.append(url)
            route.abort()

    page.route("**/thumbnails/*", fail_once)
    draw(page, [LINE])
    expect(page.locator(PHOTOS)).to_have_count(12)
    whole = "selector => [...document.querySelectorAll(selector)].every(i => i.naturalWidth > 0)"
    page.wait_for_function(whole, arg=f"{PHOTOS} img")
    assert len(failed) >= 12
    page.get_by_role("button", name="Map", exact=True).click()
    expect(page.locator(PINS).first).to_be_visible()
    page.wait_for_function(whole, arg=PINS)


def test_a_thumbnail_that_fails_for_long_is_loaded_with_the_next_answer(page: Page) -> None:
    page.evaluate(  # No second attempt comes on its own.
        "() => { const later = setTimeout;"
        "window.setTimeout = (act, ms) => (ms >= 1000 ? 0 : later(act, ms)); }"
    )
    page.route("**/thumbnails/*", lambda route: route.abort())
    draw(page, [LINE])
    expect(page.locator(PHOTOS)).to_have_count(12)
    settled(page)
    page.wait_for_function(
        f"() => [...document.querySelectorAll('{PHOTOS} img')].every(i => i.complete)"
    )
    page.unroute("**/thumbnails/*")
    first = page.locator(f"{PHOTOS} img").first.element_handle()
    page.evaluate("image => { window.kept = image; }", first)
    page.get_by_label("Photos to show").select_option("24")
    expect(page.locator(PHOTOS)).to_have_count(24)
    page.wait_for_function("() => kept.isConnected && kept.naturalWidth > 0")
