"""SketchZoo in the browser: draw an animal and see the nearest photos while you draw.

python app.py                 serve the starter gallery on http://127.0.0.1:7860
python app.py --photos DIR    serve your own photos instead
python app.py --gallery DIR   serve a gallery that 'python -m train index' has made, or several
python app.py --mcp           let assistants search too, over the Model Context Protocol
"""

import argparse
import gc
import hashlib
import io
import itertools
import json
import math
import os
import secrets
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, get_args
from weakref import WeakKeyDictionary

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

import gradio as gr
import numpy as np
import uvicorn
from fastapi import FastAPI, HTTPException
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.middleware import Middleware
from starlette.routing import Mount

from model import Checkpoint, GalleryError, SketchSearch, SketchZooError
from model.checkpoint import SHIPPED, EngineName
from model.explain import explain
from model.gallery import build_gallery, gallery_is_current, photos_in
from model.images import MAX_BYTES, flatten, open_image
from model.preprocess import clean_page, frame_box, frame_ink, frame_sketch
from model.progress import THUMBNAIL_SIDE
from model.query import parse_count, parse_query
from model.starter import starter_photos
from server.answers import Answers, ink_of, rounded, uploaded
from server.galleries import Galleries
from server.gate import OnlyNeeded, SameSite
from server.headers import HashScripts, Headers
from server.limits import RATE, Bodies, Proxies, RateLimit, default_proxies, read_proxies
from server.metrics import Metrics
from server.requests import Traffic, start_log
from server.running import Server, leave
from server.uploads import guard_downloads

ROOT = Path(__file__).parent
ASSETS = ROOT / "assets"
FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}
NOT_AT_ALL = {"Cache-Control": "no-cache"}
CLEANED = "-cleaned.png"
"""What the name of an upload ends with, once its paper was made white."""

DOTS = 5000
"""Photos on the map at most."""

OFFERED = 1000
"""Labels that are offered to narrow a search, those of most photos."""

LARGE_SIDE = 1280
"""Pixels. Photos are shown no larger, and without the metadata of their files."""


