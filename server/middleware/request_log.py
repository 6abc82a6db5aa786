"""Request log: an id, a log line and metrics for each request, and the answer to faults."""

import logging
import re
import secrets
import time
from dataclasses import dataclass, field

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.log import log
from server.metrics import Metrics

ROUTES = frozenset(
    (
        *("healthz", "readyz", "metrics"),
        *("board", "thumbnails", "photos", "map.json", "sketchzoo", "gradio_api"),
    )
)
"""First parts of paths that metrics and logs tell apart."""

_ID = re.compile(rb"[\w.-]{1,64}")


@dataclass
class _Exchange:
    """A request and what is known of its answer."""

    method: str
    route: str
    id: bytes
    status: int = 0
    error: Exception | None = None
    began: float = field(default_factory=time.perf_counter)


class RequestLog:
    """ASGI middleware that identifies, logs, counts and times every request.

    Each answer has an `X-Request-ID`: the one that a proxy sent, else a new one. A fault of the
    server is logged with its traceback and answered with 500, without details.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        exchange = _Exchange(scope["method"], route_of(scope["path"]), request_id(scope))

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                MutableHeaders(scope=message)["x-request-id"] = exchange.id.decode()
            await send(message)

        self.metrics.in_flight.inc()
        try:
            await self.app(scope, receive, send_with_id)
        except Exception as error:
            if not is_client_error(error):
                exchange.error = error
                self.metrics.errors.inc()
            if not exchange.status:
                text = "The server made a mistake. Its log tells more."
                await JSONResponse({"error": text}, 500)(scope, receive, send_with_id)
        finally:
            self.metrics.in_flight.dec()
            self._record(exchange)

    def _record(self, exchange: _Exchange) -> None:
        seconds = time.perf_counter() - exchange.began
        self.metrics.requests.labels(exchange.route, exchange.status).inc()
        self.metrics.seconds.labels(exchange.route).observe(seconds)
        level = logging.ERROR if exchange.error else logging.INFO
        if not log.isEnabledFor(level):
            return
        details = {
            "id": exchange.id.decode(),
            "method": exchange.method,
            "route": exchange.route,
            "status": exchange.status,
            "ms": round(1000 * seconds, 1),
        }
        log.log(
            level,
            "%s %s %s",
            *(exchange.method, exchange.route, exchange.status),
            exc_info=exchange.error,
            extra={"request": details},
        )


def route_of(path: str) -> str:
    """The first part of a path if it is one of `ROUTES`, else `page` or `other`."""
    if path in ("", "/"):
        return "page"
    first = path.split("/", 2)[1] if path.startswith("/") else ""
    return first if first in ROUTES else "other"


def request_id(scope: Scope) -> bytes:
    """The id that a proxy sent, if it is a plain one, else a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _ID.fullmatch(value):
            return bytes(value)
    return secrets.token_hex(8).encode()


def is_client_error(error: Exception) -> bool:
    """Whether Gradio found the request wrong after its stream had begun, and so had to raise."""
    cause = error.__cause__
    return isinstance(cause, HTTPException) and cause.status_code < 500
