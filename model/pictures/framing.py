"""Turns a picture into the frame that the encoder sees. Training, indexing and the app use this.

People draw in a small corner or fill the page, with a thin mouse or a thick finger. `frame_sketch`
removes most of these differences: it gives dark lines on white paper, cropped to the ink, and at
least about a pixel wide at the encoder's input size.
"""

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from model.errors import EmptySketchError
from model.pictures.colours import flatten
from model.pictures.decoding import check_size
from model.pictures.paper import find_ink, is_photographed, paper_tone

Pixels = NDArray[np.uint8]

MARGIN = 0.08
"""White border around the ink, relative to the longer side of the ink."""

MIN_LINE = 1.5
"""Width in pixels, at the encoder's input size, to which thinner lines are thickened."""

MEAN = (0.485, 0.456, 0.406)

STD = (0.229, 0.224, 0.225)
"""Mean and standard deviation of ImageNet's red, green and blue, from 0 to 1."""

PREPROCESSING = {"margin": MARGIN, "min_line": MIN_LINE, "mean": list(MEAN), "std": list(STD)}
"""What a checkpoint depends on. It is saved in the manifest and compared when it is opened."""

_INK = 80
"""Scaled darkness, from 0 to 255, above which a pixel counts as ink."""

_SMALLEST_DRAWING = 8
"""Pixels. Smaller drawings are framed as if they were this large; a dot must not fill the frame."""


def frame_sketch(image: Image.Image, size: int, *, allow_empty: bool = False) -> Pixels:
    """Turns a drawing into the frame that the encoder sees.

    Light lines on a dark ground are inverted. The drawing is cropped to its ink, padded to a square
    with a margin, and scaled. Its tones are stretched, and thin lines are thickened to `MIN_LINE`.

    Args:
        image: a drawing of any size and mode; transparent parts are paper.
        size: side of the frame in pixels.
        allow_empty: whether a drawing without ink gives blank paper instead of an error.

    Returns:
        Grey, `(size, size)`: 0 for ink, 255 for paper.

    Raises:
        EmptySketchError: the drawing has no ink.
        ImageError: the drawing is too large or too small.
    """
    try:
        return frame_ink(find_ink(image), size)
    except EmptySketchError:
        if not allow_empty:
            raise
        return np.full((size, size), 255, np.uint8)


def frame_ink(ink: Image.Image, size: int) -> Pixels:
    """The frame of a drawing whose ink is known; see `frame_sketch`.

    Args:
        ink: from `model.pictures.paper.find_ink` or `model.pictures.strokes.render_ink`.
        size: side of the frame in pixels.

    Returns:
        Grey, `(size, size)`: 0 for ink, 255 for paper.

    Raises:
        EmptySketchError: there is no ink.
    """
    ink, box = _find_box(ink)
    return 255 - _fit(ink, box, size)


def frame_box(ink: Image.Image) -> tuple[float, float, float]:
    """The part of a drawing that `frame_ink` shows: left, top and side in pixels.

    It may extend beyond the drawing.

    Raises:
        EmptySketchError: there is no ink.
    """
    _, (left, top, right, bottom) = _find_box(ink)
    side = max(right - left, bottom - top, _SMALLEST_DRAWING) * (1 + 2 * MARGIN)
    return (left + right - side) / 2, (top + bottom - side) / 2, side


def frame_photo(image: Image.Image, size: int) -> Pixels:
    """Turns a photo into the frame that the encoder sees.

    The whole photo is squeezed into a square, as in the Sketchy Database, so that no part of an
    animal is cut off.

    Args:
        image: a photo of any size and mode.
        size: side of the frame in pixels.

    Returns:
        RGB, `(size, size, 3)`, from 0 to 255.

    Raises:
        ImageError: the photo is too large or too small.
    """
    check_size(image, "the photo")
    rgb = flatten(image)
    return np.asarray(rgb.resize((size, size), Image.Resampling.BICUBIC, reducing_gap=3.0))


def _find_box(ink: Image.Image) -> tuple[Image.Image, tuple[int, int, int, int]]:
    """The ink, with light on dark inverted, and its left, top, right and bottom in pixels.

    Raises:
        EmptySketchError: there is no ink.
    """
    tones = np.asarray(ink)
    if paper_tone(tones) > 127 and not is_photographed(tones):
        # Strokes can fill the page, and the eraser can then draw light lines.
        ink, tones = ImageOps.invert(ink), 255 - tones
    box = _ink_box(tones)
    if box is None:
        raise EmptySketchError("There is nothing on the page yet. Draw a line to start.")
    return ink, box


def _ink_box(ink: Pixels) -> tuple[int, int, int, int] | None:
    """Left, top, right and bottom of the pixels with ink; None for a blank page."""
    columns = np.flatnonzero(ink.max(axis=0) > _INK)
    rows = np.flatnonzero(ink.max(axis=1) > _INK)
    if not len(columns):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _fit(ink: Image.Image, box: tuple[int, int, int, int], size: int) -> Pixels:
    """Crops to a square around `box` and scales it to `size`. Thin lines stay visible."""
    drawing = ink.crop(box)
    longest: float = max(*drawing.size, _SMALLEST_DRAWING)
    limit = 2 * size / (1 + 2 * MARGIN)
    if longest > limit:
        width, height = (max(1, round(length * limit / longest)) for length in drawing.size)
        drawing = drawing.resize((width, height), Image.Resampling.BOX)
        longest = limit
    working = round(longest * (1 + 2 * MARGIN))
    left, top = (working - drawing.width) // 2, (working - drawing.height) // 2
    lines = np.zeros((working, working), np.uint8)
    lines[top : top + drawing.height, left : left + drawing.width] = _stretch(drawing)
    missing = MIN_LINE * working / size - _line_width(lines)
    for _ in range(round(missing / 2)):
        lines = _thicken(lines)
    return _stretch(Image.fromarray(lines).resize((size, size), Image.Resampling.BILINEAR))


def _thicken(ink: Pixels) -> Pixels:
    """The deepest ink among each pixel and its eight neighbours."""
    for before, after in ((np.s_[:-1], np.s_[1:]), (np.s_[:, :-1], np.s_[:, 1:])):
        thick = ink.copy()
        np.maximum(thick[after], ink[before], out=thick[after])
        np.maximum(thick[before], ink[after], out=thick[before])
        ink = thick
    return ink


def _stretch(ink: Image.Image) -> Pixels:
    """Scales tones so that the deepest ink is 255 again after shrinking."""
    tones = np.asarray(ink)
    deepest = max(int(tones.max()), 1)
    return tones if deepest == 255 else _stretched(deepest).take(tones)


@cache
def _stretched(deepest: int) -> Pixels:
    """A table that scales tones so that this one becomes 255."""
    return np.array([min(255, round(tone * 255 / deepest)) for tone in range(256)], np.uint8)


def _line_width(ink: Pixels) -> float:
    """Mean width of the lines in pixels: their area divided by their length.

    The length comes from Crofton's formula: a curve of length l crosses the rows and columns of the
    pixel grid 4l/pi times on average. Every line has two sides.
    """
    mask = ink > _INK
    down, across = mask[1:] != mask[:-1], mask[:, 1:] != mask[:, :-1]
    crossings = int(down.sum()) + int(across.sum())
    return 8 / math.pi * int(mask.sum()) / max(crossings, 1)
