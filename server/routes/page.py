"""Gradio's page: the board, the API for programs, and what of Gradio is reachable."""

import gradio as gr
from fastapi import FastAPI
from starlette.middleware import Middleware

from model.pictures.decoding import MAX_BYTES
from server.downloads import PictureDownloader, refuse_download
from server.gradio_internals import (
    check_paths_of_requests,
    poll_queue_less_often,
    replace_downloads,
)
from server.middleware.concurrency_limit import MAX_API_CALLS
from server.middleware.gradio_assets import GradioAssets
from server.middleware.gradio_page import GradioPage
from server.middleware.route_allowlist import RouteAllowlist
from server.query import DEFAULT_K
from server.routes.api import SearchApi
from server.routes.assets import ASSETS, assets_address, script_addresses
from server.service import SearchService

API_CALLS_AT_ONCE = 8
"""Queued calls of programs that run at a time. Their drawings are embedded together."""

STYLES = ("page", "pad", "search", "results", "dialog", "share", "map", "forced-colors")
"""The parts of the style sheet. Later ones override earlier ones."""

CACHE_SECONDS = (3600, 86_400)
"""Gradio looks through its uploads each hour and deletes those that are a day old."""


def mount_page(app: FastAPI, service: SearchService, *, mcp: bool) -> None:
    """Mounts Gradio below the other routes of an app.

    Args:
        app: the app.
        service: what answers searches.
        mcp: whether the API is offered over the Model Context Protocol, too.
    """
    replace_downloads(PictureDownloader() if mcp else refuse_download)
    gr.mount_gradio_app(
        app,
        build_page(SearchApi(service)),
        path="/",
        allowed_paths=[],
        max_file_size=MAX_BYTES,
        show_error=False,
        ssr_mode=False,
        footer_links=["api", "gradio"],
        run_history=False,
        mcp_server=mcp,
        css_paths=[ASSETS / "css" / f"{part}.css" for part in STYLES],
        theme=gr.themes.Base(font=["system-ui", "sans-serif"], font_mono=["monospace"]),
        favicon_path=str(ASSETS / "favicon.svg"),
        app_kwargs={
            "middleware": [
                Middleware(RouteAllowlist),
                Middleware(GradioPage, scripts=script_addresses()),
                Middleware(GradioAssets),
            ]
        },
    )


def build_page(api: SearchApi) -> gr.Blocks:
    """The board, and the endpoints `/search` and `/search_strokes`."""
    page = gr.Blocks(title="SketchZoo", analytics_enabled=False, delete_cache=CACHE_SECONDS)
    with page:
        gr.HTML(
            html_template=(ASSETS / "board.html").read_text(encoding="utf-8"),
            js_on_load=(ASSETS / "js" / "start.js").read_text(encoding="utf-8"),
            apply_default_css=False,
            assets=assets_address(),
        )
        # gr.api has no type for an uploaded file, so this endpoint has components.
        with gr.Row(visible=False):
            inputs = [gr.File(type="filepath"), gr.Number(DEFAULT_K), gr.Textbox("")]
            gr.Button().click(api.search_file, inputs, gr.JSON(), api_name="search", queue=False)
        gr.api(  # type: ignore[attr-defined]
            api.search_strokes, api_name="search_strokes", queue=False
        )
    page.queue(max_size=MAX_API_CALLS, default_concurrency_limit=API_CALLS_AT_ONCE)
    poll_queue_less_often(page)
    check_paths_of_requests(page)
    return page
