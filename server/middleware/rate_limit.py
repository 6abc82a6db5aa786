"""Rate limit: how many requests one client may make per second."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from server.middleware.forwarded import client

RATE = 60.0
"""Requests per second for one client. A person who draws makes up to 30."""

BURST_SECONDS = 5.0
"""A client may save up this many seconds' worth of requests."""

FILE_COST = 0.02
"""Tokens for a request for a file. A search costs 1."""

MAX_CLIENTS = 10_000
"""Clients to remember. The client not seen for longest is forgotten first."""


class RateLimit:
    """ASGI middleware that answers 429 to a client that makes too many requests.

    Args:
        app: the application to protect.
        rate: searches per second for each client in the long run.
    """

    def __init__(self, app: ASGIApp, rate: float = RATE) -> None:
        self.app = app
        self.buckets = TokenBuckets(rate, max(1.0, rate * BURST_SECONDS))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            seconds = self.buckets.wait(client.get(), _cost(scope))
            if seconds:
                text = "Too many requests from your address. Wait a moment and try again."
                headers = {"Retry-After": str(math.ceil(seconds))}
                await JSONResponse({"error": text}, 429, headers=headers)(scope, receive, send)
                return
        await self.app(scope, receive, send)


def _cost(scope: Scope) -> float:
    computes = scope["method"] not in ("GET", "HEAD") or "/photos/" in scope["path"]
    return 1.0 if computes else FILE_COST


@dataclass
class TokenBuckets:
    """A token bucket for each client, in bounded memory.

    Attributes:
        rate: tokens per second.
        burst: tokens that a full bucket holds.
        max_clients: buckets to keep.
        clock: monotonic time in seconds.
    """

    rate: float
    burst: float
    max_clients: int = MAX_CLIENTS
    clock: Callable[[], float] = time.monotonic
    _buckets: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)

    def wait(self, client: str, cost: float = 1.0) -> float:
        """Takes `cost` tokens and returns 0, or takes none and returns the seconds to wait."""
        now = self.clock()
        tokens, last_seen = self._buckets.pop(client, (self.burst, now))
        tokens = min(self.burst, tokens + (now - last_seen) * self.rate)
        missing = cost - tokens
        self._buckets[client] = (tokens if missing > 0 else tokens - cost, now)
        while len(self._buckets) > self.max_clients:
            self._buckets.popitem(last=False)
        return max(0.0, missing / self.rate)

    def __len__(self) -> int:
        return len(self._buckets)
