"""The page that Gradio serves: the board, and the endpoints for programs."""

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from model.errors import SketchZooError
from model.explain import explain
from model.images import flatten, open_image
from model.preprocess import clean_page, frame_box, frame_ink, frame_sketch
from model.query import parse_count, parse_query
from server.answers import Answers, ink_of, uploaded
from server.requests import API_PLACES

Coming = Callable[[], dict[str, Any] | None]

ASSETS = Path(__file__).parent.parent / "assets"
CLEANED = "-cleaned.png"
"""What the name of an upload ends with, once its paper was made white."""

AT_ONCE = 8
"""Queued calls of programs that are answered at a time: their drawings are embedded together."""

OFFERED = 1000
"""Labels that are offered to narrow a search, those of most photos."""


def build_page(answers: Answers, more: str = "", coming: Coming = lambda: None) -> gr.Blocks:
    """The page: the board, and `/search` and `/search_strokes` for programs.

    Args:
        more: how somebody who draws gets more photos; empty where they cannot.
        coming: tells what `server.growing.Growing.told` does of photos that are being fetched;
            None where none are.
    """
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
        return {
            "galleries": galleries.names,
            "gallery": name,
            "labels": sorted(labels),
            "more": more,
            "coming": coming(),
        }

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
    page.queue(max_size=API_PLACES, default_concurrency_limit=AT_ONCE)
    # Gradio looks for queued calls a thousand times a second, which costs a crowd its time.
    page._queue.sleep_when_free = 0.02
    return page
