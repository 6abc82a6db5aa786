"""The web application: its routes, and the middleware around them."""

import os
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from starlette.middleware import Middleware

from model.errors import SketchZooError
from server.environment import set_gradio_environment
from server.fair_queue import BusyError
from server.galleries import Galleries
from server.gradio_import import without_interface_files
from server.lifecycle import Lifecycle
from server.metrics import Metrics
from server.middleware.allowed_hosts import AllowedHosts
from server.middleware.body_limit import BodyLimit
from server.middleware.concurrency_limit import ConcurrencyLimit
from server.middleware.csrf import CsrfProtection
from server.middleware.forwarded import ForwardedFor, Proxies
from server.middleware.graceful_shutdown import GracefulShutdown
from server.middleware.proxy_warnings import ProxyWarnings
from server.middleware.rate_limit import RATE, RateLimit
from server.middleware.request_log import RequestLog
from server.middleware.root_path import RootPath
from server.middleware.security_headers import SecurityHeaders
from server.routes.assets import asset_routes
from server.routes.explain import explain_routes
from server.routes.galleries import FetchProgress, gallery_routes
from server.routes.health import health_routes
from server.routes.map import map_routes
from server.routes.photos import photo_routes
from server.routes.responses import busy_response, error_response
from server.routes.search import search_routes
from server.routes.uploads import upload_routes
from server.service import SearchService


def build_app(
    galleries: Galleries,
    *,
    lifecycle: Lifecycle | None = None,
    mcp: bool = False,
    rate: float = RATE,
    proxies: Proxies = (),
    names: Collection[str] | None = None,
    more_photos: str = "",
    progress: FetchProgress = lambda: None,
) -> FastAPI:
    """Builds the web application.

    Args:
        galleries: the galleries to serve.
        lifecycle: shared with the server that runs the application.
        mcp: whether the API is also offered over the Model Context Protocol, at `gradio_api/mcp/`.
        rate: searches per second for one client; 0 for no limit. Files cost less; see
            `server.middleware.rate_limit`.
        proxies: the trusted proxies; see `server.middleware.forwarded.ForwardedFor`.
        names: names of the app beside those of this machine, where it serves only this machine;
            None allows every name.
        more_photos: command that gets more photos, for somebody who can run it; else empty.
        progress: the progress of open photos that are being fetched.
    """
    set_gradio_environment()
    lifecycle, metrics = lifecycle or Lifecycle(), Metrics()
    service = SearchService(galleries, metrics)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        service.close()

    app = FastAPI(
        title="SketchZoo",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=lifespan,
        exception_handlers={BusyError: busy_response, SketchZooError: error_response},
        routes=[
            *search_routes(service),
            *upload_routes(service),
            *explain_routes(service),
            *gallery_routes(galleries, more_photos, progress),
            *health_routes(service, metrics, lifecycle),
            *photo_routes(service),
            *map_routes(galleries),
            *asset_routes(),
        ],
        middleware=middleware(lifecycle, metrics, rate, proxies, names),
    )
    with without_interface_files():
        from server.routes.page import mount_page  # It imports Gradio, which reads the environment.

        mount_page(app, service, mcp=mcp)
    return app


def middleware(
    lifecycle: Lifecycle,
    metrics: Metrics,
    rate: float,
    proxies: Proxies,
    names: Collection[str] | None,
) -> list[Middleware]:
    """The middleware around all routes, the outermost first; see `build_app` for the arguments."""
    prefix = urlsplit(os.environ.get("GRADIO_ROOT_PATH", "")).path
    return [
        *([Middleware(RootPath, prefix=prefix)] if prefix else []),
        Middleware(SecurityHeaders),
        Middleware(RequestLog, metrics=metrics),
        Middleware(GracefulShutdown, lifecycle=lifecycle, metrics=metrics),
        Middleware(ProxyWarnings, proxies=proxies),
        *([Middleware(AllowedHosts, names=names)] if names is not None else []),
        Middleware(ForwardedFor, proxies=proxies),
        *([Middleware(RateLimit, rate=rate)] if rate > 0 else []),
        Middleware(CsrfProtection),
        Middleware(BodyLimit),
        Middleware(ConcurrencyLimit, metrics=metrics),
        # No origin is allowed. Gradio adds no CORS headers of its own where its parent has this.
        Middleware(CORSMiddleware, allow_origins=()),
    ]
