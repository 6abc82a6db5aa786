"""Headers that tell browsers what the page may do, and who may frame it."""

import base64
import hashlib
import re
from collections.abc import Iterable

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

FRAMED_BY = ("'self'", "https://huggingface.co", "https://*.hf.space")
"""Who may show the app in a frame: itself, and Hugging Face Spaces."""

_DIRECTIVES = {
    "default-src": "'self'",
    # Gradio makes functions of the template and the script of a gr.HTML with Function(...), which
    # needs 'unsafe-eval'. Scripts in the page itself run only if the server has hashed them.
    "script-src": "'self' 'unsafe-eval'",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "connect-src": "'self' data: blob:",
    "worker-src": "'self' blob:",
    "media-src": "'none'",
    "frame-src": "'none'",
    "object-src": "'none'",
    "base-uri": "'self'",
    "form-action": "'self'",
    "frame-ancestors": " ".join(FRAMED_BY),
}

ALONE = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'"
"""The policy of an uploaded file: whatever is in it, nothing of it runs or loads."""

COMMON = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Permissions-Policy": (
        "camera=(self), clipboard-write=(self), fullscreen=(self), "
        "geolocation=(), microphone=(), payment=(), usb=(), display-capture=(), midi=()"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
}

_INLINE = re.compile(rb"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL | re.IGNORECASE)


def policy(hashes: Iterable[str] = ()) -> str:
    """The Content-Security-Policy of a page whose inline scripts have these hashes."""
    directives = dict(_DIRECTIVES)
    directives["script-src"] += "".join(f" '{value}'" for value in hashes)
    return "; ".join(f"{name} {value}" for name, value in directives.items())


def inline_hashes(html: bytes) -> list[str]:
    """The hashes of a page's inline scripts, as a Content-Security-Policy names them."""
    return [
        "sha256-" + base64.b64encode(hashlib.sha256(script).digest()).decode()
        for script in _INLINE.findall(html)
    ]


class Headers:
    """ASGI middleware that adds the headers to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in COMMON.items():
                    headers.setdefault(name, value)
                is_file = "/gradio_api/file=" in scope["path"]
                headers.setdefault("Content-Security-Policy", ALONE if is_file else policy())
            await send(message)

        await self.app(scope, receive, add if scope["type"] == "http" else send)


class HashScripts:
    """ASGI middleware that names the inline scripts of Gradio's page by their hashes.

    A page is held back until it is whole. It must not be compressed yet. A script that anything
    else has put into the page does not run.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start: Message | None = None
        page = bytearray()

        async def hold(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                if MutableHeaders(scope=message).get("content-type", "").startswith("text/html"):
                    start = message
                    return
            elif start is not None and message["type"] == "http.response.body":
                page.extend(message.get("body", b""))
                if message.get("more_body"):
                    return
                headers = MutableHeaders(scope=start)
                headers["Content-Security-Policy"] = policy(inline_hashes(bytes(page)))
                await send(start)
                message = {**message, "body": bytes(page)}
            await send(message)

        await self.app(scope, receive, hold if scope["type"] == "http" else send)
