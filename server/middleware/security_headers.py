"""Security headers: what browsers may let the page do, and who may frame it."""

from collections.abc import Iterable

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

FRAME_ANCESTORS = ("'self'", "https://huggingface.co", "https://*.hf.space")
"""Who may show the app in a frame: itself, and Hugging Face Spaces."""

_DIRECTIVES = {
    "default-src": "'self'",
    # Gradio compiles the template and the script of a gr.HTML with Function(...), which needs
    # 'unsafe-eval'. Scripts in the page itself run only if the server has hashed them.
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
    "frame-ancestors": " ".join(FRAME_ANCESTORS),
}

UPLOAD_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'"
"""The Content-Security-Policy of an uploaded file: nothing in it runs or loads anything."""

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Permissions-Policy": (
        "camera=(self), clipboard-write=(self), fullscreen=(self), "
        "geolocation=(), microphone=(), payment=(), usb=(), display-capture=(), midi=()"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
}


def content_security_policy(hashes: Iterable[str] = ()) -> str:
    """The Content-Security-Policy of a page whose inline scripts have these hashes."""
    directives = dict(_DIRECTIVES)
    directives["script-src"] += "".join(f" '{value}'" for value in hashes)
    return "; ".join(f"{name} {value}" for name, value in directives.items())


DEFAULT_POLICY = content_security_policy()


class SecurityHeaders:
    """ASGI middleware that adds the headers to every answer that does not set its own."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                is_upload = "/gradio_api/file=" in scope["path"]
                policy = UPLOAD_POLICY if is_upload else DEFAULT_POLICY
                headers.setdefault("Content-Security-Policy", policy)
            await send(message)

        await self.app(scope, receive, send_with_headers if scope["type"] == "http" else send)
