"""URLs that programs send instead of pictures."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import gradio as gr
import pytest
from fastapi.testclient import TestClient
from gradio import processing_utils

import server.downloads
from model.pictures.decoding import MAX_BYTES
from server.downloads import PictureDownloader
from tests.harness.pictures import fish

ELSEWHERE = {"path": "http://elsewhere.invalid/a.png", "meta": {"_type": "gradio.FileData"}}


@pytest.mark.parametrize(
    "route, data",
    [
        ("search", [ELSEWHERE, 12, ""]),
        ("search_strokes", [[ELSEWHERE] * 3, 1, None, None, None, None, None, None]),
    ],
)
def test_a_url_instead_of_a_picture_is_not_downloaded(
    limited: Callable[[float, str], TestClient],
    monkeypatch: pytest.MonkeyPatch,
    route: str,
    data: list[Any],
) -> None:
    asked: list[str] = []

    async def ask(url: str) -> None:
        asked.append(url)
        raise OSError

    monkeypatch.setattr(processing_utils, "async_ssrf_protected_get", ask)
    answer = limited(0, "").post(f"/gradio_api/run/{route}", json={"data": data})
    assert asked == []
    assert answer.status_code == 500
    assert "addresses are not fetched" in answer.json()["error"]


PICTURE = fish().tobytes()


class Web(BaseHTTPRequestHandler):
    """A site with a picture, a redirect to it, and one that never ends."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(302 if self.path == "/moved" else 200)
        if self.path == "/moved":
            self.send_header("Location", "/fish.png")
        self.end_headers()
        if self.path == "/fish.png":
            self.wfile.write(PICTURE)
        while self.path == "/endless":
            try:
                self.wfile.write(bytes(1_000_000))
            except OSError:
                break

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def web() -> Iterator[str]:
    Web.asked = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Web) as served:
        threading.Thread(target=served.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{served.server_port}"
        served.shutdown()


def fetch(fetcher: PictureDownloader, url: str, folder: Path) -> str:
    """Downloads in a thread of its own, since a browser may have an event loop in this one."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(asyncio.run, fetcher(url, cache_dir=str(folder))).result()


def test_a_picture_is_downloaded_where_that_is_allowed(
    web: str, uploads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server.downloads, "is_public", lambda _: True)
    fetcher = PictureDownloader()
    path = fetch(fetcher, f"{web}/fish.png", uploads)
    assert Path(path).read_bytes() == PICTURE
    before = sorted(uploads.rglob("*"))
    for name in ("moved", "endless"):
        with pytest.raises(gr.Error, match="cannot be fetched"):
            fetch(fetcher, f"{web}/{name}", uploads)
    assert sorted(uploads.rglob("*")) == before
    assert Web.asked == ["/fish.png", "/moved", "/endless"]
    assert MAX_BYTES < 10**9, "what does not end would have to be read for long"


def test_private_addresses_are_never_asked(web: str, uploads: Path) -> None:
    for url in (web, web.replace("127.0.0.1", "localhost"), "http://10.0.0.1/", "http://[::1]/"):
        with pytest.raises(gr.Error, match="cannot be fetched"):
            fetch(PictureDownloader(), f"{url}/fish.png", uploads)
    assert Web.asked == []


def test_the_number_of_downloads_is_limited(web: str, uploads: Path, stopped_clock: None) -> None:
    fetcher = PictureDownloader()
    said = []
    for _ in range(12):
        with pytest.raises(gr.Error) as refused:
            fetch(fetcher, web, uploads)
        said.append("Too many" in str(refused.value))
    assert said == [False] * 10 + [True] * 2
