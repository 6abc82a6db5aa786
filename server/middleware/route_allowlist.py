"""Route allowlist: which of Gradio's routes can be reached."""

import re

import anyio
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from server.uploads import make_room, uploaded_file

_NAME = "[A-Za-z0-9_-]+"
ALLOWED = re.compile(
    "|".join(
        (
            "/?",
            r"/(config|theme\.css|favicon\.ico|robots\.txt|manifest\.json)/?",
            "/(assets|static|svelte)/.+",
            r"/gradio_api/(info|openapi\.json|startup-events|app_id|theme\.css)/?",
            "/gradio_api/(queue/join|queue/data|queue/status|cancel|reset)/?",
            "/gradio_api/(upload|upload_progress)/?",
            f"/gradio_api/(run|api|call)/{_NAME}/?",
            f"/gradio_api/call/v2/{_NAME}/?",
            f"/gradio_api/call/(v2/)?{_NAME}/{_NAME}",
            f"/gradio_api/heartbeat/{_NAME}",
            "/gradio_api/mcp(/.*)?",
        )
    )
)
"""Gradio's routes that the page, gradio_client and the documented API use.

Among those left out are `proxy=`, `monitoring`, `deep_link`, `process_recording`, `stream`,
`custom_component`, `vibe-edit`, `pwa_icon`, `dev/reload` and `token`, and `file=` with a URL, which
the server would fetch.
"""

_FILE = "/gradio_api/file="
_UPLOAD = "/gradio_api/upload"


class RouteAllowlist:
    """ASGI middleware inside Gradio that answers 404 to all of its routes but `ALLOWED`.

    Of files it serves only those in the upload folder, after it has followed symbolic links.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] == "http":
            path = route_path(scope)
            if not is_allowed(path):
                await JSONResponse({"detail": "Not Found"}, 404)(scope, receive, send)
                return
            if scope["method"] == "POST" and path.rstrip("/") == _UPLOAD:
                await anyio.to_thread.run_sync(make_room)
        await self.app(scope, receive, send)


def route_path(scope: Scope) -> str:
    """The path of a request without the path that the app is served at."""
    path, root = str(scope["path"]), str(scope.get("root_path", "")).rstrip("/")
    return path.removeprefix(root) if path.startswith(f"{root}/") else path


def is_allowed(path: str) -> bool:
    """Whether a path is one of `ALLOWED`, or an uploaded file."""
    if path.startswith(_FILE):
        return uploaded_file(path.removeprefix(_FILE)) is not None
    return ".." not in path.split("/") and ALLOWED.fullmatch(path) is not None
