"""Ink and paper: where a drawing has ink, also in a photo of a drawing on paper."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps
from scipy import ndimage

from model.pictures.decoding import check_size, flatten, is_transparent

CLEAN_SIDE = 1280
"""NDArray[np.uint8]. The page that is made of a photo of a drawing is no larger."""

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
"""NDArray[np.uint8] of the coarse page up to which what is dark counts as drawn."""

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
    if is_photographed(np.asarray(grey)):
        return Image.fromarray(255 - _ink_of_photo(grey))
    return grey if light else None


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


def is_photographed(tones: NDArray[np.uint8]) -> bool:
    """Whether the paper of a drawing has so many tones that a camera has seen it."""
    paper = paper_tone(tones)
    even = tones >= max(0, paper - _EVEN)
    if paper + _EVEN < 255:
        even &= tones <= paper + _EVEN
    return bool(np.count_nonzero(even) < _LEAST_EVEN * tones.size)


def paper_tone(tones: NDArray[np.uint8]) -> int:
    """The usual tone along the edge of a page."""
    edge = np.concatenate([tones[0], tones[-1], tones[:, 0], tones[:, -1]])
    edge.sort()  # For bytes faster than np.median, which is the mean of these two.
    return (int(edge[(len(edge) - 1) // 2]) + int(edge[len(edge) // 2])) // 2


def _ink(grey: Image.Image) -> NDArray[np.uint8]:
    """Darkness against the paper, stretched to 0 to 255; light lines on a dark ground inverted."""
    tones = np.asarray(grey)
    if is_photographed(tones):
        return _ink_of_photo(grey)
    paper = paper_tone(tones)
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
    ink: NDArray[np.uint8] = darkness
    return ink


def _ink_of_photo(grey: Image.Image) -> NDArray[np.uint8]:
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
