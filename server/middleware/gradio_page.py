"""Gradio's page: relative addresses, early loading of scripts, and a policy for inline ones."""

import base64
import functools
import hashlib
import re
from collections.abc import Iterable
from typing import NamedTuple

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.caching import NO_CACHE
from server.compression import Body
from server.gradio_internals import with_relative_root
from server.middleware.security_headers import content_security_policy

_INLINE_SCRIPT = re.compile(
    rb"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL | re.IGNORECASE
)

_ICON = '<link rel="icon" href="favicon.ico">'
"""Without it, browsers ask for the icon at the root of the site, where another app may be."""


class GradioPage:
    """ASGI middleware that rewrites HTML pages, which it holds back until they are whole.

    The page then uses addresses relative to its own, so they are right behind any proxy. The
    board's scripts load beside Gradio's, not after them. Of inline scripts, browsers run only those
    that the server has sent. Pages must not be compressed yet; Gradio leaves that out.

    Args:
        app: what serves the pages.
        scripts: addresses of the board's scripts, relative to the page.
    """

    def __init__(self, app: ASGIApp, scripts: Iterable[str]) -> None:
        self.app = app
        links = _ICON + "".join(f'<link rel="modulepreload" href="{path}">' for path in scripts)
        self._rewrite = functools.lru_cache(maxsize=16)(
            functools.partial(rewritten, head=f"{links}</head>".encode())
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start: Message | None = None
        page = bytearray()

        async def send_rewritten(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                if MutableHeaders(scope=message).get("content-type", "").startswith("text/html"):
                    start = message
                    return
            elif start is not None and message["type"] == "http.response.body":
                page.extend(message.get("body", b""))
                if message.get("more_body"):
                    return
                found = self._rewrite(bytes(page))
                body, told = found.body.choose(Headers(scope=scope))
                headers = MutableHeaders(scope=start)
                headers.update(told)
                headers["Cache-Control"] = NO_CACHE
                headers["Content-Security-Policy"] = found.policy
                headers["Content-Length"] = str(len(body))
                await send(start)
                message = {**message, "body": body}
            await send(message)

        await self.app(scope, receive, send_rewritten if scope["type"] == "http" else send)


class RewrittenPage(NamedTuple):
    """What is sent of a page: its body, and its Content-Security-Policy."""

    body: Body
    policy: str


def rewritten(page: bytes, head: bytes) -> RewrittenPage:
    """A page of Gradio with relative addresses, and with `head` at the end of its head."""
    body = with_relative_root(page).replace(b'href="/manifest.json"', b'href="manifest.json"')
    body = body.replace(b"</head>", head, 1)
    return RewrittenPage(Body.of(body), content_security_policy(inline_hashes(body)))


def inline_hashes(html: bytes) -> list[str]:
    """The hashes of a page's inline scripts, as a Content-Security-Policy names them."""
    return [
        "sha256-" + base64.b64encode(hashlib.sha256(script).digest()).decode()
        for script in _INLINE_SCRIPT.findall(html)
    ]
