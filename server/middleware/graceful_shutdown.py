"""Graceful shutdown: answers 503 to new requests once the server stops."""

import re

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.lifecycle import Lifecycle
from server.metrics import Metrics
from server.middleware.concurrency_limit import refusal

RETRY_AFTER = "1"
"""Seconds after which a refused client may ask again."""

PROBES = ("/healthz", "/readyz", "/metrics")
"""Paths that are answered while the server stops, too."""

_ENDLESS_STREAM = re.compile(r"/gradio_api/(heartbeat|queue/data|mcp|stream)\b")


class GracefulShutdown:
    """ASGI middleware that answers 503 once the server stops, except for `PROBES`.

    All answers 503, also those of the application, get a Retry-After.

    Args:
        app: the application to protect.
        lifecycle: says whether the server stops, and counts the requests in progress.
        metrics: counts refusals.
    """

    def __init__(self, app: ASGIApp, lifecycle: Lifecycle, metrics: Metrics) -> None:
        self.app, self.lifecycle, self.metrics = app, lifecycle, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = scope["path"]
        ends = not _ENDLESS_STREAM.match(path)
        self.lifecycle.in_flight += ends
        try:
            is_refused = self.lifecycle.stopping and path not in PROBES
            app = refusal(self.metrics) if is_refused else self.app
            await app(scope, receive, with_retry_after(send))
        finally:
            self.lifecycle.in_flight -= ends


def with_retry_after(send: Send) -> Send:
    """Adds Retry-After to answers 503 that lack it, as those of Gradio's full queue do."""

    async def send_with_header(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 503:
            MutableHeaders(scope=message).setdefault("retry-after", RETRY_AFTER)
        await send(message)

    return send_with_header
