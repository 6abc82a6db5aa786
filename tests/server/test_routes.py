"""The routes, without a browser."""

import asyncio
import io
import json
import time
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from model.checkpoint.checkpoint import Checkpoint
from model.errors import SketchZooError
from model.pictures.framing import frame_ink
from server.application import build_app
from server.routes import map as map_route
from server.startup import open_galleries
from server.uploads import find_upload
from tests.harness.pictures import fish

LINE = {"width": 0.02, "points": [[0.2, 0.2], [0.8, 0.7]]}


def test_healthz_names_checkpoint_and_photos(client: TestClient) -> None:
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert answer.json() == {"checkpoint": "tiny", "photos": 6}


def test_thumbnails_with_a_version_are_immutable(client: TestClient) -> None:
    version = client.get("/map.json").json()["version"]
    answer = client.get(f"/thumbnails/5?v={version}")
    assert "immutable" in answer.headers["cache-control"]
    assert Image.open(io.BytesIO(answer.content)).size == (90, 60)
    assert client.get("/thumbnails/5").headers["cache-control"] == "no-cache"
    assert client.get("/thumbnails/5?v=0123").status_code == 404
    assert client.get(f"/thumbnails/5?v={version}&gallery=photos").content == answer.content
    assert client.get("/thumbnails/5?gallery=../photos").status_code == 404


def test_the_map_describes_every_photo(client: TestClient) -> None:
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


def test_photo_ids_stay_the_same_when_photos_are_added_and_numbers_are_refused(
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
    search = galleries.get_search()
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
def test_there_are_no_other_thumbnails(client: TestClient, name: str) -> None:
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
    for name in ("1", "-1", "x", "..%2f..%2fsea.jpg", "1" * 5000, "%D9%A1"):
        assert client.get(f"/photos/{name}").status_code == 404
        assert client.get(f"/thumbnails/{name}").status_code == 404
    (tmp_path / "photos" / "sea.jpg").unlink()
    assert client.get("/photos/0").status_code == 404


def test_uploads_are_read_only_from_the_upload_folder(tmp_path: Path) -> None:
    fish().save(tmp_path / "private.png")
    for path in (tmp_path / "private.png", "/etc/passwd", "../app.py", 7, "\0"):
        with pytest.raises(SketchZooError, match="Upload it again"):
            find_upload(path)


def test_mcp_offers_the_endpoints_as_tools(
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


def test_the_board_gets_photos_or_an_error(client: TestClient) -> None:
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


def test_what_takes_long_to_paint_is_painted_beside_the_event_loop(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_loop = []

    def noted(*given: Any) -> Any:
        in_loop.append(asyncio._get_running_loop() is not None)
        return frame_ink(*given)

    monkeypatch.setattr("server.service.frame_ink", noted)
    across = [[0.1 + 0.8 * (number % 2), 0.5, 2] for number in range(300)]
    for width in (0.001, 0.1):
        asked = {"strokes": [{"width": width, "points": across}]}
        assert "matches" in client.post("/board/search", json=asked).json()
    assert in_loop == [True, False]


def test_the_server_is_ready_once_its_encoder_is_warm(client: TestClient) -> None:
    deadline = time.monotonic() + 20
    while client.get("/readyz").status_code == 503 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert client.get("/readyz").json() == {"ready": "yes"}
