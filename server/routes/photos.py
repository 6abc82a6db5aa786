"""Photos and thumbnails of the galleries."""

import io
import re
from functools import partial
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from model.errors import GalleryError, SketchZooError
from model.gallery.progress import THUMBNAIL_SIDE
from model.pictures.colours import flatten
from model.pictures.decoding import OWN, open_image
from model.search.search import SketchSearch
from server.caching import IMMUTABLE, NO_CACHE
from server.galleries import Galleries
from server.service import SearchService

LARGE_SIDE = 1280
"""Longest side in pixels at which a photo is shown."""

JPEG_QUALITY = 88

REDUCING_GAP = 3.0
"""Pillow reduces a picture fast down to this many times its new size, and exactly from there."""


def photo_routes(service: SearchService) -> list[BaseRoute]:
    """`GET photos/N` and `thumbnails/N`, with `gallery` and its version `v` as parameters."""
    return [
        Route("/photos/{number}", partial(photo, service)),
        Route("/thumbnails/{number}", partial(thumbnail, service)),
    ]


async def photo(service: SearchService, request: Request) -> Response:
    """A photo as a JPEG of at most `LARGE_SIDE` pixels."""
    return await send_photo(service, request, LARGE_SIDE)


async def thumbnail(service: SearchService, request: Request) -> Response:
    """The thumbnail from the gallery's folder, else one that is made of the photo."""
    search = find_search(service.galleries, request)
    number = photo_number(request)
    small = await run_in_threadpool(search.read_thumbnail, number)
    if small:
        return Response(small, headers=cache_headers(request), media_type="image/webp")
    return await send_photo(service, request, THUMBNAIL_SIDE)


async def send_photo(service: SearchService, request: Request, side: int) -> Response:
    """A photo as a JPEG of at most `side` pixels a side."""
    search = find_search(service.galleries, request)
    data = await service.workers.run(shrink, search, photo_number(request), side)
    return Response(data, headers=cache_headers(request), media_type="image/jpeg")


def photo_number(request: Request) -> int:
    """The number of the photo that a request names.

    Raises:
        HTTPException: 404, where it is none. (Starlette's `int` fails for thousands of digits.)
    """
    number: str = request.path_params["number"]
    if not re.fullmatch("[0-9]{1,9}", number):
        raise HTTPException(404, "There is no such photo.")
    return int(number)


def find_search(galleries: Galleries, request: Request) -> SketchSearch:
    """The gallery and version that a request names.

    Raises:
        HTTPException: 404, where there is no such gallery or version.
    """
    asked = request.query_params
    try:
        return galleries.get_search(asked.get("gallery"), asked.get("v"))
    except GalleryError as error:
        raise HTTPException(404, str(error)) from error


def cache_headers(request: Request) -> dict[str, str]:
    """URLs with a version are immutable; browsers ask again for others."""
    return {"Cache-Control": IMMUTABLE if request.query_params.get("v") else NO_CACHE}


def shrink(search: SketchSearch, number: int, side: int) -> bytes:
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
    image.thumbnail((side, side), reducing_gap=REDUCING_GAP)
    data = io.BytesIO()
    image.save(data, "JPEG", quality=JPEG_QUALITY, comment=b"")
    return data.getvalue()
