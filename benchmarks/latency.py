"""How long people wait for photos: times from the bare encoder to the repainted photos.

    python -m benchmarks.latency [--checkpoint DIR] [--strokes 60] [--json FILE]

Prints medians and 95th percentiles in milliseconds, and the ratio of each median to the bare
forward pass of the encoder on one drawing and its mirror image, measured in the same run. Compare
these ratios between machines. Nothing else should be running.
"""

import json
import math
import os
import random
import statistics
import sys
import time
import urllib.request
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Browser, Page

from benchmarks.command import exit_code, new_parser
from model.files import write_json
from model.pictures.framing import Pixels, frame_sketch
from model.pictures.strokes import parse_strokes, render_strokes
from model.search.search import SketchSearch
from server.startup import open_galleries
from tests.harness.apps import ROOT, running_app
from tests.harness.browser import chromium

Times = list[float]

SKETCHPAD_STROKES = 20
"""Strokes on Gradio's sketchpad. Each of them takes seconds."""

LOADED = " && [...document.querySelectorAll('img[src]')].every(i => i.complete && i.naturalWidth)"
"""JavaScript: whether all images are there."""


def main() -> int:
    options = new_parser("latency", __doc__, checkpoint=True)
    options.add_argument(
        "--strokes", type=int, default=60, help="number of strokes, at least 50 (default: 60)"
    )
    arguments = options.parse_args()
    strokes = max(50, arguments.strokes)
    search = open_galleries(arguments.checkpoint, None, ROOT / "galleries").get_search()
    examples = json.loads((ROOT / "assets" / "examples.json").read_text(encoding="utf-8"))
    drawing = examples[0]["strokes"]

    forward, query, exact = time_search(search, drawing)
    with running_app("app.py", "--checkpoint", arguments.checkpoint) as address:
        http = time_http(address, drawing)
        with chromium() as browser:
            repaint = time_strokes(browser.new_page(), address, strokes, own_pad)
            refreshes = count_refreshes(browser.new_page(), address)
            load = time_load(browser, address)
    os.environ["SKETCHZOO_CHECKPOINT"] = str(arguments.checkpoint)
    with running_app("-m", "benchmarks.sketchpad_app") as address, chromium() as browser:
        sketchpad = time_strokes(browser.new_page(), address, SKETCHPAD_STROKES, gradio_pad)
        sketchpad_load = time_load(browser, address)

    rows = {
        **({"PyTorch, fp32": exact} if exact else {}),
        "bare forward": forward,
        "search.query": query,
        "HTTP round trip": http,
        "stroke end to repainted gallery": repaint,
        "the same with gr.Sketchpad": sketchpad,
    }
    base = statistics.median(forward)
    print(f"{'':34}{'median':>10}{'95th pct':>10}{'ratio':>8}")
    for name, times in rows.items():
        median = statistics.median(times)
        print(f"{name:34}{median:8.1f}ms{percentile_95(times):8.1f}ms{median / base:8.2f}")
    figures = {
        "query_ratio": statistics.median(query) / base,
        "repaint_median_ms": statistics.median(repaint),
        "repaint_p95_ms": percentile_95(repaint),
        "sketchpad_ratio": statistics.median(sketchpad) / statistics.median(repaint),
        "forward_median_ms": base,
        "torch_forward_ms": statistics.median(exact) if exact else None,
        "http_ratio": statistics.median(http) / base,
        "sketchpad_median_ms": statistics.median(sketchpad),
        "strokes": strokes,
        "refreshes_in_3_s": refreshes,
        "load": load,
        "sketchpad_load": sketchpad_load,
    }
    print(f"gr.Sketchpad takes {figures['sketchpad_ratio']:.1f} x as long as our pad")
    print(f"answers shown during a stroke of 3 s: {refreshes}")
    print(f"\n{'first load':34}{'ours':>10}{'gr.Sketchpad':>14}")
    for name, value in load.items():
        print(f"{name:34}{value:10.0f}{sketchpad_load[name]:14.0f}")
    if arguments.json:
        write_json(arguments.json, figures)
    return 0


def percentile_95(times: Times) -> float:
    return statistics.quantiles(times, n=20, method="inclusive")[-1]


def time_search(search: SketchSearch, drawing: list[dict[str, Any]]) -> tuple[Times, Times, Times]:
    """Milliseconds of the bare backbone, the whole query, and PyTorch if installed, in turns."""
    image = render_strokes(parse_strokes(drawing))
    encoder = search.encoder
    frame = frame_sketch(image, encoder.input_size)
    frames = np.stack([frame, frame[:, ::-1]])
    calls: list[Callable[[], object]] = [
        lambda: encoder.maps(frames),
        lambda: search.query(image),
    ]
    if exact := torch_forward(search.folder, frames):
        calls.append(exact)
    for _ in range(20):
        for call in calls:
            call()
    turns = [[_milliseconds(call) for call in calls] for _ in range(200)]
    forward, query, *others = ([turn[i] for turn in turns] for i in range(len(calls)))
    return forward, query, others[0] if others else []


def torch_forward(checkpoint: Path, frames: Pixels) -> Callable[[], object] | None:
    """The forward pass of the same network in PyTorch (fp32, folded batch norms), if installed."""
    if find_spec("torch") is None:
        return None
    import torch

    from train.checkpoints import trained_network
    from train.networks.backbones import fold_batch_norms
    from train.networks.inputs import to_input

    network = trained_network(checkpoint).eval().to(memory_format=torch.channels_last)
    fold_batch_norms(network.backbone)
    batch = to_input(frames).contiguous(memory_format=torch.channels_last)

    def forward() -> None:
        with torch.inference_mode():
            network(batch)

    return forward


