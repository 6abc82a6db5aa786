"""What the app uses of Gradio beyond its public API. Checked with Gradio 6.31.0.

`server.gradio_import` does, too; `GradioPage` and `GradioAssets` rely on how its page and the names
of its files look. Everything else goes through documented functions and environment variables.
"""

import re
from collections.abc import Callable, Coroutine
from typing import Any

import gradio as gr
import orjson
from gradio import processing_utils

QUEUE_POLL_SECONDS = 0.02
"""Gradio polls its queue of calls at this interval."""

Download = Callable[[str, str], Coroutine[Any, Any, str]]
"""Saves the file at a URL in a folder, and returns its path."""

_CONFIG = re.compile(rb"window\.gradio_config = (\{.*?\});</script>", re.DOTALL)


def poll_queue_less_often(page: gr.Blocks) -> None:
    """Makes Gradio poll its queue every `QUEUE_POLL_SECONDS` instead of every millisecond.

    The polling takes time from the event loop that answers searches. Gradio has no setting for it.
    """
    page._queue.sleep_when_free = QUEUE_POLL_SECONDS


def check_paths_of_requests(page: gr.Blocks) -> None:
    """Makes Gradio refuse requests that name files outside of the upload folder.

    Gradio checks them only once `launch()` was called, which a mounted page never is. Otherwise it
    copies any file that a request names: `/etc/passwd`, or `/dev/zero` without end.
    """
    page.has_launched = True


def replace_downloads(download: Download) -> None:
    """Replaces the function with which Gradio fetches a file that a request names by its URL.

    Gradio's own reads any file from any public address, whole, wherever a request holds something
    that looks like an upload. Gradio has no setting to forbid that.
    """
    internals: Any = processing_utils
    internals.async_ssrf_protected_download = download


def with_relative_root(page: bytes) -> bytes:
    """Gradio's page with `.` in place of its own address; any other page unchanged.

    Gradio derives that address from the request, which is wrong behind a proxy that does not tell
    all of it. Its setting `root_path` takes no relative address.
    """
    found = _CONFIG.search(page)
    try:
        root = orjson.loads(found[1])["root"] if found else None
    except (orjson.JSONDecodeError, KeyError, TypeError):
        root = None
    return page.replace(orjson.dumps(root), b'"."') if root else page
