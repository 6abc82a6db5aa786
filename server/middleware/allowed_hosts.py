"""Allowed hosts: the names that the app may be asked for while it serves its own machine only.

Starlette's `TrustedHostMiddleware` compares names only. Here ports count as well, so that proxies
in front of the app work without settings.
"""

import os
import re
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from server.log import printable, warn_rarely
from server.middleware.forwarded import parse_ip

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^:\[\]]+)(?::(\d{1,5}))?")

HTTP_PORT = 80
"""The port that browsers leave out of `Host`."""

PROXY_HEADERS = (
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "forwarded",
    "via",
)


class AllowedHosts:
    """ASGI middleware that refuses the names of other sites (DNS rebinding).

    Another site can point its own name to this machine. In the browser of a visitor, its pages then
    count as the app's own. That browser sends the site's name and this app's port as `Host`. IP
    addresses, `localhost` and names without a dot cannot be names of another site, so they are
    always allowed.

    Args:
        app: the application to protect.
        names: further names that are allowed.
    """

    def __init__(self, app: ASGIApp, names: Collection[str] = ()) -> None:
        self.app, self.names = app, {name.lower() for name in names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._is_allowed(scope, headers := Headers(scope=scope)):
            await self.app(scope, receive, send)
            return
        warn_rarely(
            "name",
            f"Refused a request for {printable(headers['host'])}: the app serves this machine "
            "alone. If a proxy passes such requests on, start the app with --proxy and its "
            "address.",
        )
        text = (
            "SketchZoo serves only the machine that it runs on, but this request is for another "
            "name. Behind a proxy, start SketchZoo with --proxy."
        )
        await JSONResponse({"error": text}, 403)(scope, receive, send)

    def _is_allowed(self, scope: Scope, headers: Headers) -> bool:
        if "host" not in headers:
            return True
        found = _HOST.fullmatch(headers["host"].lower())
        if found is None:
            return False
        name, port = found[1].strip("[]").rstrip("."), found[2]
        if "." not in name or name.endswith(".localhost") or name in self.names or parse_ip(name):
            return True
        own_port = (scope.get("server") or ("", 0))[1]
        if port or own_port == HTTP_PORT:
            return int(port or HTTP_PORT) != own_port
        # A browser would send this app's port, so a proxy that leaves it out has sent the request.
        return scope.get("http_version") == "1.0" or any(name in headers for name in PROXY_HEADERS)


def own_names(host: str) -> list[str] | None:
    """The names for `AllowedHosts` of an app that listens on this address.

    Returns:
        The name in `GRADIO_ROOT_PATH`, if any, where only this machine can reach the address; None
        where others can, so that every name is allowed.
    """
    ip = parse_ip(host)
    if not (ip.is_loopback if ip else host == "localhost"):
        return None
    name = urlsplit(os.environ.get("GRADIO_ROOT_PATH", "")).hostname
    return [name] if name else []
