"""SketchZoo in the browser: draw an animal and see the nearest photos while you draw.

python app.py                 serve the starter gallery on http://127.0.0.1:7860
python app.py --photos DIR    serve your own photos instead
python app.py --mcp           let assistants search too, over the Model Context Protocol
"""

import argparse
import hashlib
import io
import json
import os
import socket
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

import gradio as gr
import uvicorn
from fastapi import FastAPI, HTTPException
from fastapi.responses import FileResponse, Response
from fastapi.staticfiles import StaticFiles
from gradio.utils import get_upload_folder
from PIL import Image

from model import Checkpoint, Match, SketchSearch, SketchZooError
from model.checkpoint import LAYOUT, SHIPPED
from model.explain import explain
from model.gallery import build_gallery, gallery_is_current, photos_in
from model.images import MAX_BYTES, flatten, open_image
from model.preprocess import clean_page, frame_box, frame_sketch
from model.query import Query, parse_count, parse_query
from model.starter import starter_photos
from model.strokes import StrokeError, render_strokes

ROOT = Path(__file__).parent
ASSETS = ROOT / "assets"
FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}
CLEANED = "-cleaned.png"
"""What the name of an upload ends with, once its paper was made white."""

LARGE_SIDE = 1280
"""Pixels. Photos are shown no larger, and without the metadata of their files."""


