"""The app, and a browser that finds its site on this machine."""

import base64
import hashlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser

from tests.harness.apps import address_of, free_port
from tests.harness.browser import launched
from tests.harness.checkpoints import make_checkpoint
from tests.hosting.proxies import SITE, App, running


@pytest.fixture(scope="module")
def browser(browser: Browser, place: Path) -> Iterator[Browser]:
    """A browser that finds the site on this machine and trusts its certificate.

    The other tests have a browser of their own. Playwright's `ignore_https_errors` would accept the
    certificate anew for each request. With many requests at once, some then fail after too many
    retries.
    """
    command = ["openssl", "pkey", "-in", str(place / "zoo.key"), "-pubout", "-outform", "DER"]
    public_key = subprocess.run(command, check=True, capture_output=True).stdout
    key_hash = base64.b64encode(hashlib.sha256(public_key).digest()).decode()
    options = [
        f"--host-resolver-rules=MAP {SITE} 127.0.0.1",
        f"--ignore-certificate-errors-spki-list={key_hash}",
    ]
    other = launched(browser.browser_type, options)
    yield other
    other.close()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a checkpoint, six photos and a certificate."""
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


@pytest.fixture(scope="module")
def start(
    place: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., AbstractContextManager[App]]:
    """Starts the app with these options and environment variables."""

    @contextmanager
    def started(*options: str, **names: str) -> Iterator[App]:
        port, folder = free_port(), tmp_path_factory.mktemp("app")
        command: list[str | Path] = [sys.executable, "app.py", f"--port={port}"]
        command += [f"--checkpoint={place / 'checkpoint'}", f"--photos={place / 'photos'}"]
        command += [f"--galleries={place / 'galleries'}", *options]
        names = {"GRADIO_TEMP_DIR": str(folder / "uploads"), **names}
        with running(command, folder / "log", f"{address_of(port)}/healthz", **names):
            yield App(port, folder / "log")

    return started


@pytest.fixture(scope="module")
def app(start: Callable[..., AbstractContextManager[App]]) -> Iterator[App]:
    """The app as it is started without a proxy."""
    with start() as running_app:
        yield running_app


@pytest.fixture(scope="module")
def app_behind_proxy(start: Callable[..., AbstractContextManager[App]]) -> Iterator[App]:
    """The app that trusts a proxy on this machine."""
    with start("--proxy=127.0.0.1") as running_app:
        yield running_app
