"""From a picture to the frame that the encoder sees: for training, indexing and the app.

A person draws small in a corner or fills the page, with a thin mouse line or a thick finger
line. `frame_sketch` takes most of that away: dark lines on white paper, cropped to the ink, and
no line thinner than about a pixel at the encoder's input size.
"""

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps
from scipy import ndimage

from model.errors import EmptySketchError
from model.pictures.decoding import check_size, flatten, is_transparent

Pixels = NDArray[np.uint8]

MARGIN = 0.08
"""White border around the ink, as a share of the longer side of the ink."""

MIN_LINE = 1.5
"""Width in pixels, at the encoder's input size, below which lines are thickened."""

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)

PREPROCESSING = {"margin": MARGIN, "min_line": MIN_LINE, "mean": list(MEAN), "std": list(STD)}
"""What a checkpoint depends on; saved in its manifest and compared when it is opened."""

CLEAN_SIDE = 1280
"""Pixels. The page that is made of a photo of a drawing is no larger."""

_INK = 80
"""Stretched darkness, 0 to 255, from which a pixel counts as ink."""

_FAINTEST = 24
"""A page whose darkest pixel differs from the paper by less grey levels than this is blank."""

_LIGHT = 160
"""Grey level from which ink is hard to see on white paper."""

_SPECKS = 0.01
"""Share of a drawing's visible pixels that may be darker, and it is light lines still."""

_EVEN = 2
"""Grey levels by which clean paper may differ from its own tone."""

_LEAST_EVEN = 0.5
"""Share of a page with such paper below which it is taken for a photo of a drawing."""

_COARSE = 64
"""Side in pixels of the page at which the paper of a photo is found."""

_CLOSED = 9
"""Pixels of the coarse page up to which what is dark counts as drawn."""

_DEEPEST = 0.995
"""Quantile of the darkness of a photo that counts as the deepest ink."""

_FAINT = 0.2
"""Share of the deepest ink of a photo below which it is paper."""

_TABLE_SIDE = 192
"""Side in pixels, at least, at which what lies around the paper in a photo is looked for."""

_TABLE_DARKNESS = 0.15
"""Share of the paper's light that is missing where something else may lie."""

_TABLE_THICK = 3
"""Half of the width in such pixels from which it is no line."""

_SLIVER = 12
"""Width of the edge in such pixels that nothing is drawn in alone."""

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


def find_ink(image: Image.Image) -> Image.Image:
    """Where a drawing has ink, and how deep: grey, 0 for paper and 255 for the deepest.

    Light lines on a dark ground are ink, too. Uneven light on paper that was photographed is not.

    Args:
        image: any size and mode; transparent means paper.

    Raises:
        ImageError: the drawing is too large or too small.
    """
    check_size(image, "the drawing")
    return Image.fromarray(_ink(_grey(image)))


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


def clean_page(image: Image.Image) -> Image.Image | None:
    """A drawing with its paper made white and its ink black, where it needs that to be seen.

    That is a photo of a drawing on paper, or light lines on nothing.

    Args:
        image: any size and mode.

    Returns:
        Grey, at most `CLEAN_SIDE` pixels a side; None for a drawing that is fine as it is.

    Raises:
        ImageError: the picture is too large or too small.
    """
    check_size(image, "the drawing")
    light = _on_black(image)
    grey = ImageOps.invert(light) if light else flatten(image).convert("L")
    grey.thumbnail((CLEAN_SIDE, CLEAN_SIDE), reducing_gap=3.0)
    if _is_photographed(np.asarray(grey)):
        return Image.fromarray(255 - _ink_of_photo(grey))
    return grey if light else None


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


def _grey(image: Image.Image) -> Image.Image:
    """Any mode to grey; a picture that is grey and opaque is returned as it is."""
    if image.mode == "L" and "transparency" not in image.info:
        return image
    return _on_black(image) or flatten(image).convert("L")


def _on_black(image: Image.Image) -> Image.Image | None:
    """Light lines on nothing, as dark-mode drawing apps save them, on black paper in grey.

    None for any other drawing: on white paper, more than `_SPECKS` of what is visible shows.
    """
    if not is_transparent(image):
        return None
    whole = image.convert("RGBA")
    grey, alpha = whole.convert("RGB").convert("L"), whole.getchannel("A")
    visible = np.asarray(alpha) > 127
    dark = visible & (np.asarray(grey) < _LIGHT)
    if not visible.any() or np.count_nonzero(dark) > _SPECKS * np.count_nonzero(visible):
        return None
    return Image.composite(grey, Image.new("L", grey.size, 0), alpha)


def _is_photographed(tones: Pixels) -> bool:
    """Whether the paper of a drawing has so many tones that a camera has seen it."""
    paper = _paper(tones)
    even = tones >= max(0, paper - _EVEN)
    if paper + _EVEN < 255:
        even &= tones <= paper + _EVEN
    return bool(np.count_nonzero(even) < _LEAST_EVEN * tones.size)


