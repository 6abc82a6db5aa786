"""Gradio's scripts and styles: how long browsers keep them."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.caching import IMMUTABLE
from server.middleware.route_allowlist import route_path


class GradioAssets:
    """ASGI middleware inside Gradio that lets browsers keep the files below `/assets/`.

    The names of these files hold a hash of their content. Gradio itself says nothing of caching,
    so browsers ask for each of them again with every visit.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_header(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200:
                MutableHeaders(scope=message)["Cache-Control"] = IMMUTABLE
            await send(message)

        is_asset = scope["type"] == "http" and route_path(scope).startswith("/assets/")
        await self.app(scope, receive, send_with_header if is_asset else send)
