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

    A page of another site could point its name to this machine, and would then count as the app's
    own page. Its browser asks for that name and this app's port. Nobody else can have an IP
    address, `localhost` or a name without a dot.

    Args:
        app: the application to protect.
        names: further names of the app.
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
            "SketchZoo serves only the machine it runs on, and was asked for by another name. "
            "Whoever runs it behind a proxy has to start it with --proxy."
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
        if port:
            return int(port) != (scope.get("server") or ("", 0))[1]
        # A browser that asks this port would name it, so this is a proxy that leaves it out.
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
