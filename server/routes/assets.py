"""The board's scripts and example sketches."""

import functools
import hashlib
import mimetypes
import re
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from server.caching import IMMUTABLE, NO_CACHE
from server.compression import Body

ASSETS = Path(__file__).parent.parent.parent / "assets"

_VERSION = re.compile("^[0-9a-f]{16}/")


@functools.cache
def read_assets() -> dict[str, Body]:
    """All files that are served, by their path in `ASSETS`; the page itself holds `start.js`.

    They are read once, so that they are those that the address names, also while an upgrade
    replaces them on the disk. Restart the app after changing one.
    """
    scripts = (path for path in sorted(ASSETS.glob("js/*.js")) if path.name != "start.js")
    paths = [*scripts, ASSETS / "examples.json"]
    return {str(path.relative_to(ASSETS)): Body.of(path.read_bytes()) for path in paths}


@functools.cache
def assets_address() -> str:
    """Where the page finds its assets, relative to its own address.

    It changes with their content, so browsers may keep them for good.
    """
    version = hashlib.sha256()
    for name, body in read_assets().items():
        version.update(hashlib.sha256(name.encode()).digest())
        version.update(hashlib.sha256(body.plain).digest())
    return f"sketchzoo/{version.hexdigest()[:16]}"


def script_addresses() -> list[str]:
    """The addresses of all the board's scripts."""
    return [f"{assets_address()}/{name}" for name in read_assets() if name.endswith(".js")]


def asset_routes() -> list[BaseRoute]:
    """`GET sketchzoo/...`."""
    return [Route("/sketchzoo/{path:path}", asset)]


async def asset(request: Request) -> Response:
    """An asset, with or without a version before its path.

    Another version than the current one is answered, too: servers of two versions may share the
    work while one replaces the other. Only the current one may be kept.
    """
    path: str = request.path_params["path"]
    found = read_assets().get(_VERSION.sub("", path))
    if found is None:
        raise HTTPException(404, "There is no such file.")
    is_current = f"sketchzoo/{path}".startswith(f"{assets_address()}/")
    body, headers = found.choose(request.headers)
    headers["Cache-Control"] = IMMUTABLE if is_current else NO_CACHE
    return Response(body, headers=headers, media_type=mimetypes.guess_type(path)[0])
