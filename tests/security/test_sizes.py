"""Limits on the size and the depth of requests, and on uploads."""

import asyncio
import io
import json
import os
import shutil
import time
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from starlette.types import Message, Receive, Scope, Send

from model.pictures.strokes import StrokeError, parse_strokes, render_strokes
from server.middleware.body_limit import (
    MAX_BODY,
    MAX_DEPTH,
    MAX_UPLOAD,
    BodyLimit,
    UploadAborted,
    count_upload,
    is_nested_deeper,
)
from server.uploads import make_room
from tests.harness.loops import in_a_loop

LINES = [{"width": 0.01, "points": [[0.1, 0.2], [0.7, 0.8]]}]

POSTS = [
    "/gradio_api/queue/join",
    "/gradio_api/run/search_strokes",
    "/gradio_api/call/search_strokes",
    "/gradio_api/call/v2/search_strokes",
    "/gradio_api/api/search",
    "/gradio_api/cancel",
    "/gradio_api/reset",
    "/board/read",
    "/healthz",
]


def chunks(total: int) -> Iterator[bytes]:
    """A body without a Content-Length."""
    yield b"["
    for _ in range(total // 100_000 + 1):
        yield b" " * 100_000


@pytest.mark.parametrize("route", POSTS)
def test_a_large_body_is_refused_with_and_without_content_length(
    client: TestClient, route: str
) -> None:
    json_type = {"Content-Type": "application/json"}
    told = client.post(route, content=b" " * (MAX_BODY + 1), headers=json_type)
    untold = client.post(route, content=chunks(MAX_BODY), headers=json_type)
    assert (told.status_code, untold.status_code) == (413, 413)
    assert "the limit is 6 MB" in told.json()["error"]


def test_reading_stops_once_a_body_is_too_large() -> None:
    read = 0

    async def endless() -> Message:
        nonlocal read
        read += 1_000_000
        return {"type": "http.request", "body": b" " * 1_000_000, "more_body": True}

    async def unreachable(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("the app was asked")

    answers: list[Message] = []

    async def send(message: Message) -> None:
        answers.append(message)

    scope = {"type": "http", "method": "POST", "path": "/x", "headers": []}
    in_a_loop(BodyLimit(unreachable)(scope, endless, send))
    assert answers[0]["status"] == 413
    assert read == 7_000_000


@pytest.mark.parametrize("told", [True, False])
def test_a_large_upload_is_refused_and_leaves_no_file(
    client: TestClient, uploads: Path, told: bool
) -> None:
    head = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    body = head + b"x" * MAX_UPLOAD
    before = sorted(uploads.rglob("*"))
    answer = client.post("/gradio_api/upload", content=body if told else iter([body]), headers=kind)
    assert answer.status_code == 413
    assert sorted(uploads.rglob("*")) == before


def test_an_interrupted_upload_leaves_no_file(client: TestClient, uploads: Path) -> None:
    head = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
    messages: list[Message] = [
        {"type": "http.request", "body": head + b"x" * 1000, "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        pass

    scope = {
        **{"type": "http", "method": "POST", "path": "/gradio_api/upload", "query_string": b""},
        **{"headers": [(b"content-type", b"multipart/form-data; boundary=b")], "root_path": ""},
        **{"server": ("test", 80), "client": ("test", 1), "scheme": "http", "http_version": "1.1"},
    }
    before = sorted(uploads.rglob("*"))
    in_a_loop(client.app(scope, receive, send))  # type: ignore[arg-type]
    assert sorted(uploads.rglob("*")) == before


def test_uploads_cannot_fill_the_disk(client: TestClient, uploads: Path) -> None:
    for number in range(6):
        client.post(
            "/gradio_api/upload", files={"files": (f"{number}.png", bytes([number]) * 5000)}
        )
        time.sleep(0.02)
    make_room(15_000)
    assert {path.name for path in uploads.rglob("*.png")} == {"3.png", "4.png", "5.png"}
    assert sum(path.stat().st_size for path in uploads.rglob("*") if path.is_file()) <= 15_000


def test_many_threads_can_make_room_at_once(uploads: Path) -> None:
    for number in range(300):
        (uploads / f"{number}").mkdir()
        (uploads / f"{number}" / "drawing.png").write_bytes(b"x" * 100)
    with ThreadPoolExecutor(8) as threads:
        made = [threads.submit(make_room, most * 4096) for most in range(300, 0, -10)]
    assert [future.exception() for future in made] == [None] * 30
    assert len(list(uploads.rglob("drawing.png"))) <= 10


def test_abandoned_empty_files_are_deleted(uploads: Path) -> None:
    for folder, age in (("old", 3600), ("new", 0)):
        (uploads / folder).mkdir()
        for name, text in (("empty", ""), ("kept.png", "x")):
            file = uploads / folder / name
            file.write_text(text)
            os.utime(file, (time.time() - age,) * 2)
    make_room()
    assert not (uploads / "old" / "empty").exists()
    assert (uploads / "new" / "empty").exists(), "somebody may still be about to fill it"
    make_room(0)
    assert [path for path in uploads.rglob("*") if path.name in ("old", "new", "kept.png")] == []


def test_many_tiny_uploads_cannot_fill_the_disk(uploads: Path) -> None:
    for number in range(50):
        (uploads / f"{number}").mkdir()
        (uploads / f"{number}" / "drawing.png").write_bytes(b"x")
    make_room(100_000)
    assert len(list(uploads.rglob("drawing.png"))) == len(list(uploads.iterdir())) == 24


def test_a_file_that_cannot_be_deleted_does_not_stop_uploads(
    uploads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(path)

    (uploads / "drawing.png").write_bytes(b"x")
    monkeypatch.setattr(Path, "unlink", refuse)
    make_room(0)
    assert (uploads / "drawing.png").exists()


def test_uploads_take_at_most_half_of_a_small_disk(
    uploads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        (uploads / f"{number}.png").write_bytes(b"x" * 10_000)
        os.utime(uploads / f"{number}.png", (number, number))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(0, 0, 2000))
    make_room()
    assert sorted(path.name for path in uploads.iterdir()) == ["3.png", "4.png"]


def test_an_upload_that_does_not_arrive_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def stalled() -> Message:
        await asyncio.sleep(30)
        raise AssertionError("it was waited for")

    async def receive_once() -> Message:
        return await count_upload(stalled, MAX_UPLOAD)()

    monkeypatch.setattr("server.middleware.body_limit.UPLOAD_SECONDS", 0.1)
    with pytest.raises(UploadAborted, match="did not arrive"):
        in_a_loop(receive_once())


def test_a_body_that_does_not_arrive_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    async def stalled() -> Message:
        await asyncio.sleep(30)
        raise AssertionError("it was waited for")

    async def unreachable(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("the app was asked")

    answers: list[Message] = []

    async def send(message: Message) -> None:
        answers.append(message)

    monkeypatch.setattr("server.middleware.body_limit.BODY_SECONDS", 0.1)
    scope = {"type": "http", "method": "POST", "path": "/x", "headers": []}
    in_a_loop(BodyLimit(unreachable)(scope, stalled, send))
    assert answers[0]["status"] == 408


@pytest.mark.parametrize("route", POSTS[:-1])
@pytest.mark.parametrize("deep", [b"[" * 100_000, b'{"a":' * 100_000, b'{"data":' + b"[" * 5000])
def test_deeply_nested_json_is_refused_at_once(client: TestClient, route: str, deep: bytes) -> None:
    began = time.perf_counter()
    answer = client.post(route, content=deep, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert "nested deeper than 16" in answer.json()["error"]
    assert time.perf_counter() - began < 10


def test_the_depth_is_that_of_a_parser() -> None:
    def depth(value: Any) -> int:
        inner = value.values() if isinstance(value, dict) else value
        return 1 + max(map(depth, inner), default=0) if isinstance(value, dict | list) else 0

    tricky = {"a[[": ["]]]", '"[', "\\", {'x\\"[': [[], {}, [1, [2, {"{": "}"}]]]}]}
    text = json.dumps(tricky).encode()
    assert depth(tricky) == 7
    assert is_nested_deeper(text, 6)
    assert not is_nested_deeper(text, 7)
    assert MAX_DEPTH > 7


def test_a_number_with_many_digits_is_a_client_error(client: TestClient) -> None:
    body = b'{"data": [[{"width": ' + b"9" * 100_000 + b', "points": []}], 12]}'
    for route in POSTS[:-2]:
        answer = client.post(route, content=body, headers={"Content-Type": "application/json"})
        assert 400 <= answer.status_code < 500


@pytest.mark.parametrize(
    "strokes, why",
    [
        ([{"width": 0.01, "points": []}] * 1001, "at most 1000 strokes"),
        ([{"width": 0.001, "points": [[0, 0]] * 501}] * 100, "at most 50000 points"),
        ([{"width": 0.2, "points": [[0, 0], [1, 1]] * 2000}], "finer one"),
        ([{"width": 0.2, "points": [[-1, -1], [2, 2]]}] * 1000, "finer one"),
        ([{"width": 0.05, "points": [[0, 0, 9], [1, 1, 9]] * 4000}], "finer one"),
    ],
)
def test_drawings_that_take_too_long_to_paint_are_refused(strokes: list[Any], why: str) -> None:
    with pytest.raises(StrokeError, match=why):
        parse_strokes(strokes)


def test_the_largest_drawing_is_painted_within_a_second() -> None:
    points = [[i % 7 / 7, i % 11 / 11] for i in range(4500)]
    strokes = parse_strokes([{"width": 0.1, "points": points}])
    began = time.process_time()
    render_strokes(strokes)
    assert time.process_time() - began < 1


def test_long_drawings_do_not_stay_in_memory() -> None:
    rng = np.random.default_rng(0)
    tracemalloc.start()
    try:
        for _ in range(10):
            points = rng.random((20_000, 2)).tolist()
            render_strokes(parse_strokes([{"width": 0.001, "points": points}, *LINES]))
        del points
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 2_000_000  # one such drawing takes about 3 MB


@pytest.mark.parametrize("k", [0, 49, -1, 1e9, 1.5, "12", [12]])
def test_the_number_of_photos_is_limited(client: TestClient, k: Any) -> None:
    stroke = {"width": 0.02, "points": [[0.2, 0.2], [0.8, 0.8]]}
    data = [[stroke], k, None, None, None, None, None, None]
    answer = client.post("/gradio_api/run/search_strokes", json={"data": data})
    assert answer.json()["error"] == "k is a whole number from 1 to 48."
    data[1] = 48
    assert (
        len(client.post("/gradio_api/run/search_strokes", json={"data": data}).json()["data"]) == 1
    )


def test_responses_hold_no_details_of_server_errors(client: TestClient) -> None:
    answer = client.post("/gradio_api/run/search_strokes", json={"data": [1]})
    assert answer.status_code == 500
    assert answer.json()["error"] is None
    assert "0x" not in answer.text and "/" not in answer.text


def test_a_small_upload_still_arrives(client: TestClient) -> None:
    data = io.BytesIO()
    Image.new("RGB", (20, 20)).save(data, "PNG")
    answer = client.post("/gradio_api/upload", files={"files": ("a.png", data.getvalue())})
    assert answer.status_code == 200
    shown = client.get(f"/gradio_api/file={answer.json()[0]}")
    assert shown.content == data.getvalue()
