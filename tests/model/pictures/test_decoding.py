from io import BytesIO
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.errors import ImageError
from model.pictures.colours import flatten
from model.pictures.decoding import MAX_PIXELS, open_image
from tests.harness.pictures import fish, huge_png


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"this is no picture", "cannot be read as a picture"),
        (encoded(fish(), "PNG")[:400], "cannot be read as a picture"),
        (encoded(fish(), "JPEG")[:600], "cannot be read as a picture"),
        (huge_png(30_000), "far too large; the limit is 50 million pixels"),
        (encoded(Image.new("L", (1, 1)), "PNG"), "1 x 1 pixels; both sides need at least 8"),
        (b"", "cannot be read as a picture"),
    ],
)
def test_the_error_for_a_bad_picture_names_it_and_the_remedy(
    data: bytes, said: str, tmp_path: Path
) -> None:
    file = tmp_path / "drawing.png"
    file.write_bytes(data)
    with pytest.raises(ImageError, match=said) as caught:
        open_image(file)
    assert "drawing.png" in str(caught.value)
    with pytest.raises(ImageError, match=said):
        open_image(data)


@pytest.mark.parametrize("kind", [2, 5, 7, 10, 11, 12])
def test_a_tiff_with_offsets_that_are_not_numbers_is_refused(kind: int) -> None:
    data = bytearray(encoded(fish(), "TIFF"))
    start = int.from_bytes(data[4:8], "little")
    entries = int.from_bytes(data[start : start + 2], "little")
    for entry in range(start + 2, start + 2 + 12 * entries, 12):
        if int.from_bytes(data[entry : entry + 2], "little") == 273:  # StripOffsets
            data[entry + 2 : entry + 4] = kind.to_bytes(2, "little")
            break
    else:
        pytest.fail("no StripOffsets")
    with pytest.raises(ImageError, match="cannot be read as a picture"):
        open_image(bytes(data), "drawing.tif")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"gone\.png"):
        open_image(tmp_path / "gone.png")


def test_a_file_over_the_byte_limit_is_refused_unread(tmp_path: Path) -> None:
    file = tmp_path / "large.png"
    with file.open("wb") as sparse:
        sparse.truncate(31_000_000)
    with pytest.raises(ImageError, match="31 MB; the limit is 30 MB"):
        open_image(file)


def test_the_pixel_limit_allows_phone_photos() -> None:
    assert MAX_PIXELS > 48_000_000


def test_an_animation_gives_its_first_frame() -> None:
    frames = [fish(), Image.new("L", (256, 256), 255)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert np.array_equal(np.asarray(open_image(data).convert("L")), np.asarray(fish()))


def test_exif_orientation_is_applied() -> None:
    photo = Image.new("RGB", (40, 20), "white")
    exif = Image.Exif()
    exif[0x0112] = 6
    assert open_image(encoded(photo, "JPEG", exif=exif)).size == (20, 40)


def test_tones_from_0_to_1_are_not_black() -> None:
    tones = np.linspace(0, 1, 30 * 40, dtype=np.float32).reshape(30, 40)
    shown = np.asarray(flatten(Image.fromarray(tones)))[..., 0]
    assert np.abs(shown - 255 * tones).max() <= 1


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F"])
def test_every_mode_becomes_rgb_with_its_tones(mode: str) -> None:
    grey = fish(32)
    if mode == "I;16":
        wide = (np.asarray(grey).astype(np.uint16) * 257).tobytes()
        image = Image.frombytes("I;16", grey.size, wide)
    else:
        image = (grey.convert("RGB") if mode == "CMYK" else grey).convert(mode)
    flat = np.asarray(flatten(image).convert("L")).astype(int)
    assert np.abs(flat - np.asarray(grey).astype(int)).max() <= 2


def test_transparency_is_paper() -> None:
    page = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    page.putpixel((3, 4), (0, 0, 0, 255))
    flat = np.asarray(flatten(page))
    assert tuple(flat[4, 3]) == (0, 0, 0)
    assert tuple(flat[0, 0]) == (255, 255, 255)


def test_a_large_picture_is_decoded_in_a_forked_process_too(tmp_path: Path) -> None:
    Image.new("RGB", (2100, 2000), "red").save(tmp_path / "large.png")
    assert open_image(tmp_path / "large.png").width == 1600
    child = get_context("fork").Process(target=open_image, args=(tmp_path / "large.png",))
    child.start()
    child.join(60)
    is_done = not child.is_alive()
    child.kill()
    assert is_done
    assert child.exitcode == 0
