"""What happens around every request: its id, a line in the log, counts, and refusals."""

import json
import logging
import re
import secrets
import sys
import time
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from server.limits import Proxies, client, client_address
from server.metrics import Metrics
from server.proxies import without_prefix

log = logging.getLogger("sketchzoo")

API_PLACES = 64
"""Calls of programs that may be under way at once."""

_PROBES = frozenset({"healthz", "readyz", "metrics"})

ROUTES = _PROBES | {"board", "thumbnails", "photos", "map.json", "sketchzoo", "gradio_api"}
"""First parts of paths that are told apart in metrics and logs."""

_API = re.compile(r"/gradio_api/(call|run|api|queue/join|mcp)\b")
_STREAM = re.compile(r"/gradio_api/(heartbeat|queue/data|mcp|stream)\b")
_ID = re.compile(rb"[\w.-]{1,64}")


class Traffic:
    """ASGI middleware around the whole app.

    Each answer has an `X-Request-ID`: that of the request where a proxy has given one, else a new
    one. Programs get 503 with Retry-After when `API_PLACES` calls are under way, and everybody
    once `stopping` is set, but for the probes of whoever runs the server.

    Args:
        proxies: whose word on a client's address is taken; see `server.limits.client_address`.
        prefix: the path that the app is served below, where the proxy does not take it away.

    Attributes:
        stopping: whether new requests are refused.
        in_flight: requests that are being answered, without streams that do not end.
    """

    def __init__(
        self, app: FastAPI, metrics: Metrics, proxies: Proxies = (), prefix: str = ""
    ) -> None:
        self.app, self.metrics, self.proxies, self.prefix = app, metrics, proxies, prefix
        self.stopping = False
        self.in_flight = self.calls = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        scope = without_prefix(scope, self.prefix)
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        route = path.split("/", 2)[1] if path.startswith("/") else ""
        route = route if route in ROUTES else "page" if path in ("", "/") else "other"
        is_call, ends = bool(_API.match(path)), not _STREAM.match(path)
        request_id = _id_of(scope)
        client.set(client_address(scope, self.proxies))
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                told = {name for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], (b"x-request-id", request_id)]
                if status == 503 and b"retry-after" not in told:  # Gradio's queue is full.
                    message["headers"].append((b"retry-after", b"1"))
            await send(message)

        refused = (self.stopping and route not in _PROBES) or (
            is_call and self.calls >= API_PLACES and scope["method"] == "POST"
        )
        self.in_flight += ends
        self.calls += is_call
        self.metrics.in_flight.inc()
        error: Exception | None = None
        try:
            if refused:
                self.metrics.refused.inc()
                await refuse(answer)
            else:
                await self.app(scope, receive, answer)
        except Exception as raised:
            # What is wrong with a request Gradio may tell only when its stream has begun.
            said = raised.__cause__
            if not (isinstance(said, HTTPException) and said.status_code < 500):
                error = raised
                self.metrics.errors.inc()
            if not status:
                await fail(answer)
        finally:
            self.in_flight -= ends
            self.calls -= is_call
            self.metrics.in_flight.dec()
            seconds = time.perf_counter() - began
            self.metrics.requests.labels(route, status).inc()
            self.metrics.seconds.labels(route).observe(seconds)
            if error or log.isEnabledFor(logging.INFO):
                log.log(
                    logging.ERROR if error else logging.INFO,
                    "%s %s %s",
                    scope["method"],
                    route,
                    status,
                    exc_info=error,
                    extra={
                        "request": {
                            "id": request_id.decode(),
                            "method": scope["method"],
                            "route": route,
                            "status": status,
                            "ms": round(1000 * seconds, 1),
                        }
                    },
                )


def _id_of(scope: Scope) -> bytes:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _ID.fullmatch(value):
            return bytes(value)
    return secrets.token_hex(8).encode()


async def refuse(send: Send, seconds: int = 1) -> None:
    """Answers 503, to be asked again after so many seconds."""
    await _say(send, 503, "The server is busy. Try again.", [(b"retry-after", b"%d" % seconds)])


async def fail(send: Send) -> None:
    await _say(send, 500, "The server made a mistake. Its log tells more.", [])


async def _say(send: Send, status: int, text: str, headers: list[tuple[bytes, bytes]]) -> None:
    body = json.dumps({"error": text}).encode()
    headers = [(b"content-type", b"application/json"), *headers]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            **getattr(record, "request", {"message": record.getMessage()}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def start_log(form: str) -> None:
    """Writes the log to standard error.

    Args:
        form: `json` for a line about every request, `text` for problems alone.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        JsonLines() if form == "json" else logging.Formatter("%(levelname)s: %(message)s")
    )
    log.handlers = [handler]
    log.setLevel(logging.INFO if form == "json" else logging.WARNING)
    log.propagate = False
