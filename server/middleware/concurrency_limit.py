"""Concurrency limit: answers 503 to calls of programs that the server cannot take now."""

import re

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from server.metrics import Metrics

MAX_API_CALLS = 64
"""API calls of programs that may be in progress at once."""

_API_CALL = re.compile(r"/gradio_api/(call|run|api|queue/join|mcp)\b")


class ConcurrencyLimit:
    """ASGI middleware that answers 503 to programs while `MAX_API_CALLS` calls are in progress.

    It belongs inside `BodyLimit`: a call whose body is still to come takes nobody's place.

    Args:
        app: the application to protect.
        metrics: counts refusals.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics
        self.api_calls = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or not is_api_call(scope["path"]):
            await self.app(scope, receive, send)
        elif self.api_calls >= MAX_API_CALLS:
            await refusal(self.metrics)(scope, receive, send)
        else:
            self.api_calls += 1
            try:
                await self.app(scope, receive, send)
            finally:
                self.api_calls -= 1


def is_api_call(path: str) -> bool:
    """Whether programs call this path."""
    return bool(_API_CALL.match(path))


def refusal(metrics: Metrics) -> JSONResponse:
    """An answer 503, which is counted."""
    metrics.refused.inc()
    return JSONResponse({"error": "The server is busy. Try again."}, 503)
