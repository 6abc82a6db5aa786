import os
from pathlib import Path

import pytest
from PIL import Image

from model.errors import GalleryError
from model.gallery.photos import photos_in
from tests.model.gallery.small_photos import draw_photo


def test_labels_come_from_folders_and_file_names(photo_folder: Path) -> None:
    Image.new("RGB", (20, 20)).save(photo_folder / "snow_leopard.png")
    labels = [photo.label for photo in photos_in(photo_folder)]
    assert labels == ["blue whale"] * 3 + ["red panda"] * 3 + ["snow leopard"]


def test_a_folder_name_that_is_no_utf8_gives_a_label_that_can_be_sent(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff"))
    folder.mkdir()
    Image.new("RGB", (20, 20)).save(folder / "x.png")
    assert [photo.label for photo in photos_in(tmp_path)] == ["bad?"]


def test_trash_and_thumbnails_are_not_indexed(photo_folder: Path) -> None:
    shown = photos_in(photo_folder)
    for hidden in (".Trash-1000/files/x.jpg", ".thumbnails/a/x.jpg", "red_panda/@eaDir/x.jpg"):
        draw_photo(photo_folder / hidden, "red")
    assert photos_in(photo_folder) == shown


@pytest.mark.parametrize("content", [None, "empty", "text"])
def test_a_folder_without_photos_is_refused(tmp_path: Path, content: str | None) -> None:
    folder = tmp_path / "mine"
    if content:
        folder.mkdir()
    if content == "text":
        (folder / "readme.txt").write_text("hello")
    with pytest.raises(GalleryError, match="mine"):
        photos_in(folder)
