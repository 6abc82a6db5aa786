import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from model.errors import EmptySketchError, ImageError
from model.pictures.framing import MARGIN, MIN_LINE, frame_box, frame_ink, frame_photo, frame_sketch
from model.pictures.paper import find_ink
from tests.harness.pictures import fish


def difference(a: np.ndarray, b: np.ndarray) -> float:
    """Sum of the differences in grey levels, relative to the ink of the first frame."""
    ink = (255 - a.astype(float)).sum()
    return float(np.abs(a.astype(float) - b.astype(float)).sum() / ink)


def test_ink_fills_the_frame_but_for_the_margin() -> None:
    frame = frame_sketch(fish(), 128)
    columns = np.flatnonzero((frame < 128).any(axis=0))
    width = (columns[-1] - columns[0] + 1) / 128
    assert frame.shape == (128, 128)
    assert width == pytest.approx(1 / (1 + 2 * MARGIN), abs=0.03)


def test_the_frame_is_found_on_the_page() -> None:
    page = Image.new("L", (600, 400), 255)
    page.paste(fish(), (340, 140))
    left, top, side = frame_box(find_ink(page))
    cut = page.transform(
        (128, 128),
        Image.Transform.EXTENT,
        (left, top, left + side, top + side),
        Image.Resampling.BICUBIC,
        fillcolor=255,
    )
    assert difference(frame_sketch(page, 128), np.asarray(cut)) < 0.35
    moved = page.transform(
        (128, 128),
        Image.Transform.EXTENT,
        (left + 12, top, left + 12 + side, top + side),
        Image.Resampling.BICUBIC,
        fillcolor=255,
    )
    assert difference(frame_sketch(page, 128), np.asarray(moved)) > 1


def test_a_drawing_moved_into_a_corner_gives_the_same_frame() -> None:
    corner = Image.new("L", (600, 400), 255)
    corner.paste(fish(), (340, 140))
    assert difference(frame_sketch(fish(), 64), frame_sketch(corner, 64)) < 0.02


def test_light_lines_on_a_dark_ground_are_inverted() -> None:
    inverted = ImageOps.invert(fish())
    assert np.array_equal(frame_sketch(inverted, 64), frame_sketch(fish(), 64))


def test_known_ink_gives_the_frame_of_the_drawing() -> None:
    drawing = fish().point(lambda tone: 255 * (tone > 127))
    assert np.array_equal(frame_ink(ImageOps.invert(drawing), 64), frame_sketch(drawing, 64))
    with pytest.raises(EmptySketchError):
        frame_ink(Image.new("L", (300, 300), 0), 64)


@pytest.mark.parametrize("edge", [20, 0])
def test_a_drawing_that_is_nearly_all_ink_is_no_photo_of_a_drawing(edge: int) -> None:
    ink = Image.new("L", (384, 384), 0)
    disc = ImageDraw.Draw(ink)
    disc.ellipse((edge, edge, 383 - edge, 383 - edge), fill=255)
    disc.ellipse((230, 120, 270, 160), fill=0)
    assert np.mean(np.asarray(ink) > 0) > 0.5
    frame = frame_ink(ink, 64)
    inner = (np.pi / 4 - np.pi * (20 / (384 - 2 * edge)) ** 2) / (1 + 2 * MARGIN) ** 2
    assert np.mean(frame < 128) == pytest.approx(inner, abs=0.02)
    left, top, side = frame_box(ink)
    assert (left + side / 2, top + side / 2) == pytest.approx((192, 192), abs=1)


@pytest.mark.parametrize("bare", [0, 1])
def test_lines_wiped_out_of_a_page_full_of_ink_are_inverted(bare: int) -> None:
    full = Image.new("L", (400, 400), 255)
    wiped = ImageOps.invert(fish().point(lambda tone: 255 * (tone > 127)))
    full.paste(ImageOps.invert(wiped), (60, 90))
    full.paste(0, (0, 400 - bare, 400, 400))
    wanted = Image.new("L", (400, 400), 0)
    wanted.paste(wiped, (60, 90))
    if bare:  # then the row counts as a line
        wanted.paste(255, (0, 399, 400, 400))
    assert np.array_equal(frame_ink(full, 64), frame_ink(wanted, 64))


def test_hair_lines_on_a_large_page_are_as_wide_as_min_line() -> None:
    page = Image.new("L", (2000, 2000), 255)
    ImageDraw.Draw(page).rectangle((200, 200, 1800, 1800), outline=0, width=2)
    frame = frame_sketch(page, 64)
    row = (255 - frame[32].astype(float)) / 255
    assert row[:32].sum() == pytest.approx(MIN_LINE, abs=0.8)
    assert row.max() > 0.6


@pytest.mark.parametrize("tone", [0, 255, 128])
def test_an_even_page_is_empty(tone: int) -> None:
    page = Image.new("L", (100, 100), tone)
    with pytest.raises(EmptySketchError, match="nothing on the page"):
        frame_sketch(page, 64)
    assert (frame_sketch(page, 64, allow_empty=True) == 255).all()


def test_a_drawing_on_a_very_long_strip_is_framed() -> None:
    page = Image.new("L", (20_000, 100), 255)
    ImageDraw.Draw(page).line((10, 50, 19_990, 50), fill=0, width=40)
    frame = frame_sketch(page, 64)
    assert 0.7 < (frame[32] < 128).mean() < 0.95


def test_a_dot_is_not_blown_up_to_the_whole_frame() -> None:
    page = Image.new("L", (200, 200), 255)
    page.putpixel((100, 100), 0)
    assert (frame_sketch(page, 64) < 128).mean() < 0.2


def test_a_tiny_drawing_is_refused() -> None:
    with pytest.raises(ImageError, match="1 x 1"):
        frame_sketch(Image.new("L", (1, 1)), 64)


def test_a_photo_is_squeezed_whole() -> None:
    photo = Image.new("RGB", (200, 100), "white")
    ImageDraw.Draw(photo).rectangle((100, 0, 199, 99), fill="red")
    frame = frame_photo(photo, 32)
    assert frame.shape == (32, 32, 3)
    assert frame[16, 4].tolist() == [255, 255, 255]
    assert frame[16, 28].tolist() == [255, 0, 0]
