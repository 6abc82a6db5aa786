"""The app behind real proxies, configured as in docs/serving.md and carelessly."""

import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from gradio_client import Client
from playwright.sync_api import Browser, Page, expect

from tests.harness.apps import address_of
from tests.harness.pictures import fish
from tests.hosting.proxies import CARELESS, SITE, App, below, documented, nginx, proxied

PHOTOS = '[data-part="results"] li'

STATUS = '[data-part="status"]'

LINE = {"width": 0.02, "points": [[0.2, 0.2], [0.8, 0.7]]}


@contextmanager
def opened(browser: Browser, address: str) -> Iterator[tuple[Page, list[str]]]:
    """Opens the page; yields it and what the console says."""
    page, said = browser.new_page(), list[str]()
    page.on("console", lambda message: said.append(message.text))
    page.goto(address)
    page.wait_for_selector('[data-part="examples"] button', timeout=60_000)
    yield page, said
    page.close()


def draw(page: Page) -> None:
    box = page.locator('[data-part="pad"]').bounding_box()
    assert box
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.3 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 0.6 * box["height"], steps=5)
    page.mouse.up()


def walk(browser: Browser, address: str, sketch: Path) -> None:
    """Draws, explains a match, uploads and reloads."""
    with opened(browser, address) as (page, said):
        expect(page.locator('[data-part="animals"] option')).to_have_count(3)
        draw(page)
        expect(page.locator(PHOTOS)).to_have_count(6)
        shown = page.locator(f"{PHOTOS} img").evaluate_all(
            "all => Promise.all(all.map(i => i.decode().then(() => i.naturalWidth)))"
        )
        assert shown == [90] * 6
        page.locator(f"{PHOTOS} button").first.click()
        page.get_by_role("button", name="Why this photo?").click()
        expect(page.locator('[data-part="because"]')).to_contain_text("made them match")
        page.keyboard.press("Escape")
        page.locator('[data-part="file"]').set_input_files(sketch)
        painted = "sessionStorage['sketchzoo.page']?.includes(\"sketch\")"
        page.wait_for_function(painted)
        page.reload()
        expect(page.locator(PHOTOS)).to_have_count(6, timeout=30_000)
        kept = "document.querySelector('[data-part=pad]').getContext('2d')"
        page.wait_for_function(f"{kept}.getImageData(5, 5, 1, 1).data[3] === 255")
        assert [text for text in said if "Policy" in text or "Failed to load" in text] == []


@pytest.mark.parametrize("name", documented())
def test_everything_works_behind_a_documented_proxy(
    name: str, browser: Browser, app_behind_proxy: App, place: Path, tmp_path: Path
) -> None:
    config, app = documented()[name], app_behind_proxy
    sketch = tmp_path / "sketch.bmp"
    fish(1400).convert("RGB").save(sketch)
    assert sketch.stat().st_size > 5e6
    with proxied(config, app, place, tmp_path) as (scheme, port):
        walk(browser, f"{scheme}://{SITE}:{port}{below(config)}", sketch)
        program = Client(
            f"{scheme}://127.0.0.1:{port}{below(config)}", verbose=False, ssl_verify=False
        )
        assert len(program.predict([LINE], api_name="/search_strokes")) == 6
        assert app.log.read_text().count("WARNING") == 0


@pytest.mark.parametrize("name", CARELESS)
def test_everything_works_behind_a_careless_proxy(
    name: str, browser: Browser, app: App, place: Path, tmp_path: Path
) -> None:
    config, logged_before = CARELESS[name], len(app.log.read_text())
    sketch = tmp_path / "sketch.png"
    fish(1400).save(sketch)
    with proxied(config, app, place, tmp_path) as (scheme, port):
        walk(browser, f"{scheme}://{SITE}:{port}{below(config)}", sketch)
        unnamed = "A proxy that --proxy does not name" in app.log.read_text()[logged_before:]
        assert unnamed == ("Forwarded" in config)


def test_a_path_that_the_proxy_leaves_in_place_is_logged_and_can_be_configured(
    browser: Browser,
    start: Callable[..., AbstractContextManager[App]],
    place: Path,
    tmp_path: Path,
) -> None:
    config = nginx(location="/zoo/")
    sketch = tmp_path / "sketch.png"
    fish().save(sketch)
    with start() as app, proxied(config, app, place, tmp_path) as (scheme, port):
        page = browser.new_page()
        answer = page.goto(f"{scheme}://{SITE}:{port}/zoo/")
        assert answer and answer.status == 404
        page.close()
        assert "GRADIO_ROOT_PATH=/zoo" in app.log.read_text()
    with (
        start(GRADIO_ROOT_PATH="/zoo") as app,
        proxied(config, app, place, tmp_path) as (scheme, port),
    ):
        walk(browser, f"{scheme}://{SITE}:{port}/zoo/", sketch)


def test_a_refusal_is_not_shown_as_an_outage(
    browser: Browser,
    start: Callable[..., AbstractContextManager[App]],
    place: Path,
    tmp_path: Path,
) -> None:
    config = nginx().replace("location /", "location = /board/search { return 403; } location /")
    large = tmp_path / "large.bmp"
    fish(800).convert("RGB").save(large)
    with start() as app, proxied(config, app, place, tmp_path) as (scheme, port):
        with opened(browser, f"{scheme}://{SITE}:{port}/") as (page, _):
            draw(page)
            expect(page.locator(STATUS)).to_contain_text("refuses this page (403)")
            expect(page.locator(STATUS)).not_to_contain_text("when it is back")
            page.locator('[data-part="file"]').set_input_files(large)
            expect(page.locator(STATUS)).to_contain_text("too large for a proxy")
        page = browser.new_page()
        page.goto(f"{address_of(app.port)}/healthz")
        said = page.evaluate(
            "fetch('/board/search', {method: 'POST', body: '{}'}).then(answer => answer.status)"
        )
        assert said == 200
        page.close()
        request = urllib.request.Request(
            f"{address_of(app.port)}/board/search", b"{}", {"Origin": "http://zoo.example.org"}
        )
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(request)
        log = app.log.read_text()
        assert "a page at http://zoo.example.org, which came for 127.0.0.1" in log
        assert "proxy_set_header Host $http_host" in log
