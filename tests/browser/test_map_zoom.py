"""The map, zoomed and moved."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.board import PINS, PLANE, RING, box, middle, painted, settled
from tests.browser.maps import TO_MIDDLE, dots, inside


def test_the_map_is_magnified_by_buttons_and_whole_again(view: Page) -> None:
    nearer = view.get_by_role("button", name="Zoom in")
    farther = view.get_by_role("button", name="Zoom out")
    expect(farther).to_be_disabled()
    ring, all_dots = middle(view, RING), dots(view)
    nearer.click()
    painted(view)
    assert middle(view, RING) == pytest.approx(ring, abs=1)
    pins = [box(view, PINS, number) for number in range(view.locator(PINS).count())]
    for dot in all_dots:
        x, y = (to + 1.6 * (dot[way] - to) for to, way in zip(ring, "xy", strict=True))
        pinned = any(0 <= x - p["x"] <= p["width"] and 0 <= y - p["y"] <= p["height"] for p in pins)
        if inside(view, (x, y)) and not pinned:
            view.mouse.move(x, y)
            expect(view.locator('[data-part="tip"]')).to_have_text(dot["label"])
            break
    else:
        raise AssertionError("no dot is seen")
    for _ in range(4):
        nearer.click()
    expect(nearer).to_be_disabled()
    for _ in range(5):
        farther.click()
    expect(farther).to_be_disabled()
    painted(view)
    assert middle(view, RING) == pytest.approx(ring, abs=1)


def test_the_map_is_magnified_and_moved_by_keyboard(view: Page) -> None:
    nearer = view.get_by_role("button", name="Zoom in")
    nearer.focus()
    for _ in range(6):
        view.keyboard.press("Enter")
    expect(nearer).to_be_disabled()
    expect(nearer).to_be_focused()
    painted(view)
    ring, plane, page = (
        middle(view, RING),
        box(view, PLANE),
        view.evaluate("scrollY"),
    )
    view.keyboard.press("ArrowRight")
    painted(view)
    assert middle(view, RING) == pytest.approx((ring[0] - 0.2 * plane["width"], ring[1]), abs=1.5)
    view.keyboard.press("ArrowLeft")
    view.keyboard.press("ArrowDown")
    painted(view)
    assert middle(view, RING) == pytest.approx((ring[0], ring[1] - 0.2 * plane["height"]), abs=1.5)
    assert view.evaluate("scrollY") == page
    view.keyboard.press("Tab")
    for _ in range(6):
        view.keyboard.press("Enter")
    farther = view.get_by_role("button", name="Zoom out")
    expect(farther).to_be_disabled()
    expect(farther).to_be_focused()


def test_the_wheel_with_ctrl_magnifies_around_the_mouse_and_a_drag_moves(view: Page) -> None:
    ring = middle(view, RING)
    view.mouse.move(*ring)
    view.mouse.wheel(0, -100)
    painted(view)
    assert middle(view, RING) == ring
    expect(view.get_by_role("button", name="Zoom out")).to_be_disabled()
    view.keyboard.down("Control")
    for _ in range(4):
        view.mouse.wheel(0, -100)
    expect(view.get_by_role("button", name="Zoom out")).to_be_enabled()
    view.keyboard.up("Control")
    painted(view)
    assert middle(view, RING) == pytest.approx(ring, abs=1.5)
    pin = middle(view, PINS)
    view.mouse.move(*pin)
    view.mouse.down()
    view.mouse.move(pin[0] - 20, pin[1] + 10, steps=4)
    view.mouse.up()
    painted(view)
    assert middle(view, RING) == pytest.approx((ring[0] - 20, ring[1] + 10), abs=1.5)
    expect(view.get_by_role("dialog")).to_have_count(0)
    plane = box(view, PLANE)
    view.mouse.down()
    view.mouse.move(plane["x"] - 30, plane["y"] + 50)
    view.mouse.up()
    painted(view)
    ring = middle(view, RING)
    view.mouse.move(*middle(view, PLANE), steps=4)
    painted(view)
    assert middle(view, RING) == ring
    view.mouse.click(*middle(view, PINS))
    expect(view.get_by_role("dialog")).to_be_visible()


def test_a_drawing_that_leaves_the_magnified_part_is_shown_with_all_photos(view: Page) -> None:
    ring = middle(view, RING)
    far = max(dots(view), key=lambda dot: abs(dot["x"] - ring[0]) + abs(dot["y"] - ring[1]))
    view.mouse.move(*ring)
    view.keyboard.down("Control")
    view.mouse.wheel(0, -2000)
    expect(view.get_by_role("button", name="Zoom in")).to_be_disabled()
    view.keyboard.up("Control")
    view.locator('[data-part="animals"]').select_option(far["label"])
    settled(view)
    expect(view.get_by_role("button", name="Zoom out")).to_be_disabled()
    assert inside(view, middle(view, RING))


def test_two_fingers_magnify_the_map_on_a_phone_and_one_scrolls_the_page(phone_view: Page) -> None:
    phone_view.locator(PLANE).evaluate(TO_MIDDLE)
    touch = phone_view.context.new_cdp_session(phone_view)

    def fingers(kind: str, *spots: tuple[float, float]) -> None:
        points = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(spots)]
        touch.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": points})

    x, y = middle(phone_view, RING)
    fingers("Start", (x - 20, y), (x + 20, y))
    for apart in (30, 40, 50):
        fingers("Move", (x - apart, y), (x + apart, y))
    fingers("End")
    expect(phone_view.get_by_role("button", name="Zoom out")).to_be_enabled()
    painted(phone_view)
    assert middle(phone_view, RING) == pytest.approx((x, y), abs=3)
    assert phone_view.evaluate("visualViewport.scale") == 1
    phone_view.get_by_role("button", name="Zoom out").tap()
    phone_view.get_by_role("button", name="Zoom out").tap()
    expect(phone_view.get_by_role("button", name="Zoom out")).to_be_disabled()
    phone_view.locator(PLANE).evaluate(TO_MIDDLE)
    scrolled = phone_view.evaluate("scrollY")
    assert scrolled > 60
    x, y = middle(phone_view, PLANE)
    fingers("Start", (x, y))
    for step in range(1, 8):
        fingers("Move", (x, y + 20 * step))
    fingers("End")
    phone_view.wait_for_function(f"scrollY < {scrolled - 20}")
