"""The app's start, and what its routes answer, without a browser."""

import asyncio
import io
import json
import os
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image

import app
from model import GalleryError, SketchZooError
from model.checkpoint.checkpoint import Checkpoint
from model.gallery.build import build_gallery, photos_in
from server import startup
from server.application import build_app
from server.log import start_log
from server.routes import map as map_route
from server.startup import open_galleries
from server.uploads import find_upload
from tests.conftest import make_checkpoint
from tests.drawings import fish


@pytest.fixture
def client(tiny_checkpoint: Checkpoint, photo_folder: Path, tmp_path: Path) -> TestClient:
    galleries = open_galleries(tiny_checkpoint.folder, photo_folder, tmp_path / "galleries")
    return TestClient(build_app(galleries))


def test_healthz_names_checkpoint_and_photos(client: TestClient) -> None:
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert answer.json() == {"checkpoint": "tiny", "photos": 6}


def test_thumbnails_are_cacheable_pictures(client: TestClient) -> None:
    version = client.get("/map.json").json()["version"]
    answer = client.get(f"/thumbnails/5?v={version}")
    assert "immutable" in answer.headers["cache-control"]
    assert Image.open(io.BytesIO(answer.content)).size == (90, 60)
    assert client.get("/thumbnails/5").headers["cache-control"] == "no-cache"
    assert client.get("/thumbnails/5?v=0123").status_code == 404
    assert client.get(f"/thumbnails/5?v={version}&gallery=photos").content == answer.content
    assert client.get("/thumbnails/5?gallery=../photos").status_code == 404


def test_the_map_tells_of_every_photo_where_it_lies_and_what_it_is(client: TestClient) -> None:
    told = client.get("/map.json").json()
    answer = client.get(f"/map.json?v={told['version']}")
    assert "immutable" in answer.headers["cache-control"]
    assert told == answer.json()
    assert told["gallery"] == "photos"
    assert told["labels"] == ["blue whale", "red panda"]
    assert told["terms"] == [["", "", ""]]
    assert [photo[2:] for photo in told["photos"]] == [
        *([0, 0, number] for number in range(3)),
        *([1, 0, number] for number in range(3, 6)),
    ]
    assert all(0 <= x <= 1 and 0 <= y <= 1 for x, y, *_ in told["photos"])
    assert client.get(f"/thumbnails/0?v={told['version']}").status_code == 200


def test_an_id_stays_when_photos_are_added_and_a_number_is_refused(
    tiny_checkpoint: Checkpoint, photo_folder: Path, tmp_path: Path
) -> None:
    stroke = {"width": 0.02, "points": [[0.2, 0.2], [0.8, 0.8]]}

    def search(*more: Any) -> Any:
        galleries = open_galleries(tiny_checkpoint.folder, photo_folder, tmp_path / "galleries")
        client = TestClient(build_app(galleries), raise_server_exceptions=False)
        told = client.get("/map.json").json()
        data = [[stroke], 12, None, None, None, None, *(more or (None,)), None]
        answer = client.post("/gradio_api/run/search_strokes", json={"data": data})
        return told, answer.json().get("data", [None])[0], answer

    told, before, _ = search()
    assert told["ids"] == [match["id"] for match in sorted(before, key=lambda m: m["number"])]
    last = next(match for match in before if match["number"] == 5)
    for number in range(3):
        Image.new("RGB", (40, 40), (90 * number, 9, 9)).save(photo_folder / f"a {number}.png")
    _, after, _ = search()
    assert {match["id"]: match["number"] for match in after}[last["id"]] == 8
    _, like, _ = search(last["id"])
    assert (like[0]["id"], like[0]["number"]) == (last["id"], 8)
    _, _, refused = search(last["number"])
    assert refused.status_code >= 400
    assert "matches" not in refused.text and "rank" not in refused.text


