"""The web application: Gradio's page inside, photos, map and probes beside it, guards around."""

import io
import json
import os
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import gradio as gr
import numpy as np
from fastapi import FastAPI, HTTPException
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.routing import Mount

from model.errors import GalleryError, SketchZooError
from model.gallery.progress import THUMBNAIL_SIDE
from model.pictures.decoding import MAX_BYTES, OWN, flatten, open_image
from model.search.search import SketchSearch, photo_id
from server.answers import Answers, busy, rounded
from server.batching import BusyError
from server.board import Coming, add_board_routes
from server.galleries import Galleries
from server.gate import OnlyNeeded
from server.headers import HashScripts, Headers
from server.limits import RATE, Bodies, Proxies, RateLimit
from server.metrics import Metrics
from server.page import ASSETS, build_page
from server.proxies import Advice, OwnNames, RelativeRoot, SameSite
from server.requests import Traffic
from server.uploads import guard_downloads

FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}
NOT_AT_ALL = {"Cache-Control": "no-cache"}
STYLES = ("page", "pad", "search", "results", "dialog", "share", "map", "forced-colors")
"""The parts of the style sheet. Later ones override earlier ones."""

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
    names: Collection[str] | None = None,
    more: str = "",
    coming: Coming = lambda: None,
) -> Traffic:
    """The web application: Gradio's page and API, the board's search, photos, and probes.

    Args:
        mcp: whether the API's endpoints are tools at `gradio_api/mcp/` too.
        rate: searches a second that one client may make; 0 for any number.
        proxies: whose word on a client's address is taken; see `server.limits.client_address`.
        names: where the app serves its own machine alone, the names that it has beside those of
            this machine; None where it serves others, and may have any name.
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
    prefix = urlsplit(os.environ.get("GRADIO_ROOT_PATH", "")).path
    traffic = Traffic(app, metrics, proxies, prefix)
    guard_downloads(allowed=mcp)
    add_board_routes(app, answers, more, coming)

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

    async def photo_in(search: SketchSearch, number: int, side: int, version: str) -> Response:
        try:
            data = await answers.workers.run(shrunk, search, number, side)
        except BusyError as error:
            return busy(error)
        return answer(data, "image/jpeg", version)

    @app.get("/thumbnails/{number}")
    async def thumbnail(number: int, gallery: str = "", v: str = "") -> Response:
        search = search_in(gallery, v)
        small = await run_in_threadpool(search.read_thumbnail, number)
        if small:
            return answer(small, "image/webp", v)
        return await photo_in(search, number, THUMBNAIL_SIDE, v)

    maps: WeakKeyDictionary[SketchSearch, str] = WeakKeyDictionary()

    @app.get("/map.json")
    def photo_map(gallery: str = "", v: str = "") -> Response:
        search = search_in(gallery, v)
        if search not in maps:
            maps[search] = describe_map(galleries.name_of(gallery), search)
        return answer(maps[search], "application/json", v)

    @app.get("/photos/{number}")
    async def photo(number: int, gallery: str = "", v: str = "") -> Response:
        return await photo_in(search_in(gallery, v), number, LARGE_SIDE, v)

    app.mount("/sketchzoo", Assets(directory=ASSETS))
    gr.mount_gradio_app(
        app,
        build_page(answers),
        path="/",
        allowed_paths=[],
        max_file_size=MAX_BYTES,
        show_error=False,
        ssr_mode=False,
        footer_links=["api", "gradio"],
        run_history=False,
        mcp_server=mcp,
        css_paths=[ASSETS / "css" / f"{part}.css" for part in STYLES],
        theme=gr.themes.Base(font=["system-ui", "sans-serif"], font_mono=["monospace"]),
        favicon_path=str(ASSETS / "favicon.svg"),
    )
    protect(app, rate, proxies, names)
    return traffic


def protect(app: FastAPI, rate: float, proxies: Proxies, names: Collection[str] | None) -> None:
    """Puts the guards of `server/` around the app, and one more around Gradio inside it."""
    mounted = next(route for route in reversed(app.routes) if isinstance(route, Mount))
    gradio_app: Any = mounted.app
    # The last one is the innermost: hashes are those of the page as it is sent.
    gradio_app.user_middleware += [Middleware(HashScripts), Middleware(RelativeRoot)]
    mounted.app = OnlyNeeded(gradio_app)
    # Gradio sets no CORS headers of its own where its parent has this; no origin is allowed.
    app.add_middleware(CORSMiddleware, allow_origins=())
    app.add_middleware(Bodies)
    app.add_middleware(SameSite)
    if rate > 0:
        app.add_middleware(RateLimit, rate=rate)
    if names is not None:
        app.add_middleware(OwnNames, names=names)
    app.add_middleware(Advice, proxies=proxies)
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
        image = flatten(open_image(Path(search.photo(number).path), limits=OWN))
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
        `photos` as lists of x, y, the place of the label in `labels`, that of credit, licence and
        page in `terms`, and the photo's number, of a random sample where there are more than
        `DOTS`; their `ids`; and `gallery` and `version` for the addresses of thumbnails.
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
        "ids": [photo_id(photo) for photo in shown],
        "terms": list(terms),
        "photos": [
            [*place, labels[p.label], terms[p.credit, p.licence, p.page], number]
            for place, p, number in zip(
                rounded(search.positions[chosen]), shown, chosen, strict=True
            )
        ],
    }
    return json.dumps(described, separators=(",", ":"))
