import json
import os
from pathlib import Path

import pytest
from PIL import Image

from model.checkpoint import LAYOUT, MANIFEST, Checkpoint, Photo
from model.errors import GalleryError
from model.gallery import build_gallery, gallery_is_current, photos_in
from model.search import SketchSearch
from model.starter import starter_photos
from tests.drawings import fish


def test_labels_come_from_folders_and_file_names(photo_folder: Path) -> None:
    Image.new("RGB", (20, 20)).save(photo_folder / "snow_leopard.png")
    labels = [photo.label for photo in photos_in(photo_folder)]
    assert labels == ["blue whale"] * 3 + ["red panda"] * 3 + ["snow leopard"]


def test_a_folder_name_that_is_no_utf8_gives_a_label_that_can_be_sent(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff"))
    folder.mkdir()
    Image.new("RGB", (20, 20)).save(folder / "x.png")
    assert [photo.label for photo in photos_in(tmp_path)] == ["bad?"]


def test_unreadable_photos_are_named_and_left_out(
    tiny_checkpoint: Checkpoint,
    photo_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (photo_folder / "red_panda" / "1.jpg").write_text("not a photo")
    built = build_gallery(tiny_checkpoint, photos_in(photo_folder), tmp_path / "gallery")
    assert len(built.manifest.photos) == 5
    assert "red_panda/1.jpg" in "".join(capsys.readouterr())
    search = SketchSearch.load(tmp_path / "gallery")
    first = search.encoder.embed_photos([Image.open(search.photos[3].path)])[0]
    assert search.nearest(first, 1)[0].number == 3


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
    assert [p.name for p in folder.parent.iterdir() if p.name.startswith(".gallery")] == []


def test_a_gallery_made_without_a_map_is_not_current(
    tiny_checkpoint: Checkpoint, photo_folder: Path, tmp_path: Path
) -> None:
    folder, photos = tmp_path / "gallery", photos_in(photo_folder)
    build_gallery(tiny_checkpoint, photos, folder)
    (folder / LAYOUT).unlink()
    manifest = json.loads((folder / MANIFEST).read_text())
    del manifest["sha256"][LAYOUT]
    (folder / MANIFEST).write_text(json.dumps(manifest))
    assert not gallery_is_current(folder, tiny_checkpoint, photos)
    build_gallery(tiny_checkpoint, photos, folder)
    assert gallery_is_current(folder, tiny_checkpoint, photos)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_few_photos_have_a_map_and_a_drawing_its_place_there(
    tiny_checkpoint: Checkpoint, photo_folder: Path, tmp_path: Path, count: int
) -> None:
    build_gallery(tiny_checkpoint, photos_in(photo_folder)[:count], tmp_path / "gallery")
    search = SketchSearch.load(tmp_path / "gallery")
    assert search.positions.shape == (count, 2)
    x, y = search.place(search.query(fish())) or (-1, -1)
    assert 0 <= x <= 1
    assert 0 <= y <= 1
    assert search.place([]) is None


def test_a_folder_of_other_files_is_never_replaced(
    tiny_checkpoint: Checkpoint, photo_folder: Path, tmp_path: Path
) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "novel.txt").write_text("it was a dark night")
    with pytest.raises(GalleryError, match="precious holds other files"):
        build_gallery(tiny_checkpoint, photos_in(photo_folder), precious)
    assert (precious / "novel.txt").exists()


@pytest.mark.parametrize("content", [None, "empty", "text"])
def test_a_folder_without_photos_is_refused(tmp_path: Path, content: str | None) -> None:
    folder = tmp_path / "mine"
    if content:
        folder.mkdir()
    if content == "text":
        (folder / "readme.txt").write_text("hello")
    with pytest.raises(GalleryError, match="mine"):
        photos_in(folder)


def test_a_folder_of_unreadable_photos_leaves_nothing_behind(
    tiny_checkpoint: Checkpoint, tmp_path: Path
) -> None:
    (tmp_path / "broken.jpg").write_text("no")
    with pytest.raises(GalleryError, match="None of the photos"):
        build_gallery(tiny_checkpoint, [Photo(str(tmp_path / "broken.jpg"), "x")], tmp_path / "g")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["broken.jpg", "checkpoint"]


def test_the_starter_gallery_reads_labels_and_terms_from_the_package(tmp_path: Path) -> None:
    (tmp_path / "birds").mkdir()
    for name, text in [("crow", "A crow.\naf=..."), ("hen", "An old brown hen (a chicken).")]:
        Image.new("LA", (20, 20)).save(tmp_path / "birds" / f"{name}.png")
        (tmp_path / "birds" / f"{name}.txt").write_text(text)
    terms = tmp_path / "copyright"
    terms.write_text(
        "Format: x\n\nFiles: *\nCopyright: 2001 by A. Person <a@b.c>\nLicense: GPL-2\n\n"
        "Files: debian/*\nCopyright: somebody else\nLicense: other\n"
    )
    chosen = tmp_path / "chosen.csv"
    chosen.write_text(
        "file,label,credit,licence\nbirds/crow.png,,,\n"
        "birds/hen.png,chicken,B. Photographer,CC BY\nbirds/gone.png,,,\n"
    )
    crow, hen = starter_photos(tmp_path, terms, chosen)
    assert (crow.path, crow.label) == (str(tmp_path / "birds/crow.png"), "crow")
    assert (crow.credit, crow.licence) == ("Tux Paint stamps, © 2001 by A. Person", "GPL-2")
    assert (hen.path, hen.label) == (str(tmp_path / "birds/hen.png"), "chicken")
    assert (hen.credit, hen.licence) == ("Tux Paint stamps, B. Photographer", "CC BY")


def test_without_the_package_the_way_to_own_photos_is_shown(tmp_path: Path) -> None:
    with pytest.raises(GalleryError, match="--photos DIR"):
        starter_photos(tmp_path / "missing")
