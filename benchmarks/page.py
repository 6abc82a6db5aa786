"""How long the page takes to load over a slow network, at the first visit and at later ones.

    python -m benchmarks.page [--url URL] [--visits 5] [--json FILE]

Starts the app, or visits the one at URL. Prints the median seconds until the board shows its
example sketches, which come last, and the kilobytes that are sent. Compare two versions in turns,
with nothing else running.
"""

import argparse
import statistics
import sys
import time
from contextlib import nullcontext

from playwright.sync_api import Browser, BrowserContext
from tqdm import tqdm

from benchmarks.command import new_parser, run
from tests.harness.apps import running_app
from tests.harness.browser import chromium

NETWORKS = {"mobile": (100, 1.6), "home": (40, 9.0)}
"""Milliseconds until an answer begins, and megabits a second."""

EXAMPLES = '[data-part="examples"] button'

Figures = dict[str, dict[str, float]]


def main() -> int:
    options = new_parser("page", __doc__)
    options.add_argument("--url", help="a running app (default: start one)")
    options.add_argument(
        "--visits", type=int, default=5, help="visits of each kind and network (default: 5)"
    )
    return run(options.parse_args(), measure, show)


def show(figures: Figures) -> None:
    for name, values in figures.items():
        print(f"{name:24}{values['seconds']:6.2f} s{values['kilobytes']:8.0f} kB")


def measure(arguments: argparse.Namespace) -> Figures:
    """The figures of each network and kind of visit."""
    found: dict[str, list[tuple[float, float]]] = {}
    app = nullcontext(arguments.url) if arguments.url else running_app("app.py")
    with app as address, chromium() as browser:
        _visits(browser, address, *NETWORKS["home"])  # The app's own first visit is slower.
        for _ in tqdm(range(arguments.visits), unit="visit"):
            for name, network in NETWORKS.items():
                first, later = _visits(browser, address, *network)
                found.setdefault(f"{name}, first visit", []).append(first)
                found.setdefault(f"{name}, later visit", []).append(later)
    return {
        name: {
            "seconds": statistics.median(seconds for seconds, _ in values),
            "kilobytes": statistics.median(kilobytes for _, kilobytes in values),
        }
        for name, values in found.items()
    }


def _visits(
    browser: Browser, address: str, milliseconds: float, megabits: float
) -> list[tuple[float, float]]:
    """Seconds and kilobytes of a first and of a second visit with the same browser."""
    with browser.new_context(viewport={"width": 390, "height": 844}) as context:
        return [_visit(context, address, milliseconds, megabits) for _ in range(2)]


def _visit(
    context: BrowserContext, address: str, milliseconds: float, megabits: float
) -> tuple[float, float]:
    page = context.new_page()
    session = context.new_cdp_session(page)
    sent: list[float] = []
    session.on("Network.loadingFinished", lambda event: sent.append(event["encodedDataLength"]))
    session.send("Network.enable")
    speed = megabits * 1e6 / 8
    session.send(
        "Network.emulateNetworkConditions",
        {
            "offline": False,
            "latency": milliseconds,
            "downloadThroughput": speed,
            "uploadThroughput": speed,
        },
    )
    begun = time.perf_counter()
    page.goto(address, wait_until="commit")
    page.wait_for_selector(EXAMPLES, state="attached", timeout=120_000)
    seconds = time.perf_counter() - begun
    page.wait_for_load_state("networkidle")
    page.close()
    return seconds, sum(sent) / 1000


if __name__ == "__main__":
    sys.exit(main())
