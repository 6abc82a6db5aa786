import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.files import EMBEDDINGS, LAYOUT, THUMBNAILS
from model.checkpoint.records import Calibration, Photo
from model.errors import CheckpointError, GalleryError
from model.gallery.build import build_gallery
from model.gallery.current import gallery_is_current
from model.gallery.photos import photos_in
from model.gallery.walk import SAME, LeftOut
from model.search.search import SketchSearch
from tests.harness.checkpoints import make_checkpoint
from tests.harness.pictures import fish
from tests.model.gallery.small_photos import counts, draw_photo


def test_unreadable_photos_are_named_and_left_out(
    tiny_checkpoint: Checkpoint,
    photo_folder: Path,
    tmp_path: Path,
) -> None:
    (photo_folder / "red_panda" / "1.jpg").write_text("not a photo")
    built = build_gallery(tiny_checkpoint, photos_in(photo_folder), tmp_path / "gallery")
    assert len(built.checkpoint.manifest.photos) == 5
    (left_out,) = built.left_out
    assert left_out.path == str(photo_folder / "red_panda" / "1.jpg")
    assert "1.jpg cannot be read as a picture" in left_out.more
    search = SketchSearch.load(tmp_path / "gallery")
    first = search.encoder.embed_photos([Image.open(search.photos[3].path)])[0]
    assert search.nearest(first, 1)[0].number == 3


def test_a_new_calibration_needs_no_new_embeddings(
    tiny_checkpoint: Checkpoint, photo_folder: Path, tmp_path: Path
) -> None:
    folder, photos = tmp_path / "gallery", photos_in(photo_folder)
    build_gallery(tiny_checkpoint, photos, folder)
    calibration = Calibration(temperature=1.5, error=0.1, least_similarity=0.4)
    replace(tiny_checkpoint.manifest, calibration=calibration).save(tiny_checkpoint.folder)
    calibrated = Checkpoint.open(tiny_checkpoint.folder)
    assert not gallery_is_current(folder, calibrated, photos)
    built = build_gallery(calibrated, photos, folder)
    assert counts(built) == (0, 0, 6, 0, 0)
    assert Checkpoint.open(folder).manifest.calibration == calibration
    assert gallery_is_current(folder, calibrated, photos)


def assert_same(one: Checkpoint, other: Checkpoint) -> None:
    """Two galleries have the same photos, embeddings, map, thumbnails and search results."""
    assert one.manifest.photos == other.manifest.photos
    for name in (EMBEDDINGS, LAYOUT):
        assert (one.folder / name).read_bytes() == (other.folder / name).read_bytes()
    first, second = SketchSearch.load(one.folder), SketchSearch.load(other.folder)
    assert first.query(fish(), 48) == second.query(fish(), 48)
    for number in range(len(first.photos)):
        assert first.thumbnail(number).read_bytes() == second.thumbnail(number).read_bytes()


