"""The board's search."""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from server.query import parse_json, parse_query
from server.routes.responses import json_response
from server.service import SearchService

QUICK_BODY = 32_768
"""Bytes of a body that is parsed at once. Parsing a larger one would delay other requests."""


def search_routes(service: SearchService) -> list[BaseRoute]:
    """`POST board/search`."""
    return [Route("/board/search", partial(search, service), methods=["POST"])]


async def search(service: SearchService, request: Request) -> Response:
    """Answers a query; see `server.query.Query`."""
    body = await request.body()
    if len(body) <= QUICK_BODY:
        query = parse_query(parse_json(body))
    else:
        query = await service.workers.run(lambda: parse_query(parse_json(body)))
    return json_response(await service.search(query))
