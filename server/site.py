"""The web application: Gradio's page inside, photos, map and probes beside it, guards around."""

import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import gradio as gr
import numpy as np
from fastapi import FastAPI, HTTPException
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.middleware import Middleware
from starlette.routing import Mount

from model.errors import GalleryError, SketchZooError
from model.images import MAX_BYTES, flatten, open_image
from model.progress import THUMBNAIL_SIDE
from model.search import SketchSearch
from server.answers import Answers, rounded
from server.galleries import Galleries
from server.gate import OnlyNeeded, SameSite
from server.headers import HashScripts, Headers
from server.limits import RATE, Bodies, Proxies, RateLimit
from server.metrics import Metrics
from server.page import ASSETS, Coming, build_page
from server.requests import Traffic
from server.uploads import guard_downloads

FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}
NOT_AT_ALL = {"Cache-Control": "no-cache"}
DOTS = 5000
"""Photos on the map at most."""

LARGE_SIDE = 1280
"""Pixels. Photos are shown no larger, and without the metadata of their files."""


def build_app(
    galleries: Galleries,
    *,
    mcp: bool = False,
    rate: float = RATE,
    proxies: Proxies = (),
    more: str = "",
    coming: Coming = lambda: None,
) -> Traffic:
    """The web application: Gradio's page and API, the board's search, photos, and probes.

    Args:
        mcp: whether the API's endpoints are tools at `gradio_api/mcp/` too.
        rate: searches a second that one client may make; 0 for any number.
        proxies: whose word on a client's address is taken; see `server.limits.client_address`.
        more: how somebody who draws gets more photos; empty where they cannot.
        coming: tells of photos that are being fetched.
    """
    metrics = Metrics()
    answers = Answers(galleries, metrics)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        answers.close()

    app = FastAPI(
        title="SketchZoo", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan
    )
    traffic = Traffic(app, metrics, proxies)
    guard_downloads(allowed=mcp)
    app.add_route("/board/search", answers.board, methods=["POST"])

    @app.get("/healthz")
    async def healthz() -> dict[str, Any]:
        searches = [galleries.search(name) for name in galleries.names]
        photos = sum(len(search.photos) for search in searches)
        return {"checkpoint": searches[0].manifest.name, "photos": photos}

    def search_in(gallery: str, version: str) -> SketchSearch:
        try:
            return galleries.search(gallery, version)
        except GalleryError as error:
            raise HTTPException(404, str(error)) from error

    def answer(data: bytes | str, media_type: str, version: str) -> Response:
        """What an address with a version stands for never changes, so browsers may keep it."""
        return Response(data, media_type=media_type, headers=FOR_EVER if version else NOT_AT_ALL)

    @app.get("/readyz")
    async def readyz() -> Response:
        trouble = "stopping" if traffic.stopping else answers.trouble
        return JSONResponse({"ready": trouble or "yes"}, 503 if trouble else 200)

    @app.get("/metrics")
    async def tell_metrics() -> Response:
        return Response(metrics.text(), media_type=metrics.content_type)

    @app.get("/thumbnails/{number}")
    def thumbnail(number: int, gallery: str = "", v: str = "") -> Response:
        search = search_in(gallery, v)
        small = search.read_thumbnail(number)
        if small:
            return answer(small, "image/webp", v)
        return answer(shrunk(search, number, THUMBNAIL_SIDE), "image/jpeg", v)

    maps: WeakKeyDictionary[SketchSearch, str] = WeakKeyDictionary()

    @app.get("/map.json")
    def photo_map(gallery: str = "", v: str = "") -> Response:
        search = search_in(gallery, v)
        if search not in maps:
            maps[search] = describe_map(galleries.name_of(gallery), search)
        return answer(maps[search], "application/json", v)

    @app.get("/photos/{number}")
    def photo(number: int, gallery: str = "", v: str = "") -> Response:
        return answer(shrunk(search_in(gallery, v), number, LARGE_SIDE), "image/jpeg", v)

    app.mount("/sketchzoo", Assets(directory=ASSETS))
    gr.mount_gradio_app(
        app,
        build_page(answers, more, coming),
        path="/",
        allowed_paths=[],
        max_file_size=MAX_BYTES,
        show_error=False,
        ssr_mode=False,
        footer_links=["api", "gradio"],
        run_history=False,
        mcp_server=mcp,
        css_paths=ASSETS / "board.css",
        theme=gr.themes.Base(font=["system-ui", "sans-serif"], font_mono=["monospace"]),
        favicon_path=str(ASSETS / "favicon.svg"),
    )
    protect(app, rate)
    return traffic


def protect(app: FastAPI, rate: float) -> None:
    """Puts the guards of `server/` around the app, and one more around Gradio inside it."""
    mounted = next(route for route in reversed(app.routes) if isinstance(route, Mount))
    gradio_app: Any = mounted.app
    gradio_app.user_middleware.append(Middleware(HashScripts))
    mounted.app = OnlyNeeded(gradio_app)
    # Gradio sets no CORS headers of its own where its parent has this; no origin is allowed.
    app.add_middleware(CORSMiddleware, allow_origins=())
    app.add_middleware(Bodies)
    app.add_middleware(SameSite)
    if rate > 0:
        app.add_middleware(RateLimit, rate=rate)
    app.add_middleware(Headers)


class Assets(StaticFiles):
    """Scripts that browsers check for a newer version, so that they always fit the page."""

    def file_response(self, *arguments: Any, **options: Any) -> Response:
        response = super().file_response(*arguments, **options)
        response.headers["Cache-Control"] = "no-cache"
        return response


def shrunk(search: SketchSearch, number: int, side: int) -> bytes:
    """A photo as a JPEG of at most `side` pixels a side, without metadata.

    Raises:
        HTTPException: 404, where there is no such photo.
    """
    try:
        image = flatten(open_image(Path(search.photo(number).path)))
    except GalleryError as error:
        raise HTTPException(404, "There is no such photo.") from error
    except SketchZooError as error:
        raise HTTPException(404, "This photo was deleted, moved or damaged.") from error
    image.thumbnail((side, side), reducing_gap=3.0)
    data = io.BytesIO()
    image.save(data, "JPEG", quality=88, comment=b"")
    return data.getvalue()


def describe_map(name: str, search: SketchSearch) -> str:
    """Where photos of a gallery lie on the map and what they are, as JSON of few bytes.

    Returns:
        `photos` as lists of x, y, the place of the label in `labels`, that of credit,
        licence and page in `terms`, and the photo's number, of a random sample where there are
        more than `DOTS`; and `gallery` and `version` for the addresses of thumbnails.
    """
    count = len(search.photos)
    chosen = np.sort(np.random.default_rng(0).permutation(count)[:DOTS]).tolist()
    shown = [search.photos[number] for number in chosen]
    labels = {label: i for i, label in enumerate(dict.fromkeys(p.label for p in shown))}
    known = dict.fromkeys((p.credit, p.licence, p.page) for p in shown)
    terms = {each: i for i, each in enumerate(known)}
    described = {
        "gallery": name,
        "version": search.version,
        "labels": list(labels),
        "terms": list(terms),
        "photos": [
            [*place, labels[p.label], terms[p.credit, p.licence, p.page], number]
            for place, p, number in zip(
                rounded(search.positions[chosen]), shown, chosen, strict=True
            )
        ],
    }
    return json.dumps(described, separators=(",", ":"))
