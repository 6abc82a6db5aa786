"""Tells ink from paper, in drawings and in photos of drawings on paper."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps
from scipy import ndimage

from model.pictures.colours import flatten, is_transparent
from model.pictures.decoding import check_size

CLEAN_SIDE = 1280
"""Maximum side in pixels of the page that `clean_page` makes of a photo."""

_MIN_CONTRAST = 24
"""Grey levels. A page whose darkest pixel differs less from the paper is blank."""

_LIGHT = 160
"""Grey level from which ink is hard to see on white paper."""

_SPECKS = 0.01
"""Share of the visible pixels of light lines that may be darker than `_LIGHT`."""

_EVEN = 2
"""Grey levels by which clean paper may differ from its usual tone."""

_MIN_EVEN_SHARE = 0.5
"""A page with a smaller share of such even paper counts as a photo of a drawing."""

_COARSE_SIDE = 64
"""Side in pixels to which a photo is shrunk to estimate its paper."""

_CLOSED = 9
"""Width in pixels of the shrunk photo up to which dark things count as ink."""

_DEEPEST = 0.995
"""Quantile of a photo's darkness that counts as the deepest ink."""

_FAINT = 0.2
"""Share of the deepest ink below which a pixel of a photo is paper."""

_TABLE_SIDE = 192
"""Minimum side in pixels at which a photo is searched for things around the paper."""

_TABLE_DARKNESS = 0.15
"""Darkness, relative to the paper, from which a pixel may belong to things around it."""

_TABLE_THICKNESS = 3
"""Half the width in these pixels from which something is too thick for a line."""

_SLIVER = 12
"""Width in these pixels of the edge. Something dark only there is not part of the drawing."""


def find_ink(image: Image.Image) -> Image.Image:
    """The ink of a drawing.

    Light lines on a dark ground also count as ink. Shadows on photographed paper do not.

    Args:
        image: a drawing of any size and mode; transparent parts are paper.

    Returns:
        A grey picture of the same size: 0 for paper, 255 for the deepest ink.

    Raises:
        ImageError: the drawing is too large or too small.
    """
    check_size(image, "the drawing")
    return Image.fromarray(_ink(_grey(image)))


def clean_page(image: Image.Image) -> Image.Image | None:
    """Turns a photo of a drawing, or light lines on a transparent ground, into black on white.

    Args:
        image: a picture of any size and mode.

    Returns:
        A grey picture with sides of at most `CLEAN_SIDE` pixels; None for any other drawing, which
        needs no cleaning.

    Raises:
        ImageError: the picture is too large or too small.
    """
    check_size(image, "the drawing")
    light = _on_black(image)
    grey = ImageOps.invert(light) if light else flatten(image).convert("L")
    grey.thumbnail((CLEAN_SIDE, CLEAN_SIDE), reducing_gap=3.0)
    if is_photographed(np.asarray(grey)):
        return Image.fromarray(255 - _photo_ink(grey))
    return grey if light else None


def _grey(image: Image.Image) -> Image.Image:
    """Converts any mode to grey. An opaque grey picture is returned as it is."""
    if image.mode == "L" and "transparency" not in image.info:
        return image
    return _on_black(image) or flatten(image).convert("L")


def _on_black(image: Image.Image) -> Image.Image | None:
    """Puts light lines on a transparent ground, from apps in dark mode, on black paper, in grey.

    Returns:
        None for any other drawing, where more than `_SPECKS` of the visible pixels are dark.
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


def is_photographed(tones: NDArray[np.uint8]) -> bool:
    """Whether the paper has so many different tones that the page must be a photo."""
    paper = paper_tone(tones)
    even = tones >= max(0, paper - _EVEN)
    if paper + _EVEN < 255:
        even &= tones <= paper + _EVEN
    return bool(np.count_nonzero(even) < _MIN_EVEN_SHARE * tones.size)


def paper_tone(tones: NDArray[np.uint8]) -> int:
    """The median tone along the edges of a page, from 0 to 255."""
    edge = np.concatenate([tones[0], tones[-1], tones[:, 0], tones[:, -1]])
    edge.sort()  # Faster than np.median for bytes. The median is the mean of the middle two.
    return (int(edge[(len(edge) - 1) // 2]) + int(edge[len(edge) // 2])) // 2


def _ink(grey: Image.Image) -> NDArray[np.uint8]:
    """Darkness relative to the paper, scaled to 0 to 255. Light lines on dark are inverted."""
    tones = np.asarray(grey)
    if is_photographed(tones):
        return _photo_ink(grey)
    paper = paper_tone(tones)
    if paper < 128:
        tones, paper = 255 - tones, 255 - paper
    # Clipping takes longer than everything else, and white paper does not need it.
    lit = tones if paper == 255 else np.minimum(tones, np.uint8(paper))
    darkness = np.uint8(paper) - lit
    deepest = int(darkness.max())
    if deepest < _MIN_CONTRAST:
        return np.zeros_like(tones)
    if deepest < 255:
        darkness = (darkness * (255 / deepest)).astype(np.uint8)
    ink: NDArray[np.uint8] = darkness
    return ink


def _photo_ink(grey: Image.Image) -> NDArray[np.uint8]:
    """The ink in a photo of a drawing, where the light is uneven and noisy.

    A morphological closing (Serra 1982) removes everything narrower than an eighth of the page.
    What remains is the local tone of the paper. Ink is darker than that by more than the noise.
    """
    page = np.asarray(grey.filter(ImageFilter.GaussianBlur(max(grey.size) / 400)), np.float32)
    coarse = grey.copy()
    coarse.thumbnail((_COARSE_SIDE, _COARSE_SIDE), Image.Resampling.BOX)
    around = np.asarray(_smooth(coarse.filter(ImageFilter.MedianFilter(_CLOSED)), grey.size))
    lowest, highest = np.quantile(page - around, (1 - _DEEPEST, _DEEPEST))
    if highest > -lowest:
        page, coarse = 255 - page, ImageOps.invert(coarse)
    closed = coarse.filter(ImageFilter.MaxFilter(_CLOSED)).filter(ImageFilter.MinFilter(_CLOSED))
    paper = np.asarray(_smooth(closed, grey.size), np.float32)
    darkness = np.asarray(1 - page / np.maximum(paper, 1), np.float32)
    darkness -= np.median(darkness)
    darkness[_around_paper(darkness)] = 0
    noise = 1.5 * float(np.median(np.abs(darkness)))
    deepest = float(np.quantile(darkness, _DEEPEST))
    floor = max(3 * noise, _FAINT * deepest)
    if deepest - floor < _MIN_CONTRAST / 255:
        return np.zeros(page.shape, np.uint8)
    return ((darkness - floor) * (255 / (deepest - floor))).clip(0, 255).astype(np.uint8)


def _around_paper(darkness: NDArray[np.float32]) -> NDArray[np.bool_]:
    """What a photo shows around the paper, such as a table: dark, thick and at the edge."""
    height, width = darkness.shape
    step = max(1, max(height, width) // _TABLE_SIDE)
    dark = darkness[::step, ::step] > _TABLE_DARKNESS
    cores = ndimage.binary_erosion(dark, iterations=_TABLE_THICKNESS, border_value=1)
    numbers, _ = ndimage.label(cores)
    edge = np.concatenate([numbers[0], numbers[-1], numbers[:, 0], numbers[:, -1]])
    table = np.isin(numbers, np.setdiff1d(edge, 0))
    if table.any():
        table = ndimage.binary_dilation(table, iterations=_TABLE_THICKNESS + 2)
    # If the paper lies at an angle, slivers remain along the edge. Nobody draws only there.
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