def _paper(tones: Pixels) -> int:
    """The usual tone along the edge of a page."""
    edge = np.concatenate([tones[0], tones[-1], tones[:, 0], tones[:, -1]])
    edge.sort()  # For bytes faster than np.median, which is the mean of these two.
    return (int(edge[(len(edge) - 1) // 2]) + int(edge[len(edge) // 2])) // 2


def _ink(grey: Image.Image) -> Pixels:
    """Darkness against the paper, stretched to 0 to 255; light lines on a dark ground inverted."""
    tones = np.asarray(grey)
    if _is_photographed(tones):
        return _ink_of_photo(grey)
    paper = _paper(tones)
    if paper < 128:
        tones, paper = 255 - tones, 255 - paper
    # On white paper there is nothing to clip, which would take longer than all the rest.
    lit = tones if paper == 255 else np.minimum(tones, np.uint8(paper))
    darkness = np.uint8(paper) - lit
    deepest = int(darkness.max())
    if deepest < _FAINTEST:
        return np.zeros_like(tones)
    if deepest < 255:
        darkness = (darkness * (255 / deepest)).astype(np.uint8)
    ink: Pixels = darkness
    return ink


def _ink_of_photo(grey: Image.Image) -> Pixels:
    """The ink of a drawing on paper that was photographed: the light on it is uneven, and noisy.

    The paper's tone at each place is what remains when everything narrower than an eighth of the
    page is closed (Serra 1982); the ink is what is darker than that by more than the noise.
    """
    page = np.asarray(grey.filter(ImageFilter.GaussianBlur(max(grey.size) / 400)), np.float32)
    coarse = grey.copy()
    coarse.thumbnail((_COARSE, _COARSE), Image.Resampling.BOX)
    around = np.asarray(_smooth(coarse.filter(ImageFilter.MedianFilter(_CLOSED)), grey.size))
    lowest, highest = np.quantile(page - around, (1 - _DEEPEST, _DEEPEST))
    if highest > -lowest:
        page, coarse = 255 - page, ImageOps.invert(coarse)
    closed = coarse.filter(ImageFilter.MaxFilter(_CLOSED)).filter(ImageFilter.MinFilter(_CLOSED))
    paper = np.asarray(_smooth(closed, grey.size), np.float32)
    darkness = np.asarray(1 - page / np.maximum(paper, 1), np.float32)
    darkness -= np.median(darkness)
    darkness[_beside_the_paper(darkness)] = 0
    noise = 1.5 * float(np.median(np.abs(darkness)))
    deepest = float(np.quantile(darkness, _DEEPEST))
    floor = max(3 * noise, _FAINT * deepest)
    if deepest - floor < _FAINTEST / 255:
        return np.zeros(page.shape, np.uint8)
    return ((darkness - floor) * (255 / (deepest - floor))).clip(0, 255).astype(np.uint8)


def _beside_the_paper(darkness: NDArray[np.float32]) -> NDArray[np.bool_]:
    """The table that a photo shows around the paper: dark, thick, and at the edge of the photo."""
    height, width = darkness.shape
    step = max(1, max(height, width) // _TABLE_SIDE)
    dark = darkness[::step, ::step] > _TABLE_DARKNESS
    cores = ndimage.binary_erosion(dark, iterations=_TABLE_THICK, border_value=1)
    numbers, _ = ndimage.label(cores)
    edge = np.concatenate([numbers[0], numbers[-1], numbers[:, 0], numbers[:, -1]])
    table = np.isin(numbers, np.setdiff1d(edge, 0))
    if table.any():
        table = ndimage.binary_dilation(table, iterations=_TABLE_THICK + 2)
    # Where the paper lies at an angle, slivers are left along the edge: nobody draws there alone.
    rows, columns = dark.shape
    sliver = min(_SLIVER, rows // 4, columns // 4)
    inner = np.zeros_like(dark)
    inner[sliver : rows - sliver, sliver : columns - sliver] = True
    numbers, _ = ndimage.label(dark & ~table)
    table |= ~inner & ~np.isin(numbers, np.setdiff1d(numbers[inner], 0))
    found: NDArray[np.bool_] = table.repeat(step, axis=0).repeat(step, axis=1)[:height, :width]
    return found


def _smooth(coarse: Image.Image, size: tuple[int, int]) -> Image.Image:
    return coarse.filter(ImageFilter.GaussianBlur(2)).resize(size, Image.Resampling.BICUBIC)


def _find_box(ink: Image.Image) -> tuple[Image.Image, tuple[int, int, int, int]]:
    """The ink, and left, top, right, bottom of its pixels.

    Raises:
        EmptySketchError: there is none.
    """
    tones = np.asarray(ink)
    if _paper(tones) > 127 and not _is_photographed(tones):
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
