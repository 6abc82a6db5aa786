"""Strokes, as they travel from the browser, to a picture: the one renderer of drawings."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from model.errors import SketchZooError
from model.images import flatten

MAX_STROKES = 1000
MAX_POINTS = 50_000

_PAPER_SIDE = 384
"""Pixels. Drawings are rendered at this size, then framed for the encoder."""


class StrokeError(SketchZooError):
    """Strokes that are not of the documented form, or too many."""


@dataclass(frozen=True)
class Stroke:
    """A polyline in a unit square, y downwards.

    Attributes:
        points: x, y and the pressure there, which the width is multiplied by.
        width: as a share of the square's side.
        erase: whether it takes ink away instead of leaving some.
    """

    points: tuple[tuple[float, float, float], ...]
    width: float
    erase: bool = False


def parse_strokes(payload: Any) -> list[Stroke]:
    """Checks and converts `[{"width": w, "points": [[x, y], ...]}, ...]`.

    A point may have a pressure as third number, and a stroke `"erase": true`. Coordinates outside
    the page are kept within one page's distance of it.

    Raises:
        StrokeError: another form, not a number, or over `MAX_STROKES` or `MAX_POINTS`.
    """
    if not isinstance(payload, list) or len(payload) > MAX_STROKES:
        raise StrokeError(f"A drawing is a list of at most {MAX_STROKES} strokes.")
    strokes, count = [], 0
    for item in payload:
        try:
            width = min(max(_number(item["width"]), 0.001), 0.2)
            points = tuple(_point(*point) for point in item["points"])
            erase = item.get("erase", False) is True
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise StrokeError(
                'A stroke looks like {"width": 0.012, "points": [[0.1, 0.2], [0.3, 0.4]]}, with '
                "coordinates from 0 to 1."
            ) from error
        count += len(points)
        if count > MAX_POINTS:
            raise StrokeError(f"A drawing has at most {MAX_POINTS} points; clear and start again.")
        if points:
            strokes.append(Stroke(points, width, erase))
    return strokes


def render_strokes(strokes: Sequence[Stroke], paper: Image.Image | None = None) -> Image.Image:
    """Black strokes with round ends on white paper.

    Args:
        strokes: drawn in their order.
        paper: a picture to draw on, fitted into the page without distortion.

    Returns:
        A square picture: grey, or RGB where there is a `paper`.
    """
    side = _PAPER_SIDE
    if paper is None:
        page = Image.new("L", (side, side), 255)
    else:
        paper = flatten(paper)
        page = Image.new("RGB", (side, side), _ground(paper))
        scale = side / max(paper.size)
        width, height = (max(1, round(length * scale)) for length in paper.size)
        page.paste(paper.resize((width, height)), ((side - width) // 2, (side - height) // 2))
    draw = ImageDraw.Draw(page)
    ink: Any = 0 if paper is None else (0, 0, 0)
    ground: Any = 255 if paper is None else _ground(paper)
    for stroke in strokes:
        _paint(draw, stroke, ground if stroke.erase else ink, side)
    return page


def _paint(draw: ImageDraw.ImageDraw, stroke: Stroke, colour: Any, side: int) -> None:
    points = [(x * side, y * side) for x, y, _ in stroke.points]
    widths = [stroke.width * pressure * side for _, _, pressure in stroke.points]
    even = len(set(widths)) == 1
    if even:
        draw.line(points, colour, max(1, round(widths[0])), joint="curve")
    else:
        for i in range(1, len(points)):
            width = max(1, round((widths[i - 1] + widths[i]) / 2))
            draw.line(points[i - 1 : i + 1], colour, width)
    dots = (0, -1) if even else range(len(points))
    for i in dots:
        (x, y), radius = points[i], widths[i] / 2
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)


def _ground(paper: Image.Image) -> tuple[int, ...]:
    """The tone along the border of a picture, so that what is put around it is no edge."""
    pixels = np.asarray(paper)
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    return tuple(int(tone) for tone in np.median(edge, axis=0))


def _point(x: Any, y: Any, pressure: Any = 1.0) -> tuple[float, float, float]:
    return _coordinate(x), _coordinate(y), min(max(_number(pressure), 0.1), 2.0)


def _coordinate(value: Any) -> float:
    return min(max(_number(value), -1.0), 2.0)


def _number(value: Any) -> float:
    number = float(value)
    if math.isnan(number):
        raise ValueError("not a number")
    return number
