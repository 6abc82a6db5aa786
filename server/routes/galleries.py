"""Which galleries there are, and what is in them."""

from collections.abc import Callable
from functools import partial
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from server.galleries import Galleries
from server.query import parse_json
from server.routes.responses import json_response

MAX_LABELS = 1000
"""Labels that a board offers to narrow a search: those with the most photos."""

FetchProgress = Callable[[], dict[str, Any] | None]
"""Returns the progress of open photos that are being fetched, None where there are none; see
`server.open_photos.OpenPhotosFetcher.progress`."""


def gallery_routes(
    galleries: Galleries, more_photos: str, progress: FetchProgress
) -> list[BaseRoute]:
    """`POST board/galleries`.

    Args:
        galleries: the galleries.
        more_photos: command that gets more photos, for somebody who can run it; else empty.
        progress: the progress of open photos.
    """
    describe = partial(describe_gallery, galleries, more_photos, progress)
    return [Route("/board/galleries", describe, methods=["POST"])]


async def describe_gallery(
    galleries: Galleries, more_photos: str, progress: FetchProgress, request: Request
) -> Response:
    """Answers which galleries there are, and the labels of one.

    A browser may have kept a name that is no longer known. Then the first gallery is described.
    """
    name = galleries.name_of(parse_json(await request.body()).get("gallery"))
    labels = galleries.get_search(name).labels.most_common(MAX_LABELS)
    return json_response(
        {
            "galleries": galleries.names,
            "gallery": name,
            "labels": sorted(labels),
            "more": more_photos,
            "coming": await run_in_threadpool(progress),
        }
    )
