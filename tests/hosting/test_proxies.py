"""The app behind real proxies: as docs/serving.md writes them, and as people write them first."""

import os
import re
import shutil
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from gradio_client import Client
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Page, expect

from tests.harness.apps import ROOT, address_of, free_port
from tests.harness.browser import launched
from tests.harness.checkpoints import make_checkpoint
from tests.harness.pictures import fish

SITE = "zoo.example.org"
PHOTOS = '[data-part="results"] li'
STATUS = '[data-part="status"]'
LINE = {"width": 0.02, "points": [[0.2, 0.2], [0.8, 0.7]]}


@pytest.fixture(scope="module")
def browser(browser: Browser) -> Iterator[Browser]:
    """One that finds the site on this machine, beside that of all tests."""
    other = launched(browser.browser_type, [f"--host-resolver-rules=MAP {SITE} 127.0.0.1"])
    yield other
    other.close()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds a checkpoint, six photos and a certificate."""
    place = tmp_path_factory.mktemp("hosting")
    make_checkpoint(place / "checkpoint")
    for number in range(6):
        photo = Image.new("RGB", (90, 60), "white")
        ImageDraw.Draw(photo).ellipse((9 * number, 9, 40 + 9 * number, 50), fill="navy")
        folder = place / "photos" / ("bat" if number % 2 else "cat")
        folder.mkdir(parents=True, exist_ok=True)
        photo.save(folder / f"{number}.jpg")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", f"/CN={SITE}", "-addext", f"subjectAltName=DNS:{SITE},IP:127.0.0.1"),
            *("-keyout", str(place / "zoo.key"), "-out", str(place / "zoo.pem")),
        ],
        check=True,
        capture_output=True,
    )
    return place


class App:
    """The app in a process of its own."""

    def __init__(self, port: int, log: Path) -> None:
        self.port, self.log = port, log


@contextmanager
def running(command: Sequence[str | Path], log: Path, asked: str, **names: str) -> Iterator[None]:
    """Runs a server until the end, once something answers at an address."""
    with log.open("w") as file:
        process = subprocess.Popen(
            list(map(str, command)),
            cwd=ROOT,
            env={**os.environ, "GRADIO_ANALYTICS_ENABLED": "False", **names},
            stdout=file,
            stderr=file,
        )
        try:
            wait_for(process, asked, log)
            yield
        finally:
            process.terminate()
            process.wait(20)


def wait_for(process: "subprocess.Popen[bytes]", asked: str, log: Path) -> None:
    insecure = ssl._create_unverified_context()
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(asked, timeout=5, context=insecure).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"{asked} does not answer: {log.read_text()}")


@pytest.fixture
def start(place: Path, tmp_path: Path) -> Callable[..., AbstractContextManager[App]]:
    """Starts the app with more options, and variables of the environment."""

    @contextmanager
    def begun(*options: str, **names: str) -> Iterator[App]:
        port, log = free_port(), tmp_path / "app.log"
        command: list[str | Path] = [sys.executable, "app.py", f"--port={port}"]
        command += [f"--checkpoint={place / 'checkpoint'}", f"--photos={place / 'photos'}"]
        command += [f"--galleries={place / 'galleries'}", *options]
        with running(command, log, f"{address_of(port)}/healthz", **names):
            yield App(port, log)

    return begun


@contextmanager
def proxied(config: str, app: App, place: Path, folder: Path) -> Iterator[tuple[str, int]]:
    """Runs nginx or Caddy with this part of a configuration; yields scheme and port."""
    port = free_port()
    is_caddy = "reverse_proxy" in config
    is_secure = "ssl" in config or (is_caddy and "http://" not in config)
    scheme = "https" if is_secure else "http"
    config = config.replace("127.0.0.1:7860", f"127.0.0.1:{app.port}")
    if is_caddy:
        # Nobody gives a certificate for a name that is made up.
        address = re.compile(rf"^(?:http://)?{re.escape(SITE)} \{{", re.MULTILINE)
        tls = f"\n    tls {place / 'zoo.pem'} {place / 'zoo.key'}" if is_secure else ""
        config = address.sub(
            f"{scheme}://{SITE}:{port}, {scheme}://127.0.0.1:{port} {{{tls}", config
        )
        config = f"{{\n    admin off\n    auto_https disable_redirects\n}}\n{config}"
        file = folder / "Caddyfile"
        command: list[str | Path] = ["caddy", "run", "--adapter", "caddyfile", "--config", file]
    else:
        config = re.sub(r"listen \d+", f"listen {port}", config)
        config = config.replace("/etc/ssl/", f"{place}/")
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"):
            config = f"{kind}_temp_path {folder / kind};\n{config}"
        config = f"error_log stderr;\npid {folder / 'pid'};\nevents {{}}\nhttp {{\n{config}}}\n"
        user = "user root;\n" if os.getuid() == 0 else ""  # Or it could not write below tmp_path.
        config = f"{user}daemon off;\n{config.replace('http {', 'http { access_log off;')}"
        file = folder / "nginx.conf"
        nginx = shutil.which("nginx") or "/usr/sbin/nginx"
        command = [nginx, "-e", "stderr", "-p", folder, "-c", file]
    file.write_text(config)
    home = {"XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with running(command, folder / "proxy.log", f"{scheme}://127.0.0.1:{port}/", **home):
        yield scheme, port


def documented() -> dict[str, str]:
    """The configurations in docs/serving.md, and those that it says to make of them."""
    text = (ROOT / "docs" / "serving.md").read_text()
    root, below = re.findall(r"```nginx\n(.*?)```", text, re.DOTALL)
    caddy, caddy_below = re.findall(r"```caddy\n(.*?)```", text, re.DOTALL)
    tls = re.search(r"    listen 443 ssl;\n.*?zoo\.key;\n", below, re.DOTALL)
    assert tls
    http = "    listen 80;\n    server_name zoo.example.org;\n"
    return {
        "nginx http": root,
        "nginx https": root.replace(http, tls[0]),
        "nginx http /zoo/": below.replace(tls[0], http),
        "nginx https /zoo/": below,
        "caddy https": caddy,
        "caddy http": caddy.replace(SITE, f"http://{SITE}"),
        "caddy http /zoo/": caddy_below,
        "caddy https /zoo/": caddy_below.replace(f"http://{SITE}", SITE),
    }


def nginx(*settings: str, location: str = "/", listen: str = "80", to: str = "") -> str:
    """A configuration as people write it first."""
    tls = "ssl_certificate /etc/ssl/zoo.pem; ssl_certificate_key /etc/ssl/zoo.key;"
    lines = [f"proxy_pass http://127.0.0.1:7860{to};", *settings]
    return (
        f"server {{ listen {listen}; server_name {SITE}; {tls if 'ssl' in listen else ''}\n"
        f"location {location} {{ {' '.join(lines)} }} }}\n"
    )


CARELESS = {
    "http, nothing set": nginx(),
    "http, Host without the port": nginx("proxy_set_header Host $host;"),
    "http, Host without the port, forwarded": nginx(
        "proxy_set_header Host $host;",
        "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
        "proxy_http_version 1.1;",
    ),
    "https, nothing set": nginx(listen="443 ssl"),
    "https, Host without the port": nginx("proxy_set_header Host $host;", listen="443 ssl"),
    "http /zoo/, nothing set": nginx(location="/zoo/", to="/"),
    "https /a/zoo/, nothing set": nginx(location="/a/zoo/", to="/", listen="443 ssl"),
}


@contextmanager
def opened(browser: Browser, address: str) -> Iterator[Page]:
    context = browser.new_context(ignore_https_errors=True)
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector('[data-part="examples"] button', timeout=60_000)
    yield page
    context.close()


def draw(page: Page) -> None:
    box = page.locator('[data-part="pad"]').bounding_box()
    assert box
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.3 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 0.6 * box["height"], steps=5)
    page.mouse.up()


def walk(browser: Browser, address: str, sketch: Path) -> None:
    """Draws, asks why, uploads and reloads: all of that has to work."""
    with opened(browser, address) as page:
        blocked: list[str] = []
        page.on("console", lambda said: blocked.append(said.text))
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
        assert [text for text in blocked if "Policy" in text] == []


def below(config: str) -> str:
    found = re.search(r"(?:location|handle_path) (\S*zoo/)", config)
    return found[1] if found else "/"


@pytest.mark.parametrize("name", documented())
def test_a_proxy_set_up_as_the_documents_say_lets_all_through(
    name: str,
    browser: Browser,
    start: Callable[..., AbstractContextManager[App]],
    place: Path,
    tmp_path: Path,
) -> None:
    config = documented()[name]
    sketch = tmp_path / "sketch.bmp"
    fish(1400).convert("RGB").save(sketch)
    assert sketch.stat().st_size > 5e6
    with (
        start("--proxy=127.0.0.1") as app,
        proxied(config, app, place, tmp_path) as (scheme, port),
    ):
        walk(browser, f"{scheme}://{SITE}:{port}{below(config)}", sketch)
        program = Client(
            f"{scheme}://127.0.0.1:{port}{below(config)}", verbose=False, ssl_verify=False
        )
        assert len(program.predict([LINE], api_name="/search_strokes")) == 6
        assert app.log.read_text().count("WARNING") == 0


@pytest.mark.parametrize("name", CARELESS)
def test_a_proxy_set_up_carelessly_lets_all_through(
    name: str,
    browser: Browser,
    start: Callable[..., AbstractContextManager[App]],
    place: Path,
    tmp_path: Path,
) -> None:
    config = CARELESS[name]
    sketch = tmp_path / "sketch.png"
    fish(1400).save(sketch)
    with start() as app, proxied(config, app, place, tmp_path) as (scheme, port):
        walk(browser, f"{scheme}://{SITE}:{port}{below(config)}", sketch)
        unnamed = "A proxy that --proxy does not name" in app.log.read_text()
        assert unnamed == ("Forwarded" in config)


def test_a_path_that_the_proxy_leaves_is_said_and_can_be_named(
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


def test_a_refusal_is_told_as_one_and_not_as_an_outage(
    browser: Browser,
    start: Callable[..., AbstractContextManager[App]],
    place: Path,
    tmp_path: Path,
) -> None:
    config = nginx().replace("location /", "location = /board/search { return 403; } location /")
    large = tmp_path / "large.bmp"
    fish(800).convert("RGB").save(large)
    with start() as app, proxied(config, app, place, tmp_path) as (scheme, port):
        with opened(browser, f"{scheme}://{SITE}:{port}/") as page:
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
