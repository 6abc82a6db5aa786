"""How much one request may hold, and how many requests one client may make."""

import asyncio
import ipaddress
import math
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Literal

from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from model.errors import SketchZooError
from model.pictures.decoding import MAX_BYTES

MAX_BODY = 6_000_000
"""Bytes of any request but an upload: the largest drawing that is allowed, and some more."""

BODY_SECONDS = 60.0
"""Seconds that a body may take to come, since it is kept meanwhile."""

MAX_UPLOAD = MAX_BYTES + 100_000
"""Bytes of an upload: the largest picture that is read, and what frames it."""

MAX_DEPTH = 16
"""Lists and objects of JSON inside one another; the deepest that is needed is 9."""

RATE = 60.0
"""Requests a second for one client: a person who draws makes up to 30."""

BURST = 5.0
"""Seconds' worth of requests that a client may have saved up."""

CHEAP = 0.02
"""What a request for a file counts, against 1 for a search."""

MOST_CLIENTS = 10_000
"""Clients that are remembered. The one not seen for longest is forgotten first."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Proxies = tuple[Network, ...] | Literal["*"]

client: ContextVar[str] = ContextVar("client", default="")
"""Whom the request that is being answered is counted for; see `client_address`."""


class BrokenOff(MultiPartException):
    """An upload is too large, or its client has gone. Gradio then deletes what it has of it."""


class Bodies:
    """ASGI middleware that bounds the bytes of a request, and how deep its JSON is nested.

    Bytes are counted as they come, whatever `Content-Length` says or does not say.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        is_upload = str(scope["path"]).rstrip("/").endswith("/gradio_api/upload")
        most = MAX_UPLOAD if is_upload else MAX_BODY
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length[:20]) > most:
            await _too_large(most)(scope, receive, send)
            return
        if is_upload:
            await self._stream(most, scope, receive, send)
        else:
            await self._whole(most, scope, receive, send)

    async def _whole(self, most: int, scope: Scope, receive: Receive, send: Send) -> None:
        """Takes the body whole, checks it, and hands it on."""
        body = bytearray()
        try:
            async with asyncio.timeout(BODY_SECONDS):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return
                    body += message.get("body", b"")
                    if len(body) > most or not message.get("more_body"):
                        break
        except TimeoutError:
            text = f"The request did not come whole within {BODY_SECONDS:.0f} seconds."
            await JSONResponse({"error": text}, 408)(scope, receive, send)
            return
        if len(body) > most:
            await _too_large(most)(scope, receive, send)
            return
        if nests_deeper(bytes(body), MAX_DEPTH):
            text = f"The JSON is damaged, or nested deeper than {MAX_DEPTH}."
            await JSONResponse({"error": text}, 400)(scope, receive, send)
            return
        given = False

        async def replay() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": bytes(body), "more_body": False}

        await self.app(scope, replay, send)

    async def _stream(self, most: int, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands an upload on as it comes, and breaks it off where it is too long."""
        count, whole = 0, False

        async def counted() -> Message:
            nonlocal count, whole
            message = await receive()
            if message["type"] == "http.disconnect" and not whole:
                raise BrokenOff("The client has gone.")
            count += len(message.get("body", b""))
            whole = whole or not message.get("more_body", False)
            if count > most:
                raise BrokenOff(f"The upload exceeds the maximum allowed size of {most} bytes.")
            return message

        await self.app(scope, counted, send)


def _too_large(most: int) -> JSONResponse:
    text = f"The request is too large; the limit is {most / 1e6:.0f} MB. Send less at once."
    return JSONResponse({"error": text}, 413, headers={"Connection": "close"})


_BRACKETS = bytes.maketrans(b"{}", b"[]")
_OTHERS = bytes(set(range(256)) - set(b"[]{}"))


def nests_deeper(text: bytes, depth: int) -> bool:
    """Whether JSON is nested deeper than this, or its brackets do not match."""
    pieces = text.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')
    bare = b"".join(pieces[::2]).translate(_BRACKETS, _OTHERS)
    for _ in range(depth):
        if not bare:
            return False
        bare = bare.replace(b"[]", b"")
    return bool(bare)


@dataclass
class Buckets:
    """A token bucket for each client, in bounded memory.

    Attributes:
        rate: tokens a second.
        burst: tokens that a bucket holds.
        most: buckets that are kept.
        clock: seconds that never go back.
    """

    rate: float
    burst: float
    most: int = MOST_CLIENTS
    clock: Callable[[], float] = time.monotonic
    _kept: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)

    def wait(self, client: str, cost: float = 1.0) -> float:
        """Takes `cost` tokens and returns 0, or the seconds until there will be as many."""
        now = self.clock()
        tokens, then = self._kept.pop(client, (self.burst, now))
        tokens = min(self.burst, tokens + (now - then) * self.rate)
        lacking = cost - tokens
        self._kept[client] = (tokens if lacking > 0 else tokens - cost, now)
        while len(self._kept) > self.most:
            self._kept.popitem(last=False)
        return max(0.0, lacking / self.rate)

    def __len__(self) -> int:
        return len(self._kept)


class RateLimit:
    """ASGI middleware that answers 429 to a client that asks too much.

    Args:
        rate: searches a second for each client, in the long run; files are far cheaper.
    """

    def __init__(self, app: ASGIApp, rate: float = RATE) -> None:
        self.app = app
        self.buckets = Buckets(rate, max(1.0, rate * BURST))

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
    return 1.0 if computes else CHEAP


def read_proxies(text: str) -> Proxies:
    """Addresses and networks of proxies, with commas between them, or `*` for any address.

    Raises:
        SketchZooError: one of them is neither.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    if names == ["*"]:
        return "*"
    networks = []
    for name in names:
        try:
            networks.append(ipaddress.ip_network(name, strict=False))
        except ValueError as error:
            raise SketchZooError(
                f"{name} is no address or network of a proxy. Write --proxy (or "
                "FORWARDED_ALLOW_IPS) like 10.0.0.7 or 10.0.0.0/8, with commas between them, or "
                "* alone."
            ) from error
    return tuple(networks)


def client_address(scope: Scope, proxies: Proxies = ()) -> str:
    """Whom a request is counted for: an IPv4 address, or the /64 network of an IPv6 one.

    Args:
        scope: of the request.
        proxies: networks of proxies, or `*` for one proxy at any address. They are believed what
            they wrote last into `X-Forwarded-For`; anything else in it the client may have made
            up. Empty: nobody is believed.
    """
    address = (scope.get("client") or ("unknown", 0))[0]
    hops = [
        hop.strip()
        for value in Headers(scope=scope).getlist("x-forwarded-for")
        for hop in value.split(",")
    ]
    if proxies == "*":
        return _network(hops[-1] if hops else address)
    while hops and _is_in(address, proxies):
        address = hops.pop()
    return _network(address)


def is_from_proxy(address: str, proxies: Proxies) -> bool:
    """Whether a request from this address comes from one of the proxies."""
    return proxies == "*" or _is_in(address, proxies)


def default_proxies() -> str:
    """`FORWARDED_ALLOW_IPS`; in Spaces, where only its proxies reach the app, private networks."""
    inside = (
        "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,127.0.0.0/8" if "SPACE_ID" in os.environ else ""
    )
    return os.environ.get("FORWARDED_ALLOW_IPS", inside)


def _is_in(address: str, networks: Iterable[Network]) -> bool:
    ip = _ip(address)
    return ip is not None and any(ip in network for network in networks)


def _ip(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address, with or without a port behind it, as some proxies write one."""
    for written in (address, address.strip("[]"), address.rpartition(":")[0].strip("[]")):
        try:
            return ipaddress.ip_address(written)
        except ValueError:
            continue
    return None


def _network(address: str) -> str:
    ip = _ip(address)
    if ip is None:
        return address[:64]
    if isinstance(ip, ipaddress.IPv6Address) and not ip.ipv4_mapped:
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return str(getattr(ip, "ipv4_mapped", None) or ip)
