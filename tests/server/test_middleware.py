"""Metrics, the log, and what a full server refuses."""

import asyncio
import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from server.log import start_log
from tests.harness.loops import in_a_loop

LINE = {"width": 0.02, "points": [[0.2, 0.2], [0.8, 0.7]]}


def test_metrics_count_requests_and_batches(new_client: TestClient) -> None:
    for _ in range(3):
        new_client.post("/board/search", json={"strokes": [LINE]})
    new_client.get("/thumbnails/0")
    new_client.get("/somewhere/else")
    answer = new_client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    lines = answer.text.splitlines()
    assert 'sketchzoo_requests_total{route="board",status="200"} 3.0' in lines
    assert 'sketchzoo_requests_total{route="thumbnails",status="200"} 1.0' in lines
    assert 'sketchzoo_requests_total{route="other",status="404"} 1.0' in lines
    assert 'sketchzoo_request_seconds_count{route="board"} 3.0' in lines
    assert "sketchzoo_batch_size_sum 3.0" in lines
    assert "sketchzoo_queue_length 0.0" in lines
    assert "sketchzoo_errors_total 0.0" in lines
    memory = next(line for line in lines if line.startswith("process_resident_memory_bytes "))
    assert float(memory.split()[1]) > 1e8


def test_each_request_is_logged_with_its_id_but_without_the_drawing(
    client: TestClient, capsys: pytest.CaptureFixture[str]
) -> None:
    start_log("json")
    given = client.post(
        "/board/search", json={"strokes": [LINE]}, headers={"X-Request-ID": "from-a-proxy"}
    )
    made = [client.get("/healthz", headers={"X-Request-ID": "no\tgood"}) for _ in range(2)]
    start_log("text")
    client.get("/healthz")
    ids = [answer.headers["x-request-id"] for answer in (given, *made)]
    assert ids[0] == "from-a-proxy"
    assert len(set(ids)) == 3
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["id"] for line in lines] == ids
    assert [(line["method"], line["route"], line["status"]) for line in lines] == [
        ("POST", "board", 200),
        ("GET", "healthz", 200),
        ("GET", "healthz", 200),
    ]
    assert set(lines[0]) == {"time", "level", "id", "method", "route", "status", "ms"}
    assert lines[0]["ms"] > 0


def test_a_server_error_is_logged_and_counted_and_answered_without_details(
    new_client: TestClient, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("a secret path")

    start_log("json")
    monkeypatch.setattr("server.routes.search.parse_query", broken)
    answer = new_client.post("/board/search", json={"strokes": [LINE]})
    assert answer.status_code == 500
    assert "secret" not in answer.text
    logged = json.loads(capsys.readouterr().err)
    assert logged["id"] == answer.headers["x-request-id"]
    assert "a secret path" in logged["exception"]
    assert "sketchzoo_errors_total 1.0" in new_client.get("/metrics").text


def test_the_number_of_waiting_calls_is_limited(
    new_client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: Any) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr("gradio.queueing.Queue.start_processing", never)
    call = {"data": [[LINE], 3, [], [], [], [], None, None]}
    posted = [new_client.post("/gradio_api/call/search_strokes", json=call) for _ in range(70)]
    assert [answer.status_code for answer in posted] == [200] * 64 + [503] * 6
    assert posted[-1].headers["retry-after"] == "1"


def test_a_wrong_request_is_not_counted_as_a_server_error(
    new_client: TestClient, capsys: pytest.CaptureFixture[str]
) -> None:
    start_log("text")
    new_client.get("/gradio_api/call/search/no-such-call")
    assert "Traceback" not in capsys.readouterr().err
    assert "sketchzoo_errors_total 0.0" in new_client.get("/metrics").text


def test_calls_whose_bodies_do_not_arrive_take_no_place(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.middleware.concurrency_limit.MAX_API_CALLS", 1)
    call = {"data": [[LINE], 3, [], [], [], [], None, None]}
    path = "/gradio_api/run/search_strokes"
    scope: Any = {
        **{"type": "http", "method": "POST", "path": path},
        **{"headers": [], "query_string": b"", "root_path": "", "scheme": "http"},
        **{"server": ("test", 80), "client": ("test", 1), "http_version": "1.1"},
    }

    async def ask_beside_slow_calls() -> int:
        waiting, gone = asyncio.Semaphore(0), asyncio.Event()

        async def receive() -> dict[str, Any]:
            waiting.release()
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            pass

        app: Any = client.app
        slow = [asyncio.ensure_future(app(scope, receive, send)) for _ in range(3)]
        for _ in slow:
            await waiting.acquire()
        answer = await asyncio.to_thread(client.post, path, json=call)
        gone.set()
        await asyncio.gather(*slow)
        return answer.status_code

    assert in_a_loop(ask_beside_slow_calls()) == 200


def test_programs_get_503_while_the_board_is_still_answered(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = {"data": [[LINE], 3, [], [], [], [], None, None]}
    assert client.post("/gradio_api/run/search_strokes", json=call).status_code == 200
    monkeypatch.setattr("server.middleware.concurrency_limit.MAX_API_CALLS", 0)
    for path in ("run/search_strokes", "call/search_strokes", "queue/join"):
        answer = client.post(f"/gradio_api/{path}", json=call)
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) >= 1
    assert client.post("/board/search", json={"strokes": [LINE]}).status_code == 200
