"""The board in WebKit, the engine of Safari and of all browsers on an iPhone."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.common.exceptions import (
    ElementClickInterceptedException,
    StaleElementReferenceException,
)
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.actions.interaction import POINTER_MOUSE
from selenium.webdriver.common.actions.pointer_input import PointerInput
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait
from selenium.webdriver.webkitgtk.service import Service

from tests.harness.apps import free_port

PHOTOS = '[data-part="results"] li'


def part(driver: WebDriver, name: str) -> WebElement:
    return driver.find_element("css selector", f'[data-part="{name}"]')


def wait(driver: WebDriver, ready: Callable[[WebDriver], Any]) -> Any:
    return WebDriverWait(driver, 30, poll_frequency=0.1).until(ready)


def click(driver: WebDriver, selector: str) -> None:
    """Clicks as soon as nothing lies above the element: photos move, and are replaced by others."""

    def clicked(_: WebDriver) -> bool:
        driver.find_element("css selector", selector).click()
        return True

    passing = (ElementClickInterceptedException, StaleElementReferenceException)
    WebDriverWait(driver, 30, 0.1, passing).until(clicked)


@pytest.fixture(scope="module")
def screen() -> Iterator[str]:
    """WebKitGTK draws on nothing less than an X display; yields one that nobody sees."""
    command = ["Xvfb", "-displayfd", "1", "-screen", "0", "1400x1000x24", "-nolisten", "tcp"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        assert server.stdout
        yield f":{int(server.stdout.readline())}"
        server.terminate()


@pytest.fixture(params=[(1280, 900), (390, 844)], ids=["desktop", "phone"])
def webkit(
    request: pytest.FixtureRequest, address: str, screen: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[WebDriver]:
    """The page, open; it collects its script errors in `failures`."""
    monkeypatch.setenv("DISPLAY", screen)
    options = webdriver.WebKitGTKOptions()
    options.binary_location = str(next(Path("/usr/lib").glob("*/webkit*/MiniBrowser")))
    options.add_argument("--automation")
    service = Service("/usr/bin/WebKitWebDriver", port=free_port())
    driver = webdriver.WebKitGTK(options=options, service=service)
    try:
        driver.set_window_size(*request.param)
        driver.get(address)
        driver.execute_script(
            "window.failures = [];"
            "addEventListener('error', e => failures.push(e.message));"
            "addEventListener('unhandledrejection', e => failures.push(String(e.reason)));"
        )
        wait(
            driver, lambda _: driver.find_elements("css selector", '[data-part="examples"] button')
        )
        yield driver
    finally:
        driver.quit()


def draw(driver: WebDriver, strokes: list[dict[str, Any]]) -> None:
    pad = part(driver, "pad").rect
    actions = ActionBuilder(driver, mouse=PointerInput(POINTER_MOUSE, "mouse"), duration=5)
    for stroke in strokes:
        for number, (x, y) in enumerate(stroke["points"]):
            actions.pointer_action.move_to_location(
                round(pad["x"] + x * pad["width"]), round(pad["y"] + y * pad["height"])
            )
            if number == 0:
                actions.pointer_action.pointer_down()
        actions.pointer_action.pointer_up()
    actions.perform()


def room_below(driver: WebDriver, dialog: str, last: str) -> float:
    """From the lowest of `last` to the end of the dialog, in pixels."""
    room: float = driver.execute_script(
        """
        const ends = (found) => Math.max(...[...found].map(e => e.getBoundingClientRect().bottom));
        const dialog = document.querySelector(arguments[0]);
        const end = dialog.getBoundingClientRect().top - dialog.scrollTop + dialog.scrollHeight;
        return end - ends(dialog.querySelectorAll(arguments[1]));
        """,
        dialog,
        last,
    )
    return room


def test_a_drawing_finds_photos_that_can_be_looked_at_explained_and_shared(
    webkit: WebDriver, examples: dict[str, list[dict[str, Any]]]
) -> None:
    draw(webkit, examples["giraffe"])
    wait(webkit, lambda _: "giraffe" in part(webkit, "status").text)
    wait(webkit, lambda _: part(webkit, "results").get_attribute("aria-busy") == "false")
    assert len(webkit.find_elements("css selector", PHOTOS)) == 12
    across = "return document.documentElement.scrollWidth - innerWidth"
    assert webkit.execute_script(across) <= 0

    click(webkit, f"{PHOTOS} button")
    wait(webkit, lambda _: part(webkit, "photo-dialog").is_displayed())
    assert 0 < room_below(webkit, '[data-part="photo-dialog"]', ".actions button, .look") <= 24
    assert part(webkit, "because").text == ""
    click(webkit, '[data-part="why"]')
    wait(webkit, lambda _: "Warm" in part(webkit, "because").text)
    assert part(webkit, "because").rect["height"] >= 16
    assert part(webkit, "sketch-heat").rect["width"] >= 100
    click(webkit, '[data-part="photo-dialog"] [data-part="close"]')

    click(webkit, '[data-part="share"]')
    wait(webkit, lambda _: part(webkit, "poster").is_displayed())
    assert 0 < room_below(webkit, '[data-part="share-dialog"]', "button, .outcome") <= 40
    link = part(webkit, "link").get_attribute("value")
    assert link
    assert webkit.execute_script("return failures") == []
    webkit.get("about:blank")
    webkit.get(link)
    wait(webkit, lambda _: "giraffe" in part(webkit, "status").text)
