"""Which of Gradio's routes can be reached."""

import re

import anyio
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from server.uploads import make_room, uploaded_file

_NAME = "[A-Za-z0-9_-]+"
NEEDED = re.compile(
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
"""Gradio's routes that the page, gradio_client and the API of the README use.

Among those left out are `proxy=`, `monitoring`, `deep_link`, `process_recording`, `stream`,
`custom_component`, `vibe-edit`, `pwa_icon`, `dev/reload` and `token`, and `file=` with a URL, which
the server would fetch.
"""

_FILE = "/gradio_api/file="


class OnlyNeeded:
    """ASGI middleware around Gradio that answers 404 for all of its routes but `NEEDED`.

    Of files it serves those in the upload folder alone, with every symbolic link followed first.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not _is_needed(_route(scope)):
            await JSONResponse({"detail": "Not Found"}, 404)(scope, receive, send)
            return
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] == "http" and scope["method"] == "POST" and _is_upload(scope):
            await anyio.to_thread.run_sync(make_room)
        await self.app(scope, receive, send)


def _route(scope: Scope) -> str:
    """The path of a request without the prefix that the app is served at."""
    path, root = str(scope["path"]), str(scope.get("root_path", "")).rstrip("/")
    return path.removeprefix(root) if path.startswith(f"{root}/") else path


def _is_upload(scope: Scope) -> bool:
    return _route(scope).rstrip("/") == "/gradio_api/upload"


def _is_needed(path: str) -> bool:
    if path.startswith(_FILE):
        return uploaded_file(path.removeprefix(_FILE)) is not None
    return ".." not in path.split("/") and NEEDED.fullmatch(path) is not None
