"""Which galleries a start opens and which photos it indexes."""

import os
import time
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.records import Photo
from model.errors import GalleryError
from model.gallery.build import build_gallery
from model.gallery.photos import photos_in
from server.application import build_app
from server.startup import open_galleries, open_photos_fetcher, starter_folder
from tests.harness.checkpoints import make_checkpoint

LINE = {"width": 0.02, "points": [[0.2, 0.2], [0.8, 0.7]]}


def test_a_second_start_keeps_the_index(
    tiny_checkpoint: Checkpoint, photo_folder: Path, tmp_path: Path
) -> None:
    given = tiny_checkpoint.folder, photo_folder, tmp_path / "galleries"
    first = open_galleries(*given).get_search()
    assert open_galleries(*given).get_search().folder == first.folder


def test_each_checkpoint_has_its_own_gallery(
    tiny_checkpoint: Checkpoint, photo_folder: Path, tmp_path: Path
) -> None:
    other = make_checkpoint(tmp_path / "other", seed=1)
    first, second = (
        open_galleries(checkpoint.folder, photo_folder, tmp_path / "galleries").get_search()
        for checkpoint in (tiny_checkpoint, other)
    )
    assert first.folder.parent != second.folder.parent
    weights = [search.manifest.sha256["encoder.safetensors"] for search in (first, second)]
    assert weights == [c.manifest.sha256["encoder.safetensors"] for c in (tiny_checkpoint, other)]


def test_folders_with_the_same_name_or_without_utf8_are_served(
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


def test_a_damaged_index_is_rebuilt(
    tiny_checkpoint: Checkpoint, photo_folder: Path, tmp_path: Path
) -> None:
    given = tiny_checkpoint.folder, photo_folder, tmp_path / "galleries"
    index = open_galleries(*given).get_search().folder / "embeddings.npy"
    data = index.read_bytes()
    index.unlink()
    index.write_bytes(data[:100])
    again = open_galleries(*given).get_search().folder / "embeddings.npy"
    assert again.read_bytes() == data


STARTER_PHOTOS = "model.gallery.open_photos.gallery.starter_photos"


def not_installed(_: Path) -> list[Photo]:
    raise GalleryError("not installed; use --photos DIR")


def test_without_starter_photos_the_app_starts_and_says_how_to_add_some(
    tiny_checkpoint: Checkpoint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(STARTER_PHOTOS, not_installed)
    galleries = open_galleries(tiny_checkpoint.folder, None, tmp_path / "galleries")
    assert galleries.get_search().photos == []
    assert "--photos DIR" in capsys.readouterr().err
    with TestClient(build_app(galleries)) as client:
        assert client.get("/healthz").json()["photos"] == 0
        assert client.get("/").status_code == 200


@pytest.mark.parametrize("is_damaged", [False, True])
def test_open_photos_are_served_from_their_first_version_on(
    is_damaged: bool,
    tiny_checkpoint: Checkpoint,
    photo_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without starter photos, also if the last start has left a damaged gallery."""
    monkeypatch.setattr(STARTER_PHOTOS, not_installed)
    monkeypatch.setattr("server.galleries.CHECK_SECONDS", 0)
    folder = starter_folder(tiny_checkpoint.folder, tmp_path, with_open=True)
    if is_damaged:
        version = build_gallery(tiny_checkpoint, photos_in(photo_folder), folder).checkpoint.folder
        (version / "manifest.json").write_text("{")
    galleries = open_galleries(tiny_checkpoint.folder, None, tmp_path, with_open=True)
    assert galleries.names == ["starter"]
    with TestClient(build_app(galleries)) as client:
        assert client.get("/healthz").json() == {"checkpoint": "tiny", "photos": 0}
        told = client.get("/map.json").json()
        assert (told["gallery"], told["photos"]) == ("starter", [])
        asked = {"strokes": [LINE], "k": 3, "gallery": "starter"}
        assert "No photos are indexed" in client.post("/board/search", json=asked).json()["error"]
        build_gallery(tiny_checkpoint, photos_in(photo_folder), folder)
        deadline = time.monotonic() + 30
        while client.get("/healthz").json()["photos"] == 0 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len(client.get("/map.json").json()["photos"]) == 6
        assert len(client.post("/board/search", json=asked).json()["matches"]) == 3


def test_starter_photos_are_served_if_the_database_of_open_photos_is_damaged(
    tiny_checkpoint: Checkpoint,
    photo_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(STARTER_PHOTOS, lambda _: photos_in(photo_folder))
    monkeypatch.setattr("server.startup.missing_packages", dict)
    (tmp_path / "open-photos").mkdir()
    (tmp_path / "open-photos" / ".photos.sqlite").write_bytes(b"damaged" * 1000)
    galleries = open_galleries(tiny_checkpoint.folder, None, tmp_path, with_open=True)
    assert len(galleries.get_search().photos) == 6
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note: ")]
    assert len(lines) == 1
    assert "the open photos are left out" in lines[0]
    assert ".photos.sqlite is damaged: file is not a database. Delete it" in lines[0]


def test_open_photos_are_fetched_of_animals_that_the_checkpoint_knows(
    tiny_checkpoint: Checkpoint, tmp_path: Path
) -> None:
    fetcher = open_photos_fetcher(tiny_checkpoint.folder, tmp_path, "")
    assert fetcher.progress() == {"done": 0, "wanted": 3 * 40, "trouble": ""}
