"""Which of Gradio's routes can be reached, and from which pages."""

import re
from urllib.parse import urlsplit

import anyio
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, PlainTextResponse
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
            "/gradio_api/(upload|upload_progress|component_server)/?",
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


class SameSite:
    """ASGI middleware that refuses what pages of other sites make a browser send.

    A page elsewhere could have its visitors' browsers search and upload here. Browsers say where
    a request comes from (`Sec-Fetch-Site`, or `Origin` in older ones and without TLS); programs
    say neither and are let through. The page in Spaces' frame asks its own origin.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        reads = scope["type"] != "http" or scope["method"] in ("GET", "HEAD")
        if reads or is_same_site(Headers(scope=scope)):
            await self.app(scope, receive, send)
            return
        refused = PlainTextResponse("Requests from pages of other sites are refused.", 403)
        await refused(scope, receive, send)


def is_same_site(headers: Headers) -> bool:
    """Whether a request comes from this app's own page, or from no page at all.

    A proxy may have changed `Host`; it then says which it was in `X-Forwarded-Host`, which a page
    of another site cannot set without asking first, and is refused then.
    """
    told = headers.get("sec-fetch-site")
    if told is not None:
        return told in ("same-origin", "none")
    origin = headers.get("origin")
    if origin is None:
        return True
    hosts = (headers.get("x-forwarded-host", "").split(",")[0].strip(), headers.get("host", ""))
    return urlsplit(origin).netloc.lower() in {host.lower() for host in hosts if host}