def main(argv: list[str] | None = None) -> int:
    """Parses the command line, opens the gallery and serves; returns the exit code."""
    arguments = parse_arguments(argv)
    try:
        check_port(arguments.host, arguments.port)
        search = open_search(arguments.checkpoint, arguments.photos, arguments.galleries)
    except SketchZooError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(f"SketchZoo is ready: http://{arguments.host}:{arguments.port}", flush=True)
    served = build_app(search, mcp=arguments.mcp)
    uvicorn.run(served, host=arguments.host, port=arguments.port, log_level="warning")
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
        "--checkpoint",
        type=Path,
        default=SHIPPED,
        metavar="DIR",
        help="the trained encoder to use (default: the one that comes with SketchZoo)",
    )
    parser.add_argument(
        "--galleries",
        type=Path,
        default=ROOT / "galleries",
        metavar="DIR",
        help="where indexes of photos are kept between starts (default: galleries)",
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
    return parser.parse_args(argv)


def check_port(host: str, port: int) -> None:
    """Raises SketchZooError when nothing can listen there."""
    with socket.socket() as probe:
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


def open_search(checkpoint_folder: Path, photos: Path | None, galleries: Path) -> SketchSearch:
    """Opens the gallery, indexing its photos first where they are new or have changed.

    Without any photos the app still starts, and says how to get some.

    Raises:
        CheckpointError: the checkpoint is incomplete or damaged.
        GalleryError: `photos` is not a folder of pictures, or `galleries` cannot be written.
    """
    checkpoint = Checkpoint.open(checkpoint_folder)
    if photos is not None:
        place = photos.resolve()
        unique = hashlib.sha256(str(place).encode()).hexdigest()[:8]
        chosen, name = photos_in(photos), f"{place.name}-{unique}"
    else:
        try:
            chosen, name = starter_photos(), "starter"
        except SketchZooError as error:
            print(f"note: {error}", file=sys.stderr)
            return SketchSearch.load(checkpoint_folder)
    folder = galleries / name
    if not gallery_is_current(folder, checkpoint, chosen):
        build_gallery(checkpoint, chosen, folder)
    return SketchSearch.load(folder)


def build_app(search: SketchSearch, *, mcp: bool = False) -> FastAPI:
    """The web application: Gradio's page and API, thumbnails, and `/healthz`.

    Args:
        mcp: whether the API's endpoints are tools at `gradio_api/mcp/` too.
    """
    app = FastAPI(title="SketchZoo", docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/healthz")
    def healthz() -> dict[str, Any]:
        return {"checkpoint": search.manifest.name, "photos": len(search.photos)}

    @app.get("/thumbnails/{number}")
    def thumbnail(number: int) -> FileResponse:
        if not 0 <= number < len(search.photos) or not search.thumbnail(number).is_file():
            raise HTTPException(404, "There is no such photo.")
        return FileResponse(search.thumbnail(number), headers=FOR_EVER)

    map_data = json.dumps(describe_map(search), separators=(",", ":"))

    @app.get("/map.json")
    def photo_map() -> Response:
        return Response(map_data, media_type="application/json", headers=FOR_EVER)

    @app.get("/photos/{number}")
    def photo(number: int) -> Response:
        try:
            image = flatten(open_image(Path(search.photo(number).path)))
        except SketchZooError as error:
            raise HTTPException(404, "There is no such photo, or none any more.") from error
        image.thumbnail((LARGE_SIDE, LARGE_SIDE), reducing_gap=3.0)
        data = io.BytesIO()
        image.save(data, "JPEG", quality=88)
        return Response(data.getvalue(), media_type="image/jpeg", headers=FOR_EVER)

    app.mount("/sketchzoo", Assets(directory=ASSETS))
    gr.mount_gradio_app(
        app,
        build_page(search),
        path="/",
        allowed_paths=[],
        max_file_size=MAX_BYTES,
        show_error=True,
        ssr_mode=False,
        footer_links=["api", "gradio"],
        run_history=False,
        mcp_server=mcp,
        css_paths=ASSETS / "board.css",
        theme=gr.themes.Base(font=["system-ui", "sans-serif"], font_mono=["monospace"]),
        favicon_path=str(ASSETS / "favicon.svg"),
    )
    return app


class Assets(StaticFiles):
    """Scripts that browsers check for a newer version, so that they always fit the page."""

    def file_response(self, *arguments: Any, **options: Any) -> Response:
        response = super().file_response(*arguments, **options)
        response.headers["Cache-Control"] = "no-cache"
        return response


def build_page(search: SketchSearch) -> gr.Blocks:
    """The page: the board, and `/search` and `/search_strokes` for programs."""
    version = photos_version(search)
    map_address = f"map.json?v={version}{search.manifest.sha256.get(LAYOUT, '')[:6]}"

    def found(matches: list[Match]) -> list[dict[str, Any]]:
        return [
            {
                **{key: value for key, value in asdict(m).items() if key != "photo"},
                "thumbnail": f"thumbnails/{m.number}?v={version}",
            }
            for m in matches
        ]

    def answer(query: dict[str, Any]) -> dict[str, Any]:
        asked = parse_query(query)
        guesses = []
        if asked.photo is None:
            frame = frame_sketch(drawing_of(asked), search.encoder.input_size)
            embedding = search.encoder.embed_frame(frame)
            guesses = search.guess(embedding)
        else:
            embedding = search.embedding_of(asked.photo)
        steered = search.steer(embedding, asked.like, asked.unlike)
        matches = search.nearest(steered, asked.k, only=asked.only, without=asked.without)
        return {
            "matches": found(matches),
            "guesses": [asdict(guess) for guess in guesses],
            "unlike": asked.photo is None and search.is_unlike(matches),
            "place": search.place(matches),
            "map": map_address,
        }

    def search_drawing(query: dict[str, Any]) -> dict[str, Any]:
        """Answers the board: what was drawn, and how the search is narrowed, to matches."""
        try:
            return answer(query)
        except SketchZooError as error:
            return {"error": str(error)}

    def explain_match(question: dict[str, Any]) -> dict[str, Any]:
        """Tells the board which parts of a drawing and of a photo make them match."""
        try:
            asked = parse_query(question)
            drawing = drawing_of(asked)
            frame = frame_sketch(drawing, search.encoder.input_size)
            photo = open_image(Path(search.photo(asked.photo).path))
            explained = explain(search.encoder, frame, flatten(photo))
            left, top, side = frame_box(drawing)
            page = max(drawing.size)
            return {
                "sketch": explained.sketch.round(5).tolist(),
                "photo": explained.photo.round(5).tolist(),
                "box": [
                    (left + (page - drawing.width) / 2) / page,
                    (top + (page - drawing.height) / 2) / page,
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
                unfinished = file.with_name(f".{file.stem}.tmp")
                cleaned.save(unfinished, "PNG")
                file = unfinished.replace(file.with_name(file.stem + CLEANED))
            frame_sketch(cleaned or image, search.encoder.input_size)
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

        Returns:
            Photos, nearest first: rank, number, label, similarity, credit, licence, thumbnail.
        """
        query = {"strokes": strokes, "k": k, "photo": photo}
        narrowed = {"only": only, "without": without, "like": like, "unlike": unlike}
        try:
            filled = {key: value or [] for key, value in narrowed.items()}
            matches: list[dict[str, Any]] = answer(query | filled)["matches"]
            return matches
        except SketchZooError as error:
            raise gr.Error(str(error), print_exception=False) from error

    def describe_gallery(_: Any = None) -> dict[str, int]:
        """Tells the board how many photos of what there are."""
        return dict(sorted(Counter(photo.label for photo in search.photos).items()))

    def search_file(file: str | None, k: float | None) -> list[dict[str, Any]]:
        """Finds the photos of animals nearest to a sketch in an image file.

        Args:
            file: A picture of a sketch: PNG, JPEG, WebP, GIF, BMP or TIFF.
            k: How many photos are wanted, 1 to 48.

        Returns:
            Photos, nearest first, as search_strokes returns them.
        """
        if not file:
            raise gr.Error("Send an image file of a sketch.", print_exception=False)
        try:
            return found(search.query(open_image(Path(file), "the sketch"), parse_count(k)))
        except SketchZooError as error:
            raise gr.Error(str(error), print_exception=False) from error

    page = gr.Blocks(title="SketchZoo", analytics_enabled=False, delete_cache=(3600, 86400))
    with page:
        gr.HTML(
            html_template=(ASSETS / "board.html").read_text(encoding="utf-8"),
            js_on_load=(ASSETS / "js" / "start.js").read_text(encoding="utf-8"),
            server_functions=[search_drawing, read_upload, explain_match, describe_gallery],
            apply_default_css=False,
        )
        with gr.Row(visible=False):
            file, k = gr.File(type="filepath"), gr.Number(12)
            gr.Button().click(search_file, [file, k], gr.JSON(), api_name="search", queue=False)
        gr.api(  # type: ignore[attr-defined]
            search_strokes, api_name="search_strokes", queue=False
        )
    return page


def drawing_of(query: Query) -> Image.Image:
    """What was drawn: strokes, an upload, or strokes on an upload."""
    paper = open_image(uploaded(query.picture)) if query.picture else None
    return paper if paper and not query.strokes else render_strokes(query.strokes, paper)


def photos_version(search: SketchSearch) -> str:
    """Part of addresses that changes when the photos do, so that browsers may keep the rest."""
    index = search.manifest.index
    return index.photos_key[:12] if index else ""


def describe_map(search: SketchSearch) -> dict[str, Any]:
    """Where all photos lie on the map and what they are, in few bytes.

    Returns:
        `photos` as lists of x, y, the place of the label in `labels`, and that of credit and
        licence in `terms`; and the `version` for the addresses of thumbnails.
    """
    labels = {label: i for i, label in enumerate(dict.fromkeys(p.label for p in search.photos))}
    pairs = dict.fromkeys((p.credit, p.licence) for p in search.photos)
    terms = {pair: i for i, pair in enumerate(pairs)}
    return {
        "version": photos_version(search),
        "labels": list(labels),
        "terms": list(terms),
        "photos": [
            [round(float(x), 4), round(float(y), 4), labels[p.label], terms[p.credit, p.licence]]
            for (x, y), p in zip(search.positions, search.photos, strict=True)
        ],
    }


def uploaded(path: Any) -> Path:
    """The path of an uploaded file, which must lie in Gradio's upload folder.

    Raises:
        StrokeError: it lies elsewhere.
    """
    folder = Path(get_upload_folder()).resolve()
    try:
        resolved = Path(path).resolve()
    except (TypeError, ValueError, OSError) as error:
        raise StrokeError("The uploaded picture is not known. Upload it again.") from error
    if not resolved.is_relative_to(folder):
        raise StrokeError("The uploaded picture is not known. Upload it again.")
    return resolved


if __name__ == "__main__":
    sys.exit(main())
