"""The board's scripts and styles."""

from pathlib import Path
from typing import Any

from fastapi.staticfiles import StaticFiles
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount

ASSETS = Path(__file__).parent.parent.parent / "assets"


def asset_routes() -> list[BaseRoute]:
    """`GET sketchzoo/...`."""
    return [Mount("/sketchzoo", RevalidatedFiles(directory=ASSETS))]


class RevalidatedFiles(StaticFiles):
    """Files that browsers ask for again each time, so that scripts always fit the page."""

    def file_response(self, *arguments: Any, **options: Any) -> Response:
        """The file, or 304."""
        response = super().file_response(*arguments, **options)
        response.headers["Cache-Control"] = "no-cache"
        return response
