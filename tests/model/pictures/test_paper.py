"""Photos of drawings on paper give the same frames as the drawings."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from model.pictures.framing import frame_sketch
from model.pictures.paper import CLEAN_SIDE, clean_page, find_ink
from tests.harness.pictures import fish


def difference(a: np.ndarray, b: np.ndarray) -> float:
    """Sum of the differences in grey levels, relative to the ink of the first frame."""
    ink = (255 - a.astype(float)).sum()
    return float(np.abs(a.astype(float) - b.astype(float)).sum() / ink)


def test_pale_pencil_on_grey_paper_gives_black_on_white() -> None:
    frame = frame_sketch(fish(ink=150, paper=220), 64)
    assert frame.max() == 255
    assert frame.min() <= 5


def photographed(drawing: Image.Image, light: float, seed: int) -> Image.Image:
    """A drawing under uneven light, with camera noise."""
    random = np.random.default_rng(seed)
    shade = np.linspace(1, light, drawing.width) * np.linspace(1, light, drawing.height)[:, None]
    noisy = np.asarray(drawing, float) * shade + random.normal(
        0, 4, (drawing.height, drawing.width)
    )
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize(
    ("ink", "paper"), [(90, 235), (140, 225), (210, 60)], ids=["pencil", "pale", "chalk"]
)
def test_a_photo_of_a_drawing_gives_the_frame_of_the_drawing(ink: int, paper: int) -> None:
    clean = frame_sketch(fish(512, 6), 64)
    for seed, light in enumerate((1.0, 0.8, 0.6)):
        photo = photographed(fish(512, 6, ink, paper), light, seed)
        assert difference(clean, frame_sketch(photo, 64)) < 0.25
        assert difference(clean, frame_sketch(photo.resize((1500, 1500)), 64)) < 0.25


def test_a_photo_of_a_drawing_is_cleaned_and_a_clean_drawing_left_alone() -> None:
    photo = photographed(fish(2000, 24, 90, 235), 0.6, 0)
    page = clean_page(photo)
    assert page is not None
    assert page.size == (CLEAN_SIDE, CLEAN_SIDE)
    tones = np.asarray(page)
    drawn = np.asarray(fish(2000, 24).resize(page.size)) < 100
    assert (tones > 250).mean() > 0.9
    assert np.median(tones[drawn]) < 40
    assert np.median(tones[~drawn]) == 255
    assert clean_page(fish()) is None
    assert clean_page(ImageOps.invert(fish())) is None


def test_a_long_drawing_on_paper_has_ink() -> None:
    page = Image.new("L", (900, 90), 235)
    for left in range(50, 850, 80):
        ImageDraw.Draw(page).line([(left, 20), (left + 40, 70)], 60, 4)
    ink = np.asarray(find_ink(photographed(page, 0.8, 0)))
    lines = np.asarray(page) < 150
    assert (ink[lines] > 100).mean() > 0.8
    assert (ink[~lines] > 100).mean() < 0.02


def test_the_table_around_the_paper_is_no_ink() -> None:
    sheet = fish(700, 9, 90, 235).rotate(4, Image.Resampling.BICUBIC, expand=True, fillcolor=95)
    photo = photographed(sheet.crop((20, 20, 730, 730)), 0.7, 0)
    straight = fish(700, 9).rotate(4, Image.Resampling.BICUBIC, fillcolor=255)
    assert difference(frame_sketch(straight, 64), frame_sketch(photo, 64)) < 0.5


def test_a_photo_of_blank_paper_is_empty() -> None:
    page = Image.new("L", (400, 400), 230)
    assert (frame_sketch(photographed(page, 0.5, 0), 64, allow_empty=True) == 255).all()