def test_only_what_changed_is_embedded_and_the_result_is_that_of_a_fresh_build(
    tiny_checkpoint: Checkpoint, photo_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "gallery"
    first = build_gallery(tiny_checkpoint, photos_in(photo_folder), folder)
    assert counts(first) == (6, 0, 0, 0, 6)
    again = build_gallery(tiny_checkpoint, photos_in(photo_folder), folder)
    assert counts(again) == (0, 0, 6, 0, 0)
    assert again.checkpoint.folder == first.checkpoint.folder

    draw_photo(photo_folder / "a" / "deep" / "aardvark" / "new.png", "brown")  # new
    draw_photo(photo_folder / "blue_whale" / "1.jpg", "teal")  # changed
    (photo_folder / "red_panda" / "2.jpg").unlink()  # removed
    os.utime(photo_folder / "blue_whale" / "0.jpg", (1, 1))  # only touched
    moved = photo_folder / "panda" / "0.jpg"  # removed here and new there, with the same content
    moved.parent.mkdir()
    (photo_folder / "red_panda" / "0.jpg").rename(moved)
    photos = photos_in(photo_folder)
    updated = build_gallery(tiny_checkpoint, photos, folder)
    assert counts(updated) == (2, 1, 3, 2, 2)
    fresh = build_gallery(tiny_checkpoint, photos, tmp_path / "fresh")
    assert counts(fresh) == (6, 0, 0, 0, 6)
    assert_same(updated.checkpoint, fresh.checkpoint)
    assert [photo.label for photo in fresh.checkpoint.manifest.photos] == [
        *("aardvark", "blue whale", "blue whale", "blue whale", "panda", "red panda")
    ]


def test_another_encoder_embeds_everything_again(
    tiny_checkpoint: Checkpoint, photo_folder: Path, tmp_path: Path
) -> None:
    photos, folder = photos_in(photo_folder), tmp_path / "gallery"
    build_gallery(tiny_checkpoint, photos, folder)
    other = make_checkpoint(tmp_path / "other", seed=1)
    built = build_gallery(other, photos, folder)
    assert counts(built) == (6, 0, 0, 0, 6)
    assert_same(built.checkpoint, build_gallery(other, photos, tmp_path / "fresh").checkpoint)


def test_files_with_the_same_content_are_named_and_left_out(
    tiny_checkpoint: Checkpoint, photo_folder: Path, tmp_path: Path
) -> None:
    original, copy = photo_folder / "red_panda" / "0.jpg", photo_folder / "zebra" / "copy.jpg"
    copy.parent.mkdir()
    copy.write_bytes(original.read_bytes())
    built = build_gallery(tiny_checkpoint, photos_in(photo_folder), tmp_path / "gallery")
    assert built.left_out == [LeftOut(SAME, str(copy), f" = {original}")]
    assert counts(built) == (6, 0, 0, 0, 6)
    original.unlink()
    built = build_gallery(tiny_checkpoint, photos_in(photo_folder), tmp_path / "gallery")
    assert built.left_out == []
    assert counts(built) == (1, 0, 5, 1, 0)
    assert built.checkpoint.manifest.photos[-1].label == "zebra"


def test_a_lost_thumbnail_is_made_again(
    tiny_checkpoint: Checkpoint, photo_folder: Path, tmp_path: Path
) -> None:
    photos, folder = photos_in(photo_folder), tmp_path / "gallery"
    built = build_gallery(tiny_checkpoint, photos, folder)
    lost = built.checkpoint.folder / THUMBNAILS / "4.webp"
    data = lost.read_bytes()
    lost.unlink()
    again = build_gallery(tiny_checkpoint, photos, folder)
    assert counts(again) == (0, 0, 6, 0, 1)
    assert (again.checkpoint.folder / THUMBNAILS / "4.webp").read_bytes() == data


def test_a_version_is_kept_while_it_is_open_and_deleted_afterwards(
    tiny_checkpoint: Checkpoint, photo_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "gallery"
    build_gallery(tiny_checkpoint, photos_in(photo_folder), folder)
    reader = SketchSearch.load(folder)
    pixels = Image.open(reader.thumbnail(3)).convert("RGB").tobytes()
    for hue in ("teal", "olive"):
        draw_photo(photo_folder / "blue_whale" / "0.jpg", hue)
        build_gallery(tiny_checkpoint, photos_in(photo_folder), folder)
    assert Image.open(reader.thumbnail(3)).convert("RGB").tobytes() == pixels
    assert len(reader.query(fish(), 6)) == 6
    assert len(list(folder.glob("version-*"))) == 2
    del reader
    build_gallery(tiny_checkpoint, photos_in(photo_folder), folder)
    assert len(list(folder.glob("version-*"))) == 1


def test_photos_of_phones_are_indexed(tiny_checkpoint: Checkpoint, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    phone = {"format": "HEIF", "exif": exif.tobytes()}
    draw_photo(tmp_path / "photos" / "cat" / "IMG_1.HEIC", "red", **phone)
    draw_photo(tmp_path / "photos" / "cat" / "IMG_2.webp", "navy")
    draw_photo(tmp_path / "photos" / "cat" / "._IMG_2.webp", "green")  # written by a file manager
    photos = photos_in(tmp_path / "photos")
    built = build_gallery(tiny_checkpoint, photos, tmp_path / "gallery").checkpoint
    assert [Path(photo.path).name for photo in photos] == ["IMG_1.HEIC", "IMG_2.webp"]
    with Image.open(built.folder / THUMBNAILS / "0.webp") as small:
        assert small.size == (60, 80)
        assert not small.getexif()
    # The same picture, turned by hand.
    turned = draw_photo(tmp_path / "disk.png", "red")
    upright = Image.open(turned).transpose(Image.Transpose.ROTATE_270)
    expected = built.encoder().embed_photos([upright])[0]
    found = np.load(built.folder / EMBEDDINGS)[0]
    assert float(expected @ found) > 0.99


def test_thumbnails_of_a_gallery_among_the_photos_are_no_photos(
    tiny_checkpoint: Checkpoint, photo_folder: Path
) -> None:
    folder = photo_folder / "gallery"
    build_gallery(tiny_checkpoint, photos_in(photo_folder), folder)
    assert len(photos_in(photo_folder)) == 12
    assert counts(build_gallery(tiny_checkpoint, photos_in(photo_folder), folder))[:3] == (0, 0, 6)


def test_a_damaged_pointer_is_named_and_built_anew(
    tiny_checkpoint: Checkpoint, photo_folder: Path, tmp_path: Path
) -> None:
    photos, folder = photos_in(photo_folder)[:1], tmp_path / "gallery"
    build_gallery(tiny_checkpoint, photos, folder)
    for damage in ("../../etc", "", "version-gone", "version-x/../..", "\xff"):
        (folder / "current").write_text(damage, encoding="latin-1")
        with pytest.raises(CheckpointError, match="current"):
            SketchSearch.load(folder)
    build_gallery(tiny_checkpoint, photos, folder)
    assert len(SketchSearch.load(folder).photos) == 1


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_gallery_of_a_few_photos_has_a_map_with_a_place_for_a_drawing(
    tiny_checkpoint: Checkpoint, photo_folder: Path, tmp_path: Path, count: int
) -> None:
    build_gallery(tiny_checkpoint, photos_in(photo_folder)[:count], tmp_path / "gallery")
    search = SketchSearch.load(tmp_path / "gallery")
    assert search.positions.shape == (count, 2)
    x, y = search.place(search.query(fish())) or (-1, -1)
    assert 0 <= x <= 1
    assert 0 <= y <= 1
    assert search.place([]) is None


def test_a_folder_without_permission_is_named(
    tiny_checkpoint: Checkpoint, photo_folder: Path, tmp_path: Path
) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0)
    photos = photos_in(photo_folder)
    me = os.geteuid()
    for place in (tmp_path, *tmp_path.parents[:2]):
        place.chmod(0o755)
    os.seteuid(me or 65534)  # root may read everything
    try:
        for place in (private, private / "zoo"):
            with pytest.raises(GalleryError, match=r"private.* cannot be written: Permission"):
                build_gallery(tiny_checkpoint, photos, place)
            assert not gallery_is_current(place, tiny_checkpoint, photos)
    finally:
        os.seteuid(me)
        private.chmod(0o700)


def test_a_photo_that_is_too_long_and_narrow_is_named_and_left_out(
    tiny_checkpoint: Checkpoint, photo_folder: Path, tmp_path: Path
) -> None:
    Image.new("RGB", (65_000, 64), "red").save(photo_folder / "long.png")
    built = build_gallery(tiny_checkpoint, photos_in(photo_folder), tmp_path / "zoo")
    (left_out,) = built.left_out
    assert left_out.path.endswith("long.png")
    assert "long.png is 65000 x 64 pixels, which is too long and narrow" in left_out.more
    assert len(built.checkpoint.manifest.photos) == 6


def test_a_folder_of_unreadable_photos_leaves_nothing_behind(
    tiny_checkpoint: Checkpoint, tmp_path: Path
) -> None:
    (tmp_path / "broken.jpg").write_text("no")
    with pytest.raises(GalleryError, match="None of the photos"):
        build_gallery(tiny_checkpoint, [Photo(str(tmp_path / "broken.jpg"), "x")], tmp_path / "g")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["broken.jpg", "checkpoint"]
