"""Why a photo matches a drawing."""

from functools import partial
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from model.encoder.explain import explain
from model.errors import SketchZooError
from model.pictures.colours import flatten
from model.pictures.decoding import OWN, open_image
from model.pictures.framing import frame_box, frame_ink
from server.galleries import Galleries
from server.query import parse_json, parse_query
from server.routes.responses import json_response
from server.service import SearchService, ink_of


def explain_routes(service: SearchService) -> list[BaseRoute]:
    """`POST board/explain`."""
    return [Route("/board/explain", partial(explain_photo, service), methods=["POST"])]


async def explain_photo(service: SearchService, request: Request) -> Response:
    """Answers which parts of a drawing and of a photo make them match."""
    body = await request.body()
    return json_response(await service.workers.run(explain_match, service.galleries, body))


def explain_match(galleries: Galleries, body: bytes) -> dict[str, Any]:
    """Compares a drawing with a photo of a gallery.

    Args:
        galleries: the galleries.
        body: a query in JSON with the `photo` to explain.

    Returns:
        How much each part of `sketch` and of `photo` contributes (see `model.encoder.explain`), and
        `box`: the left, the top and the side of the encoder's frame as shares of the page.

    Raises:
        SketchZooError: nothing is drawn, or there is no such photo any more.
    """
    query = parse_query(parse_json(body))
    if query.photo is None:
        raise SketchZooError("Name the photo to explain by its id.")
    search = galleries.get_search(query.gallery)
    ink = ink_of(query)
    photo = open_image(Path(search.photo(search.number_of(query.photo)).path), limits=OWN)
    frame = frame_ink(ink, search.encoder.input_size)
    explanation = explain(search.encoder, frame, flatten(photo))
    left, top, side = frame_box(ink)
    page = max(ink.size)
    return {
        "sketch": explanation.sketch.round(5).tolist(),
        "photo": explanation.photo.round(5).tolist(),
        "box": [
            (left + (page - ink.width) / 2) / page,
            (top + (page - ink.height) / 2) / page,
            side / page,
        ],
    }