def main(argv: list[str] | None = None) -> int:
    """Parses the command line, opens the gallery and serves; returns the exit code."""
    arguments = parse_arguments(argv)
    start_log(arguments.log_format)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        check_port(arguments.host, arguments.port)
        proxies = read_proxies(arguments.proxy)
        galleries = open_galleries(
            arguments.checkpoint,
            arguments.photos,
            arguments.galleries,
            arguments.gallery,
            arguments.engine,
        )
    except SketchZooError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    served = build_app(galleries, mcp=arguments.mcp, rate=arguments.rate, proxies=proxies)
    config = uvicorn.Config(
        served,
        host=arguments.host,
        port=arguments.port,
        log_level="warning",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    gc.collect()
    gc.freeze()  # What lives as long as the server need not be looked through for garbage again.
    with suppress(KeyboardInterrupt):
        Server(config, served).run()
    return 0


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line, with the environment variables that Gradio and Spaces use as defaults."""
    parser = argparse.ArgumentParser(
        description="Draw an animal in the browser and see the nearest photos while you draw.",
        epilog="example: python app.py --photos ~/Pictures --port 8000",
    )
    parser.add_argument(
        "--photos",
        type=Path,
        metavar="DIR",
        help="search your own photos: every picture below DIR, labelled by its folder's name",
    )
    parser.add_argument(
        "--gallery",
        type=Path,
        nargs="+",
        default=[],
        metavar="DIR",
        help="search galleries made by 'python -m train index', each with the encoder it was made "
        "with; the board lets one choose. One that is built anew meanwhile is taken over",
    )
    parser.add_argument(
        "--checkpoint",
        type=Path,
        default=SHIPPED,
        metavar="DIR",
        help="the trained encoder to use for photos (default: the one that comes with SketchZoo)",
    )
    parser.add_argument(
        "--galleries",
        type=Path,
        default=ROOT / "galleries",
        metavar="DIR",
        help="where indexes of photos are kept between starts (default: galleries)",
    )
    parser.add_argument(
        "--engine",
        choices=get_args(EngineName),
        help="what searches photos (default: exact up to 20000, annoy above)",
    )
    environment = os.environ.get
    parser.add_argument(
        "--host",
        default=environment("GRADIO_SERVER_NAME", "127.0.0.1"),
        help="address to listen on; 0.0.0.0 lets other machines in (default: %(default)s)",
    )
    parser.add_argument(
        "--port",
        type=int,
        default=environment("GRADIO_SERVER_PORT") or environment("PORT") or "7860",
        help="port to listen on (default: %(default)s)",
    )
    parser.add_argument(
        "--mcp",
        action="store_true",
        default=environment("GRADIO_MCP_SERVER", "").lower() == "true",
        help="offer the search to assistants, over the Model Context Protocol",
    )
    parser.add_argument(
        "--log-format",
        choices=["text", "json"],
        default="text",
        help="text tells of problems alone; json writes a line about every request, too",
    )
    parser.add_argument(
        "--rate",
        type=searches_a_second,
        default=RATE,
        metavar="N",
        help="searches a second that one client may make; 0 for any number (default: %(default)s)",
    )
    parser.add_argument(
        "--proxy",
        default=default_proxies(),
        metavar="NETWORKS",
        help="addresses or networks of proxies, with commas between them, that tell in "
        "X-Forwarded-For whom they ask for; * for one at any address (default: "
        "$FORWARDED_ALLOW_IPS)",
    )
    return parser.parse_args(argv)


def searches_a_second(text: str) -> float:
    """The value of `--rate`."""
    rate = float(text)
    if not 0 <= rate < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is no rate: it is 0 or more")
    return rate


def check_port(host: str, port: int) -> None:
    """Raises SketchZooError when nothing can listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OverflowError as error:
            raise SketchZooError(f"{port} is no port; they go from 1 to 65535.") from error
        except socket.gaierror as error:
            raise SketchZooError(f"{host} is no address of this machine.") from error
        except OSError as error:
            raise SketchZooError(
                f"Port {port} on {host} cannot be used: {error.strerror}. Stop the program that "
                "uses it or choose another with --port (PORT= with make run)."
            ) from error


def open_galleries(
    checkpoint: Path,
    photos: Path | None,
    indexes: Path,
    built: Sequence[Path] = (),
    engine: EngineName | None = None,
) -> Galleries:
    """Opens the galleries to serve: those that are built, and that of `photos`.

    Args:
        checkpoint: folder of the encoder for `photos`.
        photos: a folder of pictures; without it and without `built`, the starter gallery is served.
        indexes: where galleries of photos are kept between starts.
        built: folders of galleries.
        engine: what searches `photos`; by their number if None.

    Raises:
        CheckpointError: the checkpoint or a gallery is incomplete or damaged.
        GalleryError: `photos` is not a folder of pictures, `indexes` cannot be written, or one of
            `built` holds no photos.
    """
    folders: dict[str, Path] = {}
    for folder in built:
        folders[unlike(folders, name_of(folder))] = folder
    if photos or not built:
        name = name_of(photos) if photos else "starter"
        name = f"{name} (photos)" if name in folders else name
        folders[unlike(folders, name)] = prepare_photos(checkpoint, photos, indexes, engine)
    galleries = Galleries(folders)
    for name, folder in folders.items():
        if folder in built and not galleries.search(name).photos:
            raise GalleryError(
                f"{folder} holds no photos. Make a gallery with 'python -m train index'."
            )
    return galleries


def name_of(folder: Path) -> str:
    """A folder's name; bytes in it that are no UTF-8 become question marks."""
    return folder.resolve().name.encode("utf-8", "replace").decode()


def unlike(names: Collection[str], name: str) -> str:
    """A name that is not among others, by a number if need be."""
    numbered = (name if number == 1 else f"{name} {number}" for number in itertools.count(1))
    return next(each for each in numbered if each not in names)


def prepare_photos(
    checkpoint_folder: Path, photos: Path | None, galleries: Path, engine: EngineName | None
) -> Path:
    """Indexes photos where they are new or have changed; returns the gallery's folder.

    Without the starter gallery's photos the app still starts, and says how to get some: the folder
    is that of the checkpoint then.
    """
    checkpoint = Checkpoint.open(checkpoint_folder)
    if photos is not None:
        place = photos.resolve()
        unique = hashlib.sha256(os.fsencode(place)).hexdigest()[:8]
        chosen, name = photos_in(photos), f"{name_of(place)}-{unique}"
    else:
        try:
            chosen, name = starter_photos(), "starter"
        except SketchZooError as error:
            print(f"note: {error}", file=sys.stderr)
            return checkpoint_folder
    folder = galleries / name
    if not gallery_is_current(folder, checkpoint, chosen, engine):
        built = build_gallery(checkpoint, chosen, folder, engine, wait=True)
        for path, reason in built.unreadable:
            print(f"left out: {path}: {reason}", file=sys.stderr)
    return folder


def build_app(
    galleries: Galleries, *, mcp: bool = False, rate: float = RATE, proxies: Proxies = ()
) -> Traffic:
    """The web application: Gradio's page and API, the board's search, photos, and probes.

    Args:
        mcp: whether the API's endpoints are tools at `gradio_api/mcp/` too.
        rate: searches a second that one client may make; 0 for any number.
        proxies: whose word on a client's address is taken; see `server.limits.client_address`.
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
        build_page(answers),
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


def build_page(answers: Answers) -> gr.Blocks:
    """The page: the board, and `/search` and `/search_strokes` for programs."""
    galleries = answers.galleries

    def explain_match(question: dict[str, Any]) -> dict[str, Any]:
        """Tells the board which parts of a drawing and of a photo make them match."""
        try:
            asked = parse_query(question)
            search = galleries.search(asked.gallery, asked.version)
            ink = ink_of(asked)
            frame = frame_ink(ink, search.encoder.input_size)
            photo = open_image(Path(search.photo(asked.photo).path))
            explained = explain(search.encoder, frame, flatten(photo))
            left, top, side = frame_box(ink)
            page = max(ink.size)
            return {
                "sketch": explained.sketch.round(5).tolist(),
                "photo": explained.photo.round(5).tolist(),
                "box": [
                    (left + (page - ink.width) / 2) / page,
                    (top + (page - ink.height) / 2) / page,
                    side / page,
                ],
            }
        except SketchZooError as error:
            return {"error": str(error)}

    def read_upload(path: str) -> dict[str, Any]:
        """Tells the board which file to show for an upload: its own, or one with clean paper."""
        try:
            file = uploaded(path)
            image = open_image(file)
            cleaned = clean_page(image)
            if cleaned is not None:
                unfinished = file.with_name(f".{file.stem}.{secrets.token_hex(8)}.tmp")
                cleaned.save(unfinished, "PNG")
                file = unfinished.replace(file.with_name(file.stem + CLEANED))
            frame_sketch(cleaned or image, galleries.search().encoder.input_size)
            return {"path": str(file), "cleaned": cleaned is not None}
        except SketchZooError as error:
            return {"error": str(error)}
        except OSError as error:
            return {"error": f"The server cannot keep the picture: {error.strerror}. Try later."}

    def search_strokes(
        strokes: list[dict[str, Any]],
        k: int = 12,
        only: list[str] | None = None,
        without: list[str] | None = None,
        like: list[int] | None = None,
        unlike: list[int] | None = None,
        photo: int | None = None,
        gallery: str | None = None,
    ) -> list[dict[str, Any]]:
        """Finds the photos of animals nearest to a drawing that is given as strokes.

        A stroke is {"width": 0.012, "points": [[0.1, 0.2], [0.3, 0.4]]}: a line through points x, y
        of a square page, 0, 0 at its top left and 1, 1 at its bottom right; the width is a share of
        its side. A third number of a point is the pressure there, 1 for the usual; "erase": true
        makes a stroke take ink away. Large outlines as a child draws them do best.

        Args:
            strokes: The drawing, at most 1000 strokes with 50000 points, in their order.
            k: How many photos are wanted, 1 to 48.
            only: Labels of animals to search among; all of them if empty.
            without: Labels of animals to leave out.
            like: Numbers of photos, from an earlier answer, that the search is moved towards.
            unlike: Numbers of photos that the search is moved away from.
            photo: Number of a photo to search by instead of the drawing; strokes may be empty then.
            gallery: Name of the gallery to search; the first one if it is left out.

        Returns:
            Photos, nearest first: rank, number, label, similarity, credit, licence, thumbnail.
        """
        query = {"strokes": strokes, "k": k, "photo": photo, "gallery": gallery}
        narrowed = {"only": only, "without": without, "like": like, "unlike": unlike}
        try:
            filled = {key: value or [] for key, value in narrowed.items()}
            matches: list[dict[str, Any]] = answers.answer(query | filled)["matches"]
            return matches
        except SketchZooError as error:
            raise gr.Error(str(error), print_exception=False) from error

    def describe_gallery(asked: Any = None) -> dict[str, Any]:
        """Tells the board which galleries there are, and how many photos of what one holds.

        Its name may be one that a browser has kept; if it is not known, the first one is described.
        """
        name = galleries.name_of(asked)
        labels = galleries.search(name).labels.most_common(OFFERED)
        return {"galleries": galleries.names, "gallery": name, "labels": sorted(labels)}

    def search_file(
        file: str | None, k: float | None, gallery: str | None = None
    ) -> list[dict[str, Any]]:
        """Finds the photos of animals nearest to a sketch in an image file.

        Args:
            file: A picture of a sketch: PNG, JPEG, WebP, GIF, BMP or TIFF.
            k: How many photos are wanted, 1 to 48.
            gallery: Name of the gallery to search; the first one if it is empty.

        Returns:
            Photos, nearest first, as search_strokes returns them.
        """
        if not file:
            raise gr.Error("Send an image file of a sketch.", print_exception=False)
        try:
            search = galleries.search(gallery)
            count, image = parse_count(k), open_image(Path(file), "the sketch")
            frame = frame_sketch(image, search.encoder.input_size)
            matches = search.nearest(answers.embed(frame, search), count)
            return answers.found(matches, galleries.name_of(gallery), search)
        except SketchZooError as error:
            raise gr.Error(str(error), print_exception=False) from error

    page = gr.Blocks(title="SketchZoo", analytics_enabled=False, delete_cache=(3600, 86400))
    with page:
        gr.HTML(
            html_template=(ASSETS / "board.html").read_text(encoding="utf-8"),
            js_on_load=(ASSETS / "js" / "start.js").read_text(encoding="utf-8"),
            server_functions=[read_upload, explain_match, describe_gallery],
            apply_default_css=False,
        )
        with gr.Row(visible=False):
            given = [gr.File(type="filepath"), gr.Number(12), gr.Textbox("")]
            gr.Button().click(search_file, given, gr.JSON(), api_name="search", queue=False)
        gr.api(  # type: ignore[attr-defined]
            search_strokes, api_name="search_strokes", queue=False
        )
    # Gradio looks for queued calls a thousand times a second, which costs a crowd its time.
    page._queue.sleep_when_free = 0.02
    return page


def describe_map(name: str, search: SketchSearch) -> str:
    """Where photos of a gallery lie on the map and what they are, as JSON of few bytes.

    Returns:
        `photos` as lists of x, y, the place of the label in `labels`, that of credit and licence
        in `terms`, and the photo's number, of a random sample where there are more than `DOTS`;
        and `gallery` and `version` for the addresses of thumbnails.
    """
    count = len(search.photos)
    chosen = np.sort(np.random.default_rng(0).permutation(count)[:DOTS]).tolist()
    shown = [search.photos[number] for number in chosen]
    labels = {label: i for i, label in enumerate(dict.fromkeys(p.label for p in shown))}
    pairs = dict.fromkeys((p.credit, p.licence) for p in shown)
    terms = {pair: i for i, pair in enumerate(pairs)}
    described = {
        "gallery": name,
        "version": search.version,
        "labels": list(labels),
        "terms": list(terms),
        "photos": [
            [*place, labels[photo.label], terms[photo.credit, photo.licence], number]
            for place, photo, number in zip(
                rounded(search.positions[chosen]), shown, chosen, strict=True
            )
        ],
    }
    return json.dumps(described, separators=(",", ":"))


if __name__ == "__main__":
    leave(main())
