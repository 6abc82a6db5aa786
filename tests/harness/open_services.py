"""Local stand-ins for the services of open photos. They answer like the real ones."""

import io
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import numpy as np
from PIL import Image

from model.gallery.open_photos.animals import animals

FLICKR = "https://creativecommons.org/licenses/by-sa/2.0/"


def picture(seed: int) -> bytes:
    """A JPEG of 320 x 256 pixels, different for each seed."""
    tones = np.random.default_rng(seed).integers(0, 200, (8, 10, 3)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(tones).resize((320, 256)).save(file, "JPEG", quality=70)
    return file.getvalue()


class World:
    """What the services hold. Every fifth photo has a licence that is not open.

    Attributes:
        photos: number of photos in each list of an animal.
        odd: answers for URLs that contain a text: status, content type, body, delay in seconds.
        asked: number of requests to each host.
        pictures: own JPEG files for an animal, instead of generated ones.
        agents: all values of `User-Agent` so far.
    """

    def __init__(self, photos: int = 80) -> None:
        self.photos = photos
        self.odd: dict[str, list[tuple[int, str, bytes, float]]] = {}
        self.asked: Counter[str] = Counter()
        self.pictures: dict[str, list[bytes]] = {}
        self.agents: set[str] = set()
        self.names = list(animals())

    def answer(self, host: str, path: str) -> tuple[int, str, bytes]:
        """The answer to a URL: status, content type, body."""
        self.asked[host] += 1
        for text, answers in self.odd.items():
            if text in host + path and answers:
                status, kind, body, wait = answers.pop(0) if len(answers) > 1 else answers[0]
                time.sleep(wait)
                return status, kind, body
        query = {key: value[0] for key, value in parse_qs(urlsplit(path).query).items()}
        if host == "api.inaturalist.org":
            return 200, "application/json", json.dumps(self.observations(query)).encode()
        if host == "api.openverse.org":
            return 200, "application/json", json.dumps(self.images(query)).encode()
        if host == "www.flickr.com":
            page = f'<html><a href="{FLICKR}" rel="license noopener">CC</a></html>'
            return 200, "text/html", page.encode()
        number = int(re.findall(r"\d+", path)[0])
        name = self.names[number // 1000]
        own = self.pictures.get(name)
        return 200, "image/jpeg", own[number % len(own)] if own else picture(number)

    def observations(self, query: dict[str, str]) -> dict[str, Any]:
        """A list of iNaturalist, with two photos in each observation."""
        taxon = query["taxon_id"].split(",")[0]
        which = next(i for i, a in enumerate(animals().values()) if taxon in a.taxa[:1])
        results = []
        for first in range(0, self.photos, 2):
            photos: list[dict[str, Any]] = [
                {
                    "id": which * 1000 + number,
                    "license_code": "cc-by-nc" if number % 5 == 4 else "cc-by",
                    "url": "https://inaturalist-open-data.s3.amazonaws.com/photos/"
                    f"{which * 1000 + number}/square.jpg",
                    "flags": [],
                    "hidden": False,
                }
                for number in (first, first + 1)
            ]
            maker = {"id": 5, "login": f"maker{first}", "name": "" if first % 4 else "Ann <b>"}
            results.append({"id": first, "user": maker, "taxon": {"name": "X"}, "photos": photos})
        return {"total_results": len(results), "results": results}

    def images(self, query: dict[str, str]) -> dict[str, Any]:
        """A list of Openverse, with twenty photos a page."""
        which = next(i for i, a in enumerate(animals().values()) if a.words == query["q"])
        begin = 20 * (int(query["page"]) - 1)
        results = [
            {
                "id": f"0a1b-{which * 1000 + number}",
                "title": f"Photo {number}",
                "foreign_landing_url": f"https://www.flickr.com/photos/a/{which * 1000 + number}",
                "url": f"https://live.staticflickr.com/{which * 1000 + number}/b.jpg",
                "creator": "Bob",
                "license": "by-nd" if number % 5 == 4 else "by-sa",
                "license_version": "2.0",
                "tags": [{"name": "x"}],
                "mature": False,
            }
            for number in range(begin, min(begin + 20, self.photos))
        ]
        return {"result_count": self.photos, "results": results}


@contextmanager
def serving(world: World) -> Iterator[int]:
    """Serves a world; yields the port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            host, _, path = self.path[1:].partition("/")
            world.agents.add(self.headers.get("User-Agent", ""))
            status, kind, body = world.answer(host, path)
            self.send_response(status)
            if kind.startswith("retry "):
                self.send_header("Retry-After", kind.split()[1])
            elif kind.startswith("to "):
                self.send_header("Location", kind.split()[1])
            else:
                self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


class ToLocal(httpx.BaseTransport):
    """Sends requests to the local server, with the host in front of the path."""

    def __init__(self, port: int) -> None:
        self._inner = httpx.HTTPTransport()
        self._port = port

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        path = f"/{request.url.host}".encode() + request.url.raw_path
        url = httpx.URL(scheme="http", host="127.0.0.1", port=self._port, raw_path=path)
        headers = {"User-Agent": request.headers["User-Agent"]}
        return self._inner.handle_request(
            httpx.Request("GET", url, headers=headers, extensions=request.extensions)
        )


RUNNER = """
import functools, hashlib, os, runpy, sys
sys.path.insert(0, os.environ["ROOT"])
import numpy as np
from model.gallery.open_photos import fetch, judge
from tests.harness.open_services import ToLocal
begin = fetch.Fetcher.__init__
def local(self, pauses, contact=""):
    begin(self, pauses, contact, lambda seconds: None, ToLocal(int(os.environ["SERVICES"])))
fetch.Fetcher.__init__ = local
class Judge:
    def __init__(self, checkpoint):
        pass
    def __call__(self, data, animal):
        seed = int.from_bytes(hashlib.sha256(data).digest()[:4], "big")
        point = np.random.default_rng(seed).normal(size=8).astype(np.float32)
        return judge.Judgement("", point / np.linalg.norm(point))
if "REAL_JUDGE" not in os.environ:
    judge.Judge = Judge
sys.argv = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""
"""Runs a module with the local services, without pauses, with a judge that accepts all photos."""
