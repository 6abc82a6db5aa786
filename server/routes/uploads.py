"""What the board shows of an upload: the file itself, or a cleaned picture of it."""

import secrets
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from model.errors import SketchZooError
from model.pictures.colours import flatten
from model.pictures.decoding import open_image
from model.pictures.framing import frame_sketch
from model.pictures.paper import CLEAN_SIDE, clean_page
from server.query import parse_json
from server.routes.responses import json_response
from server.service import SearchService
from server.uploads import find_upload

CLEANED = "-cleaned.png"
"""How the names of cleaned pictures end."""

REDUCING_GAP = 3.0
"""Pillow reduces a picture fast down to this many times its new size, and exactly from there."""


def upload_routes(service: SearchService) -> list[BaseRoute]:
    """`POST board/read`."""
    return [Route("/board/read", partial(read, service), methods=["POST"])]


async def read(service: SearchService, request: Request) -> Response:
    """Answers which file to show for an upload."""
    payload = parse_json(await request.body())
    size = service.galleries.search().encoder.input_size
    return json_response(await service.workers.run(read_upload, payload, size))


def read_upload(payload: dict[str, Any], size: int) -> dict[str, Any]:
    """Checks an upload and cleans it where needed.

    A cleaned picture is made of the photo of a drawing (with white paper), of light lines on a
    transparent ground, and of what a browser cannot show, which it tells as `unseen`.

    Args:
        payload: `path` of the upload, and `unseen`.
        size: side of the encoder's frames in pixels.

    Returns:
        The `path` of the file to show, and whether it is `cleaned`.

    Raises:
        SketchZooError: the upload is not a picture, nothing is drawn in it, or the disk is full.
    """
    file = find_upload(payload.get("path"))
    image = open_image(file)
    cleaned = clean_page(image)
    if cleaned is None and payload.get("unseen"):
        cleaned = flatten(image)
        cleaned.thumbnail((CLEAN_SIDE, CLEAN_SIDE), reducing_gap=REDUCING_GAP)
    frame_sketch(cleaned or image, size)
    if cleaned is None:
        return {"path": str(file), "cleaned": False}
    return {"path": str(save_beside(file, cleaned)), "cleaned": True}


def save_beside(file: Path, cleaned: Image.Image) -> Path:
    """Saves a cleaned picture in the folder of its upload; returns its path.

    Raises:
        SketchZooError: it cannot be written.
    """
    try:
        unfinished = file.with_name(f".{file.stem}.{secrets.token_hex(8)}.tmp")
        cleaned.save(unfinished, "PNG")
        return unfinished.replace(file.with_name(file.stem + CLEANED))
    except OSError as error:
        raise SketchZooError(
            f"The server cannot keep the picture: {error.strerror}. Try later."
        ) from error
