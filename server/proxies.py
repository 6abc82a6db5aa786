"""What a proxy or a browser says of the app's own address, and how to say what is wrong with it."""

import ipaddress
import logging
import re
import time
from collections.abc import Collection
from urllib.parse import urlsplit

import orjson
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.limits import Proxies, is_from_proxy

log = logging.getLogger("sketchzoo")

SELDOM = 600.0
"""Seconds until the same fault of a set-up is logged again."""

GUIDE = "See docs/serving.md."

_OPENED = re.compile(r"/([\w.~-]{1,40}(?:/[\w.~-]{1,40}){0,3})/?$")

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^:\[\]]+)(?::(\d{1,5}))?")

_OF_PROXIES = (
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "forwarded",
    "via",
)

_CONFIG = re.compile(rb"window\.gradio_config = (\{.*?\});</script>", re.DOTALL)

_told: dict[str, float] = {}


def advise(kind: str, text: str) -> None:
    """Logs what is wrong with a set-up, and what to do; each kind of fault seldom."""
    now = time.monotonic()
    if now - _told.get(kind, -SELDOM) >= SELDOM:
        _told[kind] = now
        log.warning("%s %s", text, GUIDE)


class OwnNames:
    """ASGI middleware that refuses names of other sites while the app serves its machine alone.

    A page of another site could let its name lead to this machine (DNS rebinding), and would then
    count as the app's own page. Its browser asks for that name and this app's port. Numbers,
    `localhost` and names without a dot nobody else can have.

    Args:
        names: further names that the app is known by.
    """

    def __init__(self, app: ASGIApp, names: Collection[str] = ()) -> None:
        self.app, self.names = app, {name.lower() for name in names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._is_own(scope, headers := Headers(scope=scope)):
            await self.app(scope, receive, send)
            return
        advise(
            "name",
            f"Refused a request for {_shown(headers['host'])}: the app serves this machine alone. "
            "If a proxy passes such requests on, start the app with --proxy and its address.",
        )
        text = (
            "SketchZoo serves the machine it runs on alone, and was asked for by another name. "
            "Whoever runs it behind a proxy has to start it with --proxy."
        )
        await JSONResponse({"error": text}, 403)(scope, receive, send)

    def _is_own(self, scope: Scope, headers: Headers) -> bool:
        found = _HOST.fullmatch(headers.get("host", "").lower())
        if found is None:
            return "host" not in headers
        name, port = found[1].strip("[]").rstrip("."), found[2]
        if "." not in name or name.endswith(".localhost") or name in self.names or _is_ip(name):
            return True
        if port:
            return int(port) != (scope.get("server") or ("", 0))[1]
        # Browsers that ask this port would name it, so a proxy has left it out, if it is one.
        return scope.get("http_version") == "1.0" or any(name in headers for name in _OF_PROXIES)


class SameSite:
    """ASGI middleware that refuses what pages of other sites make a browser send.

    A page elsewhere could have its visitors' browsers search and upload here. Browsers say where
    a request comes from (`Sec-Fetch-Site`, or `Origin` in older ones and without TLS); programs
    say neither and are let through. The page in Spaces' frame asks its own origin.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        reads = scope["type"] != "http" or scope["method"] in ("GET", "HEAD")
        if reads or is_same_site(headers := Headers(scope=scope)):
            await self.app(scope, receive, send)
            return
        origin, host = _shown(headers.get("origin", "")), _shown(headers.get("host", ""))
        advise(
            "site",
            f"Refused a request of a page at {origin}, which came for {host}. If that is the app's "
            "own page, the proxy before it changes Host; for nginx, write 'proxy_set_header Host "
            "$http_host;'.",
        )
        text = (
            "Requests from pages of other sites are refused. If this is the app's own page, its "
            "proxy has to pass the header Host on as it comes."
        )
        await JSONResponse({"error": text}, 403)(scope, receive, send)


def is_same_site(headers: Headers) -> bool:
    """Whether a request comes from this app's own page, or from no page at all.

    A proxy may have changed `Host`. The board therefore sends `X-Requested-With`, and a proxy
    may say which host it was in `X-Forwarded-Host`: a page of another site cannot set either
    without asking first, and is refused then.
    """
    told = headers.get("sec-fetch-site")
    if told is not None:
        return told in ("same-origin", "none")
    origin = headers.get("origin")
    if origin is None or "x-requested-with" in headers:
        return True
    hosts = (headers.get("x-forwarded-host", "").split(",")[0].strip(), headers.get("host", ""))
    return urlsplit(origin).netloc.lower() in {host.lower() for host in hosts if host}


def without_prefix(scope: Scope, prefix: str) -> Scope:
    """A request for something below the path that the app is served at, without that path.

    Args:
        scope: of the request.
        prefix: like `/zoo`; empty where there is none, or a proxy takes it away.
    """
    path, prefix = str(scope.get("path", "")), prefix.rstrip("/")
    if not prefix or not path.startswith(f"{prefix}/"):
        return scope
    return {**scope, "path": path.removeprefix(prefix)}


class Advice:
    """ASGI middleware that logs what requests show to be wrong with a proxy.

    Args:
        proxies: those that are named.
    """

    def __init__(self, app: ASGIApp, proxies: Proxies = ()) -> None:
        self.app, self.proxies = app, proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if "x-forwarded-for" in headers and _is_unnamed(scope, self.proxies):
            advise(
                "proxy",
                "A proxy that --proxy does not name passes requests on: all visitors share one "
                "limit. Start the app with --proxy and the proxy's address.",
            )
        opened = (
            _OPENED.match(str(scope["path"])) if "text/html" in headers.get("accept", "") else None
        )

        async def look(message: Message) -> None:
            if opened and message["type"] == "http.response.start" and message["status"] == 404:
                advise(
                    "prefix",
                    f"Somebody opened {opened[0]}, where nothing is. If the app is to be there, "
                    "let the proxy take that path away; for nginx, end the address of proxy_pass "
                    f"with a slash. Or start the app with GRADIO_ROOT_PATH=/{opened[1]}.",
                )
            await send(message)

        await self.app(scope, receive, look)


class RelativeRoot:
    """ASGI middleware that makes Gradio's page ask the address that the browser has it from.

    Gradio writes into the page where it thinks to be served. Behind a proxy that is wrong, unless
    the proxy says all of its address; the address of the page itself never is. A page is held
    back until it is whole.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start: Message | None = None
        page = bytearray()

        async def hold(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                if Headers(raw=message["headers"]).get("content-type", "").startswith("text/html"):
                    start = message
                    return
            elif start is not None and message["type"] == "http.response.body":
                page.extend(message.get("body", b""))
                if message.get("more_body"):
                    return
                body = with_relative_root(bytes(page))
                length = str(len(body)).encode()
                start["headers"] = [
                    (name, length if name.lower() == b"content-length" else value)
                    for name, value in start["headers"]
                ]
                await send(start)
                message = {**message, "body": body}
            await send(message)

        await self.app(scope, receive, hold if scope["type"] == "http" else send)


def with_relative_root(page: bytes) -> bytes:
    """Gradio's page with `.` wherever it names its own address; another page as it is."""
    found = _CONFIG.search(page)
    try:
        root = orjson.loads(found[1])["root"] if found else None
    except (orjson.JSONDecodeError, KeyError, TypeError):
        root = None
    return page.replace(orjson.dumps(root), b'"."') if root else page


def _is_ip(name: str) -> bool:
    try:
        return bool(ipaddress.ip_address(name))
    except ValueError:
        return False


def _is_unnamed(scope: Scope, proxies: Proxies) -> bool:
    """Whether a request comes from a proxy nearby that is not named; others may be made up."""
    address = str((scope.get("client") or ("", 0))[0])
    try:
        is_near = ipaddress.ip_address(address).is_private
    except ValueError:
        return False
    return is_near and not is_from_proxy(address, proxies)


def _shown(text: str) -> str:
    """A header's value for the log: short, and without marks that do not belong there."""
    return re.sub(r"[^\w.:/\[\]-]", "?", text)[:100] or "nothing"
