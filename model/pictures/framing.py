"""From a picture to the frame that the encoder sees: for training, indexing and the app.

A person draws small in a corner or fills the page, with a thin mouse line or a thick finger
line. `frame_sketch` takes most of that away: dark lines on white paper, cropped to the ink, and
no line thinner than about a pixel at the encoder's input size.
"""

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from model.errors import EmptySketchError
from model.pictures.decoding import check_size, flatten
from model.pictures.paper import find_ink, is_photographed, paper_tone

Pixels = NDArray[np.uint8]

MARGIN = 0.08
"""White border around the ink, as a share of the longer side of the ink."""

MIN_LINE = 1.5
"""Width in pixels, at the encoder's input size, below which lines are thickened."""

MEAN = (0.485, 0.456, 0.406)

STD = (0.229, 0.224, 0.225)

PREPROCESSING = {"margin": MARGIN, "min_line": MIN_LINE, "mean": list(MEAN), "std": list(STD)}
"""What a checkpoint depends on; saved in its manifest and compared when it is opened."""

_INK = 80
"""Stretched darkness, 0 to 255, from which a pixel counts as ink."""

_SMALLEST_DRAWING = 8
"""Pixels. A dot is framed as if it were this large, or it would fill the frame."""


def frame_sketch(image: Image.Image, size: int, *, allow_empty: bool = False) -> Pixels:
    """A drawing as the encoder sees it: grey, `(size, size)`, ink 0 on paper 255.

    Light lines on a dark ground are inverted, the drawing is cropped to its ink, padded to a
    square with a margin, its tones are stretched, and hair lines are thickened to `MIN_LINE`.

    Args:
        image: any size and mode; transparent means paper.
        size: side of the result in pixels.
        allow_empty: return blank paper for a drawing without ink instead of raising.

    Raises:
        EmptySketchError: the drawing is one even tone.
        ImageError: the drawing is too large or too small.
    """
    try:
        return frame_ink(find_ink(image), size)
    except EmptySketchError:
        if not allow_empty:
            raise
        return np.full((size, size), 255, np.uint8)


def frame_ink(ink: Image.Image, size: int) -> Pixels:
    """What `frame_sketch` makes of a drawing whose ink is known.

    Args:
        ink: from `find_ink` or `model.pictures.strokes.render_ink`.
        size: side of the result in pixels.

    Raises:
        EmptySketchError: there is no ink.
    """
    ink, box = _find_box(ink)
    return 255 - _fit(ink, box, size)


def frame_box(ink: Image.Image) -> tuple[float, float, float]:
    """Where on a drawing the frame of `frame_ink` lies: left, top and side in pixels.

    The frame may reach beyond the drawing.

    Raises:
        EmptySketchError: there is no ink.
    """
    _, (left, top, right, bottom) = _find_box(ink)
    side = max(right - left, bottom - top, _SMALLEST_DRAWING) * (1 + 2 * MARGIN)
    return (left + right - side) / 2, (top + bottom - side) / 2, side


def frame_photo(image: Image.Image, size: int) -> Pixels:
    """A photo as the encoder sees it: RGB, `(size, size, 3)`, 0 to 255.

    The whole photo is squeezed to a square, as the Sketchy Database does, so that no part of an
    animal is cut off.

    Raises:
        ImageError: the photo is too large or too small.
    """
    check_size(image, "the photo")
    rgb = flatten(image)
    return np.asarray(rgb.resize((size, size), Image.Resampling.BICUBIC, reducing_gap=3.0))


def _find_box(ink: Image.Image) -> tuple[Image.Image, tuple[int, int, int, int]]:
    """The ink, and left, top, right, bottom of its pixels.

    Raises:
        EmptySketchError: there is none.
    """
    tones = np.asarray(ink)
    if paper_tone(tones) > 127 and not is_photographed(tones):
        # Strokes may have made a dark ground, out of which lines were wiped.
        ink, tones = ImageOps.invert(ink), 255 - tones
    box = _ink_box(tones)
    if box is None:
        raise EmptySketchError("There is nothing on the page yet. Draw a line to start.")
    return ink, box


def _ink_box(ink: Pixels) -> tuple[int, int, int, int] | None:
    """Left, top, right, bottom of the pixels that hold ink; None for a blank page."""
    columns = np.flatnonzero(ink.max(axis=0) > _INK)
    rows = np.flatnonzero(ink.max(axis=1) > _INK)
    if not len(columns):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _fit(ink: Image.Image, box: tuple[int, int, int, int], size: int) -> Pixels:
    """Crops to a square around `box` and scales it to `size`, keeping lines visible."""
    drawing = ink.crop(box)
    longest: float = max(*drawing.size, _SMALLEST_DRAWING)
    most = 2 * size / (1 + 2 * MARGIN)
    if longest > most:
        width, height = (max(1, round(length * most / longest)) for length in drawing.size)
        drawing = drawing.resize((width, height), Image.Resampling.BOX)
        longest = most
    working = round(longest * (1 + 2 * MARGIN))
    left, top = (working - drawing.width) // 2, (working - drawing.height) // 2
    lines = np.zeros((working, working), np.uint8)
    lines[top : top + drawing.height, left : left + drawing.width] = _stretch(drawing)
    grown = MIN_LINE * working / size - _line_width(lines)
    for _ in range(round(grown / 2)):
        lines = _thicken(lines)
    return _stretch(Image.fromarray(lines).resize((size, size), Image.Resampling.BILINEAR))


def _thicken(ink: Pixels) -> Pixels:
    """The darkest ink among each pixel and its eight neighbours."""
    for before, after in ((np.s_[:-1], np.s_[1:]), (np.s_[:, :-1], np.s_[:, 1:])):
        thick = ink.copy()
        np.maximum(thick[after], ink[before], out=thick[after])
        np.maximum(thick[before], ink[after], out=thick[before])
        ink = thick
    return ink


def _stretch(ink: Image.Image) -> Pixels:
    """Tones scaled so that the darkest ink is 255 again after shrinking has paled it."""
    tones = np.asarray(ink)
    deepest = max(int(tones.max()), 1)
    return tones if deepest == 255 else _stretched(deepest).take(tones)


@cache
def _stretched(deepest: int) -> Pixels:
    """What each tone becomes when this one becomes 255."""
    return np.array([min(255, round(tone * 255 / deepest)) for tone in range(256)], np.uint8)


def _line_width(ink: Pixels) -> float:
    """Mean width of the lines in pixels: area over length, the length by Crofton's formula.

    A curve of length l crosses the grid's rows and columns 4l/pi times on average; an outline
    has two sides.
    """
    mask = ink > _INK
    down, across = mask[1:] != mask[:-1], mask[:, 1:] != mask[:, :-1]
    crossings = int(down.sum()) + int(across.sum())
    return 8 / math.pi * int(mask.sum()) / max(crossings, 1)
