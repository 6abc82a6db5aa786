"""Probes and metrics for whoever runs the server."""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from server.lifecycle import Lifecycle
from server.metrics import Metrics
from server.routes.responses import json_response
from server.service import SearchService


def health_routes(
    service: SearchService, metrics: Metrics, lifecycle: Lifecycle
) -> list[BaseRoute]:
    """`GET healthz`, `readyz` and `metrics`."""
    return [
        Route("/healthz", partial(healthz, service)),
        Route("/readyz", partial(readyz, service, lifecycle)),
        Route("/metrics", partial(show_metrics, metrics)),
    ]


async def healthz(service: SearchService, request: Request) -> Response:
    """Liveness probe: the checkpoint and the number of photos."""
    galleries = service.galleries
    searches = [galleries.search(name) for name in galleries.names]
    photos = sum(len(search.photos) for search in searches)
    return json_response({"checkpoint": searches[0].manifest.name, "photos": photos})


async def readyz(service: SearchService, lifecycle: Lifecycle, request: Request) -> Response:
    """Readiness probe: 503 while the server starts, is full or stops."""
    trouble = "stopping" if lifecycle.stopping else service.trouble
    return json_response({"ready": trouble or "yes"}, 503 if trouble else 200)


async def show_metrics(metrics: Metrics, request: Request) -> Response:
    """Metrics in the text format of Prometheus."""
    return Response(metrics.text(), media_type=metrics.content_type)
