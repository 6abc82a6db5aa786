"""Gradio's page: with relative addresses, and with the hashes of its inline scripts."""

import base64
import hashlib
import re

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.gradio_internals import with_relative_root
from server.middleware.security_headers import content_security_policy

_INLINE_SCRIPT = re.compile(
    rb"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL | re.IGNORECASE
)


class GradioPage:
    """ASGI middleware that rewrites HTML pages, which it holds back until they are whole.

    The page then asks the address that the browser has it from, whatever a proxy says; and of
    inline scripts, only those run that the server has sent. Pages must not be compressed yet.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

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
                body = with_relative_root(bytes(page))
                headers = MutableHeaders(scope=start)
                headers["Content-Security-Policy"] = content_security_policy(inline_hashes(body))
                if "content-length" in headers:
                    headers["content-length"] = str(len(body))
                await send(start)
                message = {**message, "body": body}
            await send(message)

        await self.app(scope, receive, send_rewritten if scope["type"] == "http" else send)


def inline_hashes(html: bytes) -> list[str]:
    """The hashes of a page's inline scripts, as a Content-Security-Policy names them."""
    return [
        "sha256-" + base64.b64encode(hashlib.sha256(script).digest()).decode()
        for script in _INLINE_SCRIPT.findall(html)
    ]
