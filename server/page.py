"""The page that Gradio serves: the board, and the endpoints for programs."""

from pathlib import Path
from typing import Any

import gradio as gr
from starlette.concurrency import run_in_threadpool

from model.errors import GalleryError, SketchZooError
from model.pictures.decoding import open_image
from model.pictures.framing import Pixels, frame_sketch
from model.pictures.strokes import check_scale
from model.search.search import SketchSearch
from server.answers import Answers
from server.query import MAX_NARROWED, parse_count
from server.requests import API_PLACES

ASSETS = Path(__file__).parent.parent / "assets"
AT_ONCE = 8
"""Queued calls of programs that are answered at a time: their drawings are embedded together."""


def read_sketch(file: Path, size: int) -> Pixels:
    """The frame of a sketch in an image file; see `model.pictures.framing.frame_sketch`."""
    return frame_sketch(open_image(file, "the sketch"), size)


def numbers_of(ids: Any, search: SketchSearch) -> list[int]:
    """The numbers of photos with these ids, in this version of a gallery.

    Raises:
        GalleryError: there is no such photo, or it is named by its number.
    """
    given = ids or []
    if not isinstance(given, list) or len(given) > MAX_NARROWED:
        raise GalleryError(f"Photos are named by a list of at most {MAX_NARROWED} ids.")
    unknown = next(
        (each for each in given if not isinstance(each, str) or each not in search.numbers), None
    )
    if unknown is None:
        return [search.numbers[each] for each in given]
    if isinstance(unknown, str):
        raise GalleryError(f"There is no such photo in the gallery any more: {unknown[:40]}.")
    raise GalleryError(
        f"There is no such photo: {str(unknown)[:40]}. Name photos by the id that an answer gives, "
        "not by their number, which changes with the gallery."
    )


def build_page(answers: Answers) -> gr.Blocks:
    """The page: the board, and `/search` and `/search_strokes` for programs."""
    galleries = answers.galleries

    async def search_strokes(
        strokes: list[dict[str, Any]],
        k: int = 12,
        only: list[str] | None = None,
        without: list[str] | None = None,
        like: list[str] | None = None,
        unlike: list[str] | None = None,
        photo: str | None = None,
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
            like: Ids of photos, from an earlier answer, that the search is moved towards.
            unlike: Ids of photos that the search is moved away from.
            photo: Id of a photo to search by instead of the drawing; strokes may be empty then.
            gallery: Name of the gallery to search; the first one if it is left out.

        Returns:
            Photos, nearest first: rank, id, label, similarity, credit, licence, thumbnail. The id
            stays when the gallery is indexed again; the number that comes with it does not.
        """
        try:
            check_scale(strokes)
            search = galleries.search(gallery)
            query = {
                **{"strokes": strokes, "k": k, "gallery": gallery, "version": search.version},
                **{"only": only or [], "without": without or []},
                **{"like": numbers_of(like, search), "unlike": numbers_of(unlike, search)},
                "photo": None if photo is None else numbers_of([photo], search)[0],
            }
            matches: list[dict[str, Any]] = (await answers.answer(query))["matches"]
            return matches
        except SketchZooError as error:
            raise gr.Error(str(error), print_exception=False) from error

    async def search_file(
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
            count, size = parse_count(k), search.encoder.input_size
            frame = await answers.workers.run(read_sketch, Path(file), size)
            embedding = await answers.embed(frame, search)
            matches = await run_in_threadpool(search.nearest, embedding, count)
            return answers.found(matches, galleries.name_of(gallery), search)
        except SketchZooError as error:
            raise gr.Error(str(error), print_exception=False) from error

    page = gr.Blocks(title="SketchZoo", analytics_enabled=False, delete_cache=(3600, 86400))
    with page:
        gr.HTML(
            html_template=(ASSETS / "board.html").read_text(encoding="utf-8"),
            js_on_load=(ASSETS / "js" / "start.js").read_text(encoding="utf-8"),
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
