"""The board's scripts and styles."""

import functools
import hashlib
import re
from pathlib import Path

from fastapi.staticfiles import StaticFiles
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount
from starlette.types import Scope

from server.caching import IMMUTABLE, NO_CACHE

ASSETS = Path(__file__).parent.parent.parent / "assets"

_VERSION = re.compile("^[0-9a-f]{16}/")


@functools.cache
def assets_address() -> str:
    """Where the page finds its assets, relative to its own address. It changes with their content.

    Browsers therefore keep them for good. Restart the app after changing one.
    """
    version = hashlib.sha256()
    for path in sorted(ASSETS.rglob("*")):
        if path.is_file():
            version.update(f"{path.relative_to(ASSETS)}\0".encode())
            version.update(hashlib.sha256(path.read_bytes()).digest())
    return f"sketchzoo/{version.hexdigest()[:16]}"


def script_addresses() -> list[str]:
    """The addresses of all the board's scripts."""
    scripts = sorted((ASSETS / "js").glob("*.js"))
    return [f"{assets_address()}/js/{path.name}" for path in scripts if path.name != "start.js"]


def asset_routes() -> list[BaseRoute]:
    """`GET sketchzoo/...`."""
    return [Mount("/sketchzoo", GZipMiddleware(AssetFiles(directory=ASSETS)))]


class AssetFiles(StaticFiles):
    """The assets, with or without a version before their path.

    Another version than the present one is answered, too: servers of two versions may share the
    work while one replaces the other. Only the present one may be kept.
    """

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, or 304, or 404."""
        is_present = f"sketchzoo/{path}".startswith(f"{assets_address()}/")
        response = await super().get_response(_VERSION.sub("", path, count=1), scope)
        response.headers["Cache-Control"] = IMMUTABLE if is_present else NO_CACHE
        return response