def _milliseconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1e3


def time_http(address: str, drawing: list[dict[str, Any]]) -> Times:
    """Milliseconds of the search request that the page sends, from this machine."""
    body = json.dumps({"strokes": drawing, "picture": None, "page": "benchmark"}).encode()

    def ask() -> None:
        request = urllib.request.Request(
            f"{address}/board/search",
            body,
            {"Content-Type": "application/json"},
        )
        answer = json.loads(urllib.request.urlopen(request).read())
        if len(answer.get("matches", [])) != 12:
            raise RuntimeError(f"the server answered {answer}")

    for _ in range(10):
        ask()
    return [_milliseconds(ask) for _ in range(100)]


def own_pad(page: Page) -> tuple[str, str]:
    """Waits for our page; the selector of its canvas, and a JS test for a complete repaint."""
    page.wait_for_selector('[data-part="examples"] button')
    return '[data-part="pad"]', (
        "() => document.querySelector('[data-part=results]').ariaBusy === 'false'" + LOADED
    )


def gradio_pad(page: Page) -> tuple[str, str]:
    """The same for Gradio's sketchpad, where the brush has to be chosen first."""
    page.wait_for_selector("canvas")
    page.wait_for_timeout(2000)
    page.get_by_role("button", name="Brush").click()
    return "canvas >> nth=0", (
        "() => document.querySelector('output').textContent !== window.answered" + LOADED
    )


def time_strokes(
    page: Page, address: str, strokes: int, ready: Callable[[Page], tuple[str, str]]
) -> Times:
    """Draws strokes with the mouse; milliseconds from pointer-up to the frame after the repaint."""
    page.set_viewport_size({"width": 1280, "height": 1000})
    page.goto(address)
    canvas, complete = ready(page)
    page.evaluate(
        """() => {
            window.times = [];
            window.timeStroke = (complete) => new Promise((done) => {
                addEventListener("pointerup", () => {
                    const start = performance.now();
                    window.answered = document.querySelector("output")?.textContent;
                    const look = () => complete()
                        ? requestAnimationFrame(() => setTimeout(() => {
                            window.times.push(performance.now() - start);
                            done();
                        }))
                        : setTimeout(look, 1);
                    setTimeout(look, 1);
                }, { capture: true, once: true });
            });
        }"""
    )
    draw = random.Random(0)
    for number in range(strokes + 5):
        page.evaluate(f"() => {{ window.stroke = window.timeStroke({complete}); }}")
        box = page.locator(canvas).bounding_box()
        if box is None:
            raise RuntimeError("the canvas is not visible")
        x, y = draw.uniform(0.3, 0.7), draw.uniform(0.3, 0.7)
        radius = draw.uniform(0.05, 0.25)
        for step in range(20):
            angle = step / 20 * draw.uniform(4, 6)
            side = min(box["width"], box["height"]) * 0.8
            page.mouse.move(
                box["x"] + box["width"] / 2 + side * (x - 0.5 + radius * math.cos(angle)),
                box["y"] + box["height"] / 2 + side * (y - 0.5 + radius * math.sin(angle)),
            )
            if step == 0:
                page.mouse.down()
            page.wait_for_timeout(10)
        page.mouse.up()
        page.evaluate("() => window.stroke")
        if number == 4:
            page.evaluate("() => { window.times = []; }")
    times: Times = page.evaluate("() => window.times")
    return times


def count_refreshes(page: Page, address: str, seconds: float = 3) -> int:
    """Number of answers that the page shows during one stroke of this many seconds."""
    page.set_viewport_size({"width": 1280, "height": 1000})
    page.goto(address)
    own_pad(page)
    box = page.locator('[data-part="pad"]').bounding_box()
    if box is None:
        raise RuntimeError("the canvas is not visible")
    page.evaluate(
        """() => {
            window.refreshes = 0;
            const results = document.querySelector("[data-part=results]");
            new MutationObserver(() => window.refreshes++).observe(results, { childList: true });
        }"""
    )
    start = time.perf_counter()
    while (passed := time.perf_counter() - start) < seconds:
        angle = 2 * math.pi * passed / seconds
        page.mouse.move(
            box["x"] + box["width"] * (0.5 + 0.3 * math.cos(angle)),
            box["y"] + box["height"] * (0.5 + 0.2 * math.sin(2 * angle)),
        )
        if passed < 0.01:
            page.mouse.down()
        page.wait_for_timeout(8)
    count: int = page.evaluate("() => window.refreshes")
    page.mouse.up()
    return count


def time_load(browser: Browser, address: str, loads: int = 5) -> dict[str, float]:
    """Medians of first visits with an empty cache: when the page is seen, and what is fetched."""
    visits = []
    for _ in range(loads):
        context = browser.new_context(viewport={"width": 1280, "height": 1000})
        page = context.new_page()
        sizes: list[float] = []
        session = context.new_cdp_session(page)
        session.send("Network.enable")
        session.on("Network.loadingFinished", lambda e, s=sizes: s.append(e["encodedDataLength"]))
        page.goto(address)
        page.wait_for_selector("canvas")
        page.wait_for_load_state("networkidle")
        paint = page.evaluate(
            "() => performance.getEntriesByName('first-contentful-paint')[0].startTime"
        )
        canvas = page.evaluate("() => performance.now()")
        visits.append((paint, canvas, len(sizes), sum(sizes) / 1000))
        context.close()
    names = ("first contentful paint, ms", "network idle, ms", "requests", "kB fetched")
    return {
        name: float(statistics.median(column))
        for name, column in zip(names, zip(*visits, strict=True), strict=True)
    }


if __name__ == "__main__":
    sys.exit(exit_code(main))
