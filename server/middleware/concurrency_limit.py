"""Concurrency limit: answers 503 to what the server cannot take now."""

import re

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.lifecycle import Lifecycle
from server.metrics import Metrics

MAX_API_CALLS = 64
"""API calls of programs that may be in progress at once."""

RETRY_AFTER = "1"
"""Seconds after which a refused client may ask again."""

PROBES = ("/healthz", "/readyz", "/metrics")
"""Paths that are answered while the server stops, too."""

_API_CALL = re.compile(r"/gradio_api/(call|run|api|queue/join|mcp)\b")
_ENDLESS_STREAM = re.compile(r"/gradio_api/(heartbeat|queue/data|mcp|stream)\b")


class ConcurrencyLimit:
    """ASGI middleware that answers 503 with Retry-After where the server is full or stops.

    Programs get it while `MAX_API_CALLS` calls are in progress. Everybody gets it once the server
    stops, except for `PROBES`.

    Args:
        app: the application to protect.
        lifecycle: says whether the server stops, and counts the requests in progress.
        metrics: counts refusals.
    """

    def __init__(self, app: ASGIApp, lifecycle: Lifecycle, metrics: Metrics) -> None:
        self.app, self.lifecycle, self.metrics = app, lifecycle, metrics
        self.api_calls = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = scope["path"]
        is_call, ends = bool(_API_CALL.match(path)), not _ENDLESS_STREAM.match(path)
        is_full = is_call and scope["method"] == "POST" and self.api_calls >= MAX_API_CALLS
        self.lifecycle.in_flight += ends
        self.api_calls += is_call
        try:
            if is_full or (self.lifecycle.stopping and path not in PROBES):
                self.metrics.refused.inc()
                answer = JSONResponse({"error": "The server is busy. Try again."}, 503)
                await answer(scope, receive, with_retry_after(send))
            else:
                await self.app(scope, receive, with_retry_after(send))
        finally:
            self.lifecycle.in_flight -= ends
            self.api_calls -= is_call


def with_retry_after(send: Send) -> Send:
    """Adds Retry-After to answers 503 that lack it, as those of Gradio's full queue do."""

    async def send_with_header(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 503:
            MutableHeaders(scope=message).setdefault("retry-after", RETRY_AFTER)
        await send(message)

    return send_with_header
