"""The map of a gallery."""

import json
from functools import partial
from weakref import WeakKeyDictionary

import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from model.checkpoint.records import photo_id
from model.search.search import SketchSearch
from server.galleries import Galleries
from server.routes.photos import cache_headers, find_search
from server.service import rounded

MAX_DOTS = 5000
"""Photos on the map at most."""

MapCache = WeakKeyDictionary[SketchSearch, str]


def map_routes(galleries: Galleries) -> list[BaseRoute]:
    """`GET map.json`, with `gallery` and its version `v` as parameters."""
    return [Route("/map.json", partial(show_map, galleries, MapCache()))]


async def show_map(galleries: Galleries, maps: MapCache, request: Request) -> Response:
    """The map of a gallery; see `describe_map`. It is made once for each version."""
    search = find_search(galleries, request)
    if search not in maps:
        name = galleries.name_of(request.query_params.get("gallery"))
        maps[search] = await run_in_threadpool(describe_map, name, search)
    return Response(maps[search], headers=cache_headers(request), media_type="application/json")


def describe_map(name: str, search: SketchSearch) -> str:
    """Describes a gallery's map as short JSON.

    Returns:
        `photos`: lists of x, y, the index of the label in `labels`, the index of credit, licence
        and page in `terms`, and the photo's number. It is a random sample where there are more than
        `MAX_DOTS`. `ids` of these photos. `gallery` and `version` for the URLs of thumbnails.
    """
    count = len(search.photos)
    chosen = np.sort(np.random.default_rng(0).permutation(count)[:MAX_DOTS]).tolist()
    photos = [search.photos[number] for number in chosen]
    labels = {label: i for i, label in enumerate(dict.fromkeys(p.label for p in photos))}
    distinct = dict.fromkeys((p.credit, p.licence, p.page) for p in photos)
    terms = {each: i for i, each in enumerate(distinct)}
    described = {
        "gallery": name,
        "version": search.version,
        "labels": list(labels),
        "ids": [photo_id(photo) for photo in photos],
        "terms": list(terms),
        "photos": [
            [*place, labels[p.label], terms[p.credit, p.licence, p.page], number]
            for place, p, number in zip(
                rounded(search.positions[chosen]), photos, chosen, strict=True
            )
        ],
    }
    return json.dumps(described, separators=(",", ":"))
