"""Responses that several routes give."""

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

RETRY_AFTER = {"Retry-After": "1"}


def json_response(
    content: Any, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """JSON; orjson writes dataclasses, too."""
    return Response(orjson.dumps(content), status, headers, "application/json")


async def busy_response(request: Request, error: Exception) -> Response:
    """Answers a `BusyError`: the client can ask again in a second."""
    return json_response({"error": str(error)}, 503, RETRY_AFTER)


async def error_response(request: Request, error: Exception) -> Response:
    """Answers a `SketchZooError`, whose message the board shows."""
    return json_response({"error": str(error)})
