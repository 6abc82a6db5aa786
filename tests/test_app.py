"""The app's start, and what its routes answer, without a browser."""

import io
import socket
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from PIL import Image

import app
from model import GalleryError, SketchZooError
from model.checkpoint import Checkpoint
from tests.drawings import fish


@pytest.fixture
def client(tiny_checkpoint: Checkpoint, photo_folder: Path, tmp_path: Path) -> TestClient:
    search = app.open_search(tiny_checkpoint.folder, photo_folder, tmp_path / "galleries")
    return TestClient(app.build_app(search))


def test_healthz_names_checkpoint_and_photos(client: TestClient) -> None:
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert answer.json() == {"checkpoint": "tiny", "photos": 6}


def test_thumbnails_are_cacheable_pictures(client: TestClient) -> None:
    answer = client.get("/thumbnails/5")
    assert "immutable" in answer.headers["cache-control"]
    assert Image.open(io.BytesIO(answer.content)).size == (90, 60)


def test_the_map_tells_of_every_photo_where_it_lies_and_what_it_is(client: TestClient) -> None:
    answer = client.get("/map.json")
    assert "immutable" in answer.headers["cache-control"]
    told = answer.json()
    assert told["labels"] == ["blue whale", "red panda"]
    assert told["terms"] == [["", ""]]
    assert [photo[2:] for photo in told["photos"]] == [[0, 0]] * 3 + [[1, 0]] * 3
    assert all(0 <= x <= 1 and 0 <= y <= 1 for x, y, *_ in told["photos"])
    assert client.get(f"/thumbnails/0?v={told['version']}").status_code == 200


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
    large.save(tmp_path / "photos" / "sea.jpg", exif=exif)
    search = app.open_search(tiny_checkpoint.folder, tmp_path / "photos", tmp_path / "galleries")
    client = TestClient(app.build_app(search))
    answer = client.get("/photos/0")
    shown = Image.open(io.BytesIO(answer.content))
    assert shown.size == (1280, 640)
    assert not shown.getexif()
    assert b"taken at home" not in answer.content
    for name in ("1", "-1", "x", "..%2f..%2fsea.jpg"):
        assert client.get(f"/photos/{name}").status_code in (404, 422)
    (tmp_path / "photos" / "sea.jpg").unlink()
    assert client.get("/photos/0").status_code == 404


def test_an_upload_is_taken_from_the_upload_folder_alone(tmp_path: Path) -> None:
    fish().save(tmp_path / "private.png")
    for path in (tmp_path / "private.png", "/etc/passwd", "../app.py", 7, "\0"):
        with pytest.raises(SketchZooError, match="Upload it again"):
            app.uploaded(path)


def test_a_second_start_keeps_the_index(
    tiny_checkpoint: Checkpoint, photo_folder: Path, tmp_path: Path
) -> None:
    first = app.open_search(tiny_checkpoint.folder, photo_folder, tmp_path / "galleries")
    built = (first.folder / "index.ann").stat()
    again = app.open_search(tiny_checkpoint.folder, photo_folder, tmp_path / "galleries")
    kept = (again.folder / "index.ann").stat()
    assert (kept.st_ino, kept.st_mtime_ns) == (built.st_ino, built.st_mtime_ns)


def test_a_damaged_index_is_built_anew(
    tiny_checkpoint: Checkpoint, photo_folder: Path, tmp_path: Path
) -> None:
    first = app.open_search(tiny_checkpoint.folder, photo_folder, tmp_path / "galleries")
    index = first.folder / "index.ann"
    data = index.read_bytes()
    index.unlink()
    index.write_bytes(data[:100])
    app.open_search(tiny_checkpoint.folder, photo_folder, tmp_path / "galleries")
    assert index.read_bytes() == data


def test_without_the_starter_gallery_the_app_starts_and_tells_how_to_add_photos(
    tiny_checkpoint: Checkpoint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def not_installed() -> None:
        raise GalleryError("not installed; use --photos DIR")

    monkeypatch.setattr(app, "starter_photos", not_installed)
    search = app.open_search(tiny_checkpoint.folder, None, tmp_path / "galleries")
    assert search.photos == []
    assert "--photos DIR" in capsys.readouterr().err
    with TestClient(app.build_app(search)) as client:
        assert client.get("/healthz").json()["photos"] == 0
        assert client.get("/").status_code == 200


def test_endpoints_are_tools_for_assistants_where_that_is_switched_on(
    tiny_checkpoint: Checkpoint, photo_folder: Path, tmp_path: Path
) -> None:
    search = app.open_search(tiny_checkpoint.folder, photo_folder, tmp_path / "galleries")
    assert TestClient(app.build_app(search)).get("/gradio_api/mcp/schema").status_code == 404
    tools = TestClient(app.build_app(search, mcp=True)).get("/gradio_api/mcp/schema").json()
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