def test_the_map_of_a_large_gallery_is_a_sample_of_it(
    tiny_checkpoint: Checkpoint,
    photo_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    galleries = open_galleries(tiny_checkpoint.folder, photo_folder, tmp_path / "galleries")
    search = galleries.search()
    told = json.loads(map_route.describe_map("photos", search))
    whole = {tuple(photo[:2]): photo[4] for photo in told["photos"]}
    monkeypatch.setattr(map_route, "MAX_DOTS", 4)
    told = json.loads(map_route.describe_map("photos", search))
    assert len({photo[4] for photo in told["photos"]}) == 4
    for x, y, label, _, number in told["photos"]:
        assert whole[x, y] == number
        assert told["labels"][label] == search.photos[number].label


@pytest.mark.parametrize(
    "name", ["6", "-1", "x", "..%2fmanifest.json", "0%2f..%2f..%2fmanifest.json"]
)
def test_other_thumbnails_are_not_found(client: TestClient, name: str) -> None:
    assert client.get(f"/thumbnails/{name}").status_code in (404, 422)


def test_a_large_photo_is_shown_smaller_and_without_its_metadata(
    tiny_checkpoint: Checkpoint, tmp_path: Path
) -> None:
    large = Image.new("RGB", (2000, 1000), "navy")
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    (tmp_path / "photos").mkdir()
    large.save(tmp_path / "photos" / "sea.jpg", exif=exif, comment=b"taken by me")
    galleries = open_galleries(tiny_checkpoint.folder, tmp_path / "photos", tmp_path / "galleries")
    client = TestClient(build_app(galleries))
    answer = client.get("/photos/0")
    shown = Image.open(io.BytesIO(answer.content))
    assert shown.size == (1280, 640)
    assert not shown.getexif()
    assert b"taken" not in answer.content
    for name in ("1", "-1", "x", "..%2f..%2fsea.jpg"):
        assert client.get(f"/photos/{name}").status_code in (404, 422)
    (tmp_path / "photos" / "sea.jpg").unlink()
    assert client.get("/photos/0").status_code == 404


def test_an_upload_is_taken_from_the_upload_folder_alone(tmp_path: Path) -> None:
    fish().save(tmp_path / "private.png")
    for path in (tmp_path / "private.png", "/etc/passwd", "../app.py", 7, "\0"):
        with pytest.raises(SketchZooError, match="Upload it again"):
            find_upload(path)


def test_a_second_start_keeps_the_index(
    tiny_checkpoint: Checkpoint, photo_folder: Path, tmp_path: Path
) -> None:
    given = tiny_checkpoint.folder, photo_folder, tmp_path / "galleries"
    first = open_galleries(*given).search()
    assert open_galleries(*given).search().folder == first.folder


def test_another_checkpoint_leaves_the_gallery_of_the_first_as_it_is(
    tiny_checkpoint: Checkpoint, photo_folder: Path, tmp_path: Path
) -> None:
    other = make_checkpoint(tmp_path / "other", seed=1)
    first, second = (
        open_galleries(checkpoint.folder, photo_folder, tmp_path / "galleries").search()
        for checkpoint in (tiny_checkpoint, other)
    )
    assert first.folder.parent != second.folder.parent
    weights = [search.manifest.sha256["encoder.safetensors"] for search in (first, second)]
    assert weights == [c.manifest.sha256["encoder.safetensors"] for c in (tiny_checkpoint, other)]


def test_folders_of_one_name_or_an_odd_one_are_all_served(
    tiny_checkpoint: Checkpoint, photo_folder: Path, tmp_path: Path
) -> None:
    photos = photos_in(photo_folder)
    folders = [tmp_path / name for name in ("x/a 2", "y/a", "z/a", "w/a 2")]
    for folder in folders:
        build_gallery(tiny_checkpoint, photos, folder)
    galleries = open_galleries(tiny_checkpoint.folder, None, tmp_path, folders)
    assert galleries.names == ["a 2", "a", "a 3", "a 2 2"]
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/M\xfcnchen"))
    photo_folder.rename(odd)
    galleries = open_galleries(tiny_checkpoint.folder, odd, tmp_path / "galleries")
    assert galleries.names == ["M?nchen"]
    asked = {"strokes": [LINE], "k": 3, "gallery": "M?nchen"}
    with TestClient(build_app(galleries)) as client:
        matches = client.post("/board/search", json=asked).json()["matches"]
        assert client.get(f"/{matches[0]['thumbnail']}").status_code == 200


def test_a_damaged_index_is_built_anew(
    tiny_checkpoint: Checkpoint, photo_folder: Path, tmp_path: Path
) -> None:
    given = tiny_checkpoint.folder, photo_folder, tmp_path / "galleries"
    index = open_galleries(*given).search().folder / "embeddings.npy"
    data = index.read_bytes()
    index.unlink()
    index.write_bytes(data[:100])
    again = open_galleries(*given).search().folder / "embeddings.npy"
    assert again.read_bytes() == data


def test_without_the_starter_gallery_the_app_starts_and_tells_how_to_add_photos(
    tiny_checkpoint: Checkpoint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def not_installed(_: Path) -> None:
        raise GalleryError("not installed; use --photos DIR")

    monkeypatch.setattr(startup, "starter_photos", not_installed)
    galleries = open_galleries(tiny_checkpoint.folder, None, tmp_path / "galleries")
    assert galleries.search().photos == []
    assert "--photos DIR" in capsys.readouterr().err
    with TestClient(build_app(galleries)) as client:
        assert client.get("/healthz").json()["photos"] == 0
        assert client.get("/").status_code == 200


def test_endpoints_are_tools_for_assistants_where_that_is_switched_on(
    tiny_checkpoint: Checkpoint, photo_folder: Path, tmp_path: Path
) -> None:
    galleries = open_galleries(tiny_checkpoint.folder, photo_folder, tmp_path / "galleries")
    assert TestClient(build_app(galleries)).get("/gradio_api/mcp/schema").status_code == 404
    tools = TestClient(build_app(galleries, mcp=True)).get("/gradio_api/mcp/schema").json()
    assert [tool["name"] for tool in tools] == ["search_file", "search_strokes"]
    for tool in tools:
        assert tool["description"]
        described = tool["inputSchema"]["properties"].values()
        assert all(parameter["description"] for parameter in described)


def test_the_switch_for_assistants_is_an_option_or_gradios_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("GRADIO_MCP_SERVER", raising=False)
    assert not app.parse_arguments([]).mcp
    assert app.parse_arguments(["--mcp"]).mcp
    monkeypatch.setenv("GRADIO_MCP_SERVER", "True")
    assert app.parse_arguments([]).mcp


def test_a_port_in_use_ends_with_a_clear_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert app.main(["--port", str(port)]) == 1
        assert app.main(["--port", "99999"]) == 1
        assert app.main(["--port", "0", "--host", "no.such.host.invalid"]) == 1
    error = capsys.readouterr().err
    assert "99999 is no port" in error
    assert "no.such.host.invalid is no address" in error
    assert f"Port {port} on 127.0.0.1 cannot be used" in error
    assert "--port" in error


def test_a_missing_checkpoint_ends_with_a_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app.main(["--checkpoint", str(tmp_path), "--port", "0"]) == 1
    assert "is no checkpoint" in capsys.readouterr().err


LINE = {"width": 0.02, "points": [[0.2, 0.2], [0.8, 0.7]]}


def test_the_board_is_told_of_photos_and_what_is_wrong(client: TestClient) -> None:
    answer = client.post("/board/search", json={"strokes": [LINE], "picture": None, "k": 4})
    assert [match["rank"] for match in answer.json()["matches"]] == [1, 2, 3, 4]
    assert "photo" not in answer.json()["matches"][0]
    for body, status, said in (
        (b"{", 400, "JSON"),
        (b"[]", 200, "JSON"),
        (b'{"strokes": 1}', 200, "a list"),
    ):
        answer = client.post("/board/search", content=body)
        assert answer.status_code == status
        assert said in answer.json()["error"]


def test_a_server_is_ready_once_its_encoder_has_run(client: TestClient) -> None:
    deadline = time.monotonic() + 20
    while client.get("/readyz").status_code == 503 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert client.get("/readyz").json() == {"ready": "yes"}


def test_metrics_count_requests_and_batches(client: TestClient) -> None:
    for _ in range(3):
        client.post("/board/search", json={"strokes": [LINE]})
    client.get("/thumbnails/0")
    client.get("/somewhere/else")
    answer = client.get("/metrics")
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


def test_each_request_has_an_id_that_is_in_the_log_without_what_was_drawn(
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


def test_a_fault_of_the_server_is_logged_and_counted_and_told_without_its_details(
    client: TestClient, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("a secret path")

    start_log("json")
    monkeypatch.setattr("server.routes.search.parse_query", broken)
    answer = client.post("/board/search", json={"strokes": [LINE]})
    assert answer.status_code == 500
    assert "secret" not in answer.text
    logged = json.loads(capsys.readouterr().err)
    assert logged["id"] == answer.headers["x-request-id"]
    assert "a secret path" in logged["exception"]
    assert "sketchzoo_errors_total 1.0" in client.get("/metrics").text


def test_calls_that_wait_are_not_without_number(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: Any) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr("gradio.queueing.Queue.start_processing", never)
    call = {"data": [[LINE], 3, [], [], [], [], None, None]}
    posted = [client.post("/gradio_api/call/search_strokes", json=call) for _ in range(70)]
    assert [answer.status_code for answer in posted] == [200] * 64 + [503] * 6
    assert posted[-1].headers["retry-after"] == "1"


def test_what_is_wrong_with_a_request_is_no_fault_of_the_server(
    client: TestClient, capsys: pytest.CaptureFixture[str]
) -> None:
    start_log("text")
    client.get("/gradio_api/call/search/no-such-call")
    assert "Traceback" not in capsys.readouterr().err
    assert "sketchzoo_errors_total 0.0" in client.get("/metrics").text


def test_programs_are_told_to_come_back_while_the_board_is_still_answered(
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
