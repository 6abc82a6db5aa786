"""Several fingers on the pad: one draws on, and a pinch leaves no ink."""

from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.board import PAD, dark_pixels, saved_strokes

SEND = """(pad, events) => {
    const { left, top, width, height } = pad.getBoundingClientRect();
    pad.setPointerCapture = () => {};
    for (const { name, id, time, places } of events) {
        const all = places.map(([x, y]) => {
            const event = new PointerEvent(`pointer${name}`, {
                pointerId: id, pointerType: "touch", isPrimary: id === 1, buttons: 1,
                clientX: left + x * width, clientY: top + y * height,
            });
            Object.defineProperty(event, "timeStamp", { value: time });
            event.getCoalescedEvents = () => all;
            return event;
        });
        pad.dispatchEvent(all.at(-1));
    }
}"""


def touch(name: str, time: float, *places: tuple[float, float], finger: int = 1) -> dict[str, Any]:
    """What the browser reports of a finger, at a time in ms; a move may have several places."""
    return {"name": name, "time": time, "places": places, "id": finger}


def send(page: Page, *events: dict[str, Any]) -> None:
    page.locator(PAD).evaluate(SEND, list(events))


def test_a_finger_that_pauses_keeps_its_line_when_another_touches(page: Page) -> None:
    send(
        page,
        touch("down", 0, (0.2, 0.5)),
        touch("move", 50, (0.5, 0.5)),
        touch("down", 500, (0.8, 0.9), finger=2),
        touch("move", 550, (0.81, 0.9), finger=2),
        touch("move", 600, (0.8, 0.5)),
        touch("up", 650, (0.8, 0.5)),
        touch("up", 700, (0.81, 0.9), finger=2),
    )
    (line,) = saved_strokes(page)
    assert [[round(place, 2) for place in point] for point in line["points"]] == [
        [0.2, 0.5],
        [0.5, 0.5],
        [0.8, 0.5],
    ]


def test_a_pinch_whose_first_finger_rests_leaves_no_ink(page: Page) -> None:
    send(
        page,
        touch("down", 0, (0.4, 0.5)),
        touch("down", 400, (0.6, 0.5), finger=2),
        touch("move", 410, (0.61, 0.5), finger=2),
        touch("cancel", 420, (0.61, 0.5), finger=2),
        touch("cancel", 420, (0.4, 0.5)),
    )
    assert dark_pixels(page) == 0
    expect(page.get_by_role("button", name="Undo")).to_be_disabled()


def test_a_pinch_on_a_fast_screen_leaves_no_ink(page: Page) -> None:
    frames = [[(0.4 + 0.002 * (4 * frame + i), 0.5) for i in range(4)] for frame in range(4)]
    send(
        page,
        touch("down", 0, (0.398, 0.5)),
        *(touch("move", 16 * (i + 1), *places) for i, places in enumerate(frames)),
        touch("cancel", 80, (0.43, 0.5)),
    )
    assert dark_pixels(page) == 0
    expect(page.get_by_role("button", name="Undo")).to_be_disabled()


def test_a_line_that_the_browser_cuts_off_stays(page: Page) -> None:
    way = [(0.1 + 0.05 * i, 0.5) for i in range(14)]
    send(
        page,
        touch("down", 0, way[0]),
        touch("move", 16, *way[1:]),
        touch("cancel", 32, way[-1]),
    )
    assert len(saved_strokes(page)[0]["points"]) == 14
