"""Which galleries a start opens and which photos it indexes."""

import os
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from model.checkpoint.checkpoint import Checkpoint
from model.errors import GalleryError
from model.gallery.build import build_gallery
from model.gallery.photos import photos_in
from server import startup
from server.application import build_app
from server.startup import open_galleries
from tests.harness.checkpoints import make_checkpoint

LINE = {"width": 0.02, "points": [[0.2, 0.2], [0.8, 0.7]]}


def test_a_second_start_keeps_the_index(
    tiny_checkpoint: Checkpoint, photo_folder: Path, tmp_path: Path
) -> None:
    given = tiny_checkpoint.folder, photo_folder, tmp_path / "galleries"
    first = open_galleries(*given).search()
    assert open_galleries(*given).search().folder == first.folder


def test_each_checkpoint_has_its_own_gallery(
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
    index = open_galleries(*given).search().folder / "embeddings.npy"
    data = index.read_bytes()
    index.unlink()
    index.write_bytes(data[:100])
    again = open_galleries(*given).search().folder / "embeddings.npy"
    assert again.read_bytes() == data


def test_without_starter_photos_the_app_starts_and_says_how_to_add_some(
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
