"""The search API for programs and assistants, which Gradio serves and documents."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.concurrency import run_in_threadpool

from model.errors import SketchZooError
from model.pictures.decoding import open_image
from model.pictures.framing import Pixels, frame_sketch
from model.pictures.strokes import check_scale
from server.query import Query, parse_query
from server.service import SearchService, describe_matches


class SearchApi:
    """The endpoints. Gradio shows their docstrings to programs and assistants.

    Args:
        service: what answers.
    """

    def __init__(self, service: SearchService) -> None:
        self.service = service

    async def search_strokes(
        self,
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
        of a square page, from 0, 0 at its top left to 1, 1 at its bottom right. The width is a
        share of the page's side. A third number of a point is the pressure there, 1 for the usual.
        "erase": true makes a stroke take ink away. Large outlines as a child draws them work best.

        Args:
            strokes: The drawing, at most 1000 strokes with 50000 points, in their order.
            k: How many photos to find, 1 to 48.
            only: Labels of animals to search among; all of them if empty.
            without: Labels of animals to leave out.
            like: Ids of photos, from an earlier answer, that the search is moved towards.
            unlike: Ids of photos that the search is moved away from.
            photo: Id of a photo to search by instead of the drawing; strokes may be empty then.
            gallery: Name of the gallery to search; the first one if it is left out.

        Returns:
            Photos, nearest first: rank, id, number, label, animal (its class, empty if uncertain),
            similarity, distance, credit, licence, page (of the photo), thumbnail. The id stays when
            the gallery is indexed again; the number does not.
        """
        with errors_for_programs():
            payload = {
                "strokes": strokes,
                "k": k,
                "only": only or [],
                "without": without or [],
                "like": like or [],
                "unlike": unlike or [],
                "photo": photo,
                "gallery": gallery,
            }
            query = await self.service.workers.run(read_program_query, payload)
            matches: list[dict[str, Any]] = (await self.service.search(query))["matches"]
            return matches

    async def search_file(
        self, file: str | None, k: float | None, gallery: str | None = None
    ) -> list[dict[str, Any]]:
        """Finds the photos of animals nearest to a sketch in an image file.

        Args:
            file: A picture of a sketch: PNG, JPEG, WebP, HEIF, GIF, BMP, TIFF or AVIF.
            k: How many photos to find, 1 to 48.
            gallery: Name of the gallery to search; the first one if it is empty.

        Returns:
            Photos, nearest first, as search_strokes returns them.
        """
        service = self.service
        with errors_for_programs():
            if not file:
                raise SketchZooError("Send an image file of a sketch.")
            query = parse_query({"strokes": [], "k": k, "gallery": gallery})
            search = service.galleries.get_search(query.gallery)
            size = search.encoder.input_size
            frame = await service.workers.run(read_sketch, Path(file), size)
            embedding = await service.embed(frame, search)
            matches = await run_in_threadpool(search.nearest, embedding, query.k)
            return describe_matches(matches, service.galleries.name_of(gallery), search)


@contextmanager
def errors_for_programs() -> Iterator[None]:
    """Raises a `gr.Error`, whose message Gradio sends, in place of a `SketchZooError`."""
    try:
        yield
    except SketchZooError as error:
        raise gr.Error(str(error), print_exception=False) from error


def read_program_query(payload: dict[str, Any]) -> Query:
    """Validates a query of a program, which may have sent pixels for shares of the page.

    Raises:
        SketchZooError: a field has the wrong form or is too large.
    """
    query = parse_query(payload)
    check_scale(payload["strokes"])
    return query


def read_sketch(file: Path, size: int) -> Pixels:
    """The frame of a sketch in an image file, `(size, size)`."""
    return frame_sketch(open_image(file, "the sketch"), size)
