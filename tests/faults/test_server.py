"""When clients, the server or the clock fail, nothing is lost and nothing hangs."""

import http.client
import json
import signal
import socket
import struct
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from model.checkpoint.checkpoint import Checkpoint
from server.lifecycle import DRAIN_SECONDS
from tests.harness.apps import address_of, free_port, running_process

PHOTOS = '[data-part="results"] li'
STATUS = '[data-part="status"]'

LINE = {"width": 0.02, "points": [[0.2, 0.2], [0.8, 0.7]]}
BODY = json.dumps({"strokes": [LINE], "picture": None, "page": "test"}).encode()
HEAD = f"POST /board/search HTTP/1.1\r\nHost: a\r\nContent-Length: {len(BODY)}\r\n\r\n".encode()


@pytest.fixture
def options(tiny_checkpoint: Checkpoint, photo_folder: Path, tmp_path: Path) -> list[str]:
    """Options of an app that starts quickly."""
    return [
        f"--checkpoint={tiny_checkpoint.folder}",
        f"--photos={photo_folder}",
        f"--galleries={tmp_path / 'galleries'}",
    ]


def ask(port: int, body: bytes = BODY, path: str = "/board/search") -> tuple[int, Any]:
    """The status and the JSON of a response, over a new connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("POST" if body else "GET", path, body or None)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def metric(port: int, name: str) -> float:
    with urllib.request.urlopen(f"{address_of(port)}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return float(next(line for line in lines if line.startswith(f"{name} ")).split()[1])


@contextmanager
def unfinished(port: int) -> Iterator[socket.socket]:
    """A request that lacks its last byte."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(HEAD + BODY[:-1])
        deadline = time.monotonic() + 30
        while metric(port, "sketchzoo_requests_in_flight") < 2:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield client


def answer_of(client: socket.socket) -> http.client.HTTPResponse:
    answer = http.client.HTTPResponse(client)
    answer.begin()
    return answer


def test_interrupted_requests_do_not_affect_others(options: list[str]) -> None:
    port = free_port()
    with running_process("app.py", *options, port=port) as process:
        for _ in range(20):
            with unfinished(port):
                pass  # gone before the end of the request
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(HEAD + BODY)
                # Closing resets the connection before the response.
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        status, answer = ask(port)
        assert (status, len(answer["matches"])) == (200, 6)
        deadline = time.monotonic() + 30
        while metric(port, "sketchzoo_requests_in_flight") > 1:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert metric(port, "sketchzoo_queue_length") == 0
        assert process.poll() is None


PATIENT = """
import sys
import app, server.lifecycle
server.lifecycle.DRAIN_SECONDS = 60
app.exit_now(app.main(sys.argv[1:]))
"""


def test_sigterm_finishes_requests_in_progress_and_refuses_new_ones(
    options: list[str],
) -> None:
    port = free_port()
    with running_process("-c", PATIENT, *options, port=port) as process:
        with unfinished(port) as in_progress:
            process.send_signal(signal.SIGTERM)
            while ask(port, b"", "/readyz")[0] == 200:
                time.sleep(0.02)
            assert ask(port, b"", "/readyz") == (503, {"ready": "stopping"})
            assert ask(port, b"", "/healthz")[0] == 200
            assert ask(port)[0] == 503
            in_progress.sendall(BODY[-1:])
            answer = answer_of(in_progress)
            assert answer.status == 200
            assert len(json.loads(answer.read())["matches"]) == 6
        assert process.wait(30) == 0


def test_sigterm_does_not_wait_for_endless_requests(options: list[str]) -> None:
    port = free_port()
    with running_process("app.py", *options, port=port) as process:
        stream = urllib.request.urlopen(f"{address_of(port)}/gradio_api/heartbeat/test", timeout=20)
        with unfinished(port), stream:
            told = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
            assert DRAIN_SECONDS <= time.monotonic() - told < 20


JUMPING = """
import itertools, sys, time
real, jumps = time.time, itertools.cycle([0, 86400, -86400, 3e8, -3e8])
time.time = lambda: real() + next(jumps)
import app
app.exit_now(app.main(sys.argv[1:]))
"""


def test_a_clock_that_jumps_changes_nothing(options: list[str]) -> None:
    port = free_port()
    with running_process("-c", JUMPING, *options, port=port) as process:
        answers = [ask(port) for _ in range(10)]
        assert [status for status, _ in answers] == [200] * 10
        assert all(answer == answers[0][1] for _, answer in answers)
        assert 0 < metric(port, "sketchzoo_encoding_seconds_sum") < 60
        assert ask(port, b"", "/readyz")[0] == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def draw(page: Page, y: float) -> None:
    box = page.locator('[data-part="pad"]').bounding_box()
    assert box
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + y * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + y * box["height"], steps=5)
    page.mouse.up()


def test_a_drawing_survives_a_killed_server(options: list[str], browser: Browser) -> None:
    port = free_port()
    with browser.new_context() as context:
        page = context.new_page()
        with running_process("app.py", *options, port=port) as process:
            page.goto(address_of(port))
            page.wait_for_selector('[data-part="examples"] button')
            draw(page, 0.3)
            expect(page.locator(PHOTOS)).to_have_count(6)
            process.kill()
            process.wait()
            draw(page, 0.6)
            expect(page.locator(STATUS)).to_contain_text("Your drawing is safe")
        asked: list[dict[str, Any]] = []

        def note(request: Request) -> None:
            if request.url.endswith("/board/search"):
                asked.append(json.loads(request.post_data or ""))

        page.on("request", note)
        with running_process("app.py", *options, port=port):
            expect(page.locator(STATUS)).not_to_contain_text("Your drawing is safe", timeout=20_000)
            expect(page.locator(PHOTOS)).to_have_count(6)
            assert len(asked[-1]["strokes"]) == 2
            _, answer = ask(port, json.dumps(asked[-1]).encode())
            expected = [f"{address_of(port)}/{match['thumbnail']}" for match in answer["matches"]]
            shown = page.locator(f"{PHOTOS} img").evaluate_all("all => all.map(i => i.src)")
            assert shown == expected
            page.reload()
            expect(page.locator(PHOTOS)).to_have_count(6)
            assert len(asked[-1]["strokes"]) == 2
