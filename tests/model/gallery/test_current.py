"""Which folders are galleries, and which galleries are up to date."""

import json
import os
import shutil
from pathlib import Path

import pytest

from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.files import EMBEDDINGS, LAYOUT, MANIFEST
from model.errors import GalleryError
from model.gallery.build import build_gallery
from model.gallery.current import gallery_is_current
from model.gallery.photos import photos_in
from model.gallery.progress import FILES


def test_a_gallery_is_current_until_a_photo_changes(
    tiny_checkpoint: Checkpoint, photo_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "gallery"
    assert not gallery_is_current(folder, tiny_checkpoint, photos_in(photo_folder))
    build_gallery(tiny_checkpoint, photos_in(photo_folder), folder)
    assert gallery_is_current(folder, tiny_checkpoint, photos_in(photo_folder))
    os.utime(photo_folder / "red_panda" / "0.jpg", (1, 1))
    assert not gallery_is_current(folder, tiny_checkpoint, photos_in(photo_folder))
    build_gallery(tiny_checkpoint, photos_in(photo_folder), folder)
    assert gallery_is_current(folder, tiny_checkpoint, photos_in(photo_folder))
    assert len(list(folder.glob("version-*"))) == 1
    assert not (folder / "unfinished-version").exists()


def test_a_gallery_that_was_copied_with_its_photos_is_current(
    tiny_checkpoint: Checkpoint, photo_folder: Path, tmp_path: Path
) -> None:
    """As in a container image: no copy keeps the time when a file's status changed."""
    folder = tmp_path / "gallery"
    build_gallery(tiny_checkpoint, photos_in(photo_folder), folder)
    away = tmp_path / "away"
    shutil.copytree(photo_folder, away)
    shutil.rmtree(photo_folder)
    shutil.copytree(away, photo_folder)
    assert gallery_is_current(folder, tiny_checkpoint, photos_in(photo_folder))


def test_a_gallery_made_without_a_map_is_not_current(
    tiny_checkpoint: Checkpoint, photo_folder: Path, tmp_path: Path
) -> None:
    folder, photos = tmp_path / "gallery", photos_in(photo_folder)
    version = build_gallery(tiny_checkpoint, photos, folder).checkpoint.folder
    (version / LAYOUT).unlink()
    manifest = json.loads((version / MANIFEST).read_text())
    del manifest["sha256"][LAYOUT]
    (version / MANIFEST).write_text(json.dumps(manifest))
    assert not gallery_is_current(folder, tiny_checkpoint, photos)
    build_gallery(tiny_checkpoint, photos, folder)
    assert gallery_is_current(folder, tiny_checkpoint, photos)


def test_a_gallery_with_links_and_among_its_photos_is_current(
    tiny_checkpoint: Checkpoint, photo_folder: Path
) -> None:
    (photo_folder / "link.png").symlink_to(photos_in(photo_folder)[0].path)
    folder = photo_folder / "galleries" / "zoo"
    build_gallery(tiny_checkpoint, photos_in(photo_folder), folder)
    assert len(photos_in(photo_folder)) > 7
    assert gallery_is_current(folder, tiny_checkpoint, photos_in(photo_folder))


def test_a_folder_of_other_files_is_never_replaced(
    tiny_checkpoint: Checkpoint, photo_folder: Path, tmp_path: Path
) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    for name in ("novel.txt", "current", "version-original/novel.txt", "thumbnails/face.png"):
        (precious / name).parent.mkdir(exist_ok=True)
        (precious / name).write_text("it was a dark night")
    with pytest.raises(GalleryError, match="precious holds other files"):
        build_gallery(tiny_checkpoint, photos_in(photo_folder), precious)
    assert sum(path.is_file() for path in precious.rglob("*")) == 4


def test_a_manifest_alone_is_no_gallery(
    tiny_checkpoint: Checkpoint, photo_folder: Path, tmp_path: Path
) -> None:
    web = tmp_path / "web"
    (web / "thumbnails").mkdir(parents=True)
    for name in ("manifest.json", "thumbnails/mine.png"):
        (web / name).write_text("{}")
    with pytest.raises(GalleryError, match="web holds other files"):
        build_gallery(tiny_checkpoint, photos_in(photo_folder), web)
    assert (web / "manifest.json").read_text() == (web / "thumbnails/mine.png").read_text() == "{}"
    build_gallery(tiny_checkpoint, photos_in(photo_folder), tmp_path / "zoo")
    (tmp_path / "zoo" / "manifest.json").write_text("{}")
    build_gallery(tiny_checkpoint, photos_in(photo_folder)[:2], tmp_path / "zoo")
    assert (tmp_path / "zoo" / "manifest.json").read_text() == "{}"


def test_a_gallery_without_versions_becomes_one_with_them(
    tiny_checkpoint: Checkpoint, photo_folder: Path, tmp_path: Path
) -> None:
    photos, folder = photos_in(photo_folder), tmp_path / "gallery"
    version = build_gallery(tiny_checkpoint, photos, tmp_path / "new").checkpoint.folder
    shutil.copytree(version, folder)
    for name in (EMBEDDINGS, FILES):
        (folder / name).unlink()
    assert not gallery_is_current(folder, tiny_checkpoint, photos)
    build_gallery(tiny_checkpoint, photos, folder)
    assert {path.name.split("-")[0] for path in folder.iterdir()} == {"current", "version"}
    assert gallery_is_current(folder, tiny_checkpoint, photos)
