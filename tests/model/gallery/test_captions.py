from dataclasses import replace
from pathlib import Path

from PIL import Image

from model.checkpoint.checkpoint import Checkpoint
from model.gallery.build import build_gallery
from model.gallery.photos import photos_in
from tests.model.gallery.small_photos import counts, draw_photo


def test_credits_and_licences_come_from_exif_unless_given(
    tiny_checkpoint: Checkpoint, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[0x013B] = "Zoë\n<b>Ångström</b>".encode()
    exif[0x8298] = "CC BY 4.0\0"
    draw_photo(tmp_path / "photos" / "1.jpg", "red", exif=exif)
    draw_photo(tmp_path / "photos" / "2.jpg", "navy", exif=exif)
    draw_photo(tmp_path / "photos" / "3.jpg", "green")
    plain = photos_in(tmp_path / "photos")
    photos = [plain[0], replace(plain[1], credit="A. Person"), plain[2]]
    built = build_gallery(tiny_checkpoint, photos, tmp_path / "gallery").checkpoint
    terms = [(photo.credit, photo.licence) for photo in built.manifest.photos]
    assert terms == [
        ("Zoë <b>Ångström</b>", "CC BY 4.0"),
        ("A. Person", "CC BY 4.0"),
        ("", ""),
    ]
    # The next build knows them without reading the files again.
    photos = [*plain[:2], replace(plain[2], label="frog")]
    again = build_gallery(tiny_checkpoint, photos, tmp_path / "gallery")
    assert counts(again) == (0, 0, 3, 0, 0)
    assert [(p.credit, p.label) for p in again.checkpoint.manifest.photos] == [
        *(("Zoë <b>Ångström</b>", "1"), ("Zoë <b>Ångström</b>", "2"), ("", "frog"))
    ]
