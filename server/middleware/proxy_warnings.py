"""Proxy warnings: logs what requests show to be wrong with the configuration of a proxy."""

import re

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.log import warn_rarely
from server.middleware.forwarded import Proxies, is_from_proxy, parse_ip, peer_address

_PAGE_PATH = re.compile(r"/([\w.~-]{1,40}(?:/[\w.~-]{1,40}){0,3})/?$")


class ProxyWarnings:
    """ASGI middleware that warns of a proxy that is not trusted, or that leaves a path in place.

    Args:
        app: the application to wrap.
        proxies: the trusted proxies.
    """

    def __init__(self, app: ASGIApp, proxies: Proxies = ()) -> None:
        self.app, self.proxies = app, proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if "x-forwarded-for" in headers and is_unknown_proxy(peer_address(scope), self.proxies):
            warn_rarely(
                "proxy",
                "A proxy that --proxy does not name passes requests on: all visitors share one "
                "limit. Start the app with --proxy and the proxy's address.",
            )
        asks_page = "text/html" in headers.get("accept", "")
        page = _PAGE_PATH.match(str(scope["path"])) if asks_page else None

        async def send_and_check(message: Message) -> None:
            if page and message["type"] == "http.response.start" and message["status"] == 404:
                warn_rarely(
                    "prefix",
                    f"Somebody opened {page[0]}, where nothing is. If the app is to be there, "
                    "let the proxy take that path away; for nginx, end the address of proxy_pass "
                    f"with a slash. Or start the app with GRADIO_ROOT_PATH=/{page[1]}.",
                )
            await send(message)

        await self.app(scope, receive, send_and_check)


def is_unknown_proxy(address: str, proxies: Proxies) -> bool:
    """Whether a forwarded request comes from a nearby proxy that is not trusted.

    A client far away could make the header up, so it says nothing about a proxy.
    """
    ip = parse_ip(address)
    return ip is not None and ip.is_private and not is_from_proxy(address, proxies)
