"""Strokes, as they travel from the browser, to a picture: the one renderer of drawings."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from model.errors import SketchZooError
from model.images import flatten

MAX_STROKES = 1000
MAX_POINTS = 50_000
MAX_INK = 400.0
"""Pages that a drawing's lines could cover if none crossed another: the time to paint it."""

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
        StrokeError: another form, not a number, or over `MAX_STROKES`, `MAX_POINTS` or `MAX_INK`.
    """
    if not isinstance(payload, list) or len(payload) > MAX_STROKES:
        raise StrokeError(f"A drawing is a list of at most {MAX_STROKES} strokes.")
    kinds, lengths, everything = [], [], []
    try:
        for item in payload:
            kinds.append((min(max(_number(item["width"]), 0.001), 0.2), item.get("erase") is True))
            everything.extend(item["points"])
            lengths.append(len(item["points"]))
            if len(everything) > MAX_POINTS:
                raise StrokeError(
                    f"A drawing has at most {MAX_POINTS} points; clear and start again."
                )
        points = iter(_points(everything))
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise StrokeError(
            'A stroke looks like {"width": 0.012, "points": [[0.1, 0.2], [0.3, 0.4]]}, with '
            "coordinates from 0 to 1."
        ) from error
    strokes = [
        Stroke(tuple(islice(points, length)), *kind)
        for kind, length in zip(kinds, lengths, strict=True)
        if length
    ]
    if sum(map(_ink, strokes)) > MAX_INK:
        raise StrokeError(
            "That is too much for so wide a pen; take a finer one, or clear and start again."
        )
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
    if len(set(widths)) == 1:
        width = max(1, round(widths[0]))
        draw.line(points, colour, width)
        # Discs make the ends round, and cover the notches where the line turns.
        round_end, joint = widths[0] / 2, (width - 1) / 2
        turns = _turns(points, width)
        points = [points[0], *turns, points[-1]]
        radii = [round_end, *[joint] * len(turns), round_end]
    else:
        for i in range(1, len(points)):
            width = max(1, round((widths[i - 1] + widths[i]) / 2))
            draw.line(points[i - 1 : i + 1], colour, width)
        radii = [width / 2 for width in widths]
    for (x, y), radius in zip(points, radii, strict=True):
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)


def _turns(points: list[tuple[float, float]], width: int) -> list[tuple[float, float]]:
    """The points where a line of this width turns so far that its outer side lacks a pixel."""
    turns = []
    for (ax, ay), (x, y), (bx, by) in zip(points, points[1:], points[2:], strict=False):
        ahead = (x - ax) * (bx - x) + (y - ay) * (by - y)
        aside = (x - ax) * (by - y) - (y - ay) * (bx - x)
        if width * abs(aside) > 2 * ahead:
            turns.append((x, y))
    return turns


def _ground(paper: Image.Image) -> tuple[int, ...]:
    """The tone along the border of a picture, so that what is put around it is no edge."""
    pixels = np.asarray(paper)
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    return tuple(int(tone) for tone in np.median(edge, axis=0))


def _points(payload: list[Any]) -> list[tuple[float, float, float]]:
    """Points with their pressure, 1 where it is not given; kept within bounds."""
    if not payload:
        return []
    if len(set(map(len, payload))) > 1:
        payload = [(*point, 1.0) if len(point) == 2 else point for point in payload]
    numbers = np.array(payload, np.float64)
    if numbers.ndim != 2 or numbers.shape[1] not in (2, 3) or np.isnan(numbers).any():
        raise ValueError("not points")
    x, y = numbers[:, :2].clip(-1.0, 2.0).T.tolist()
    pressed = numbers.shape[1] == 3
    pressure = numbers[:, 2].clip(0.1, 2.0).tolist() if pressed else [1.0] * len(x)
    return list(zip(x, y, pressure, strict=True))


def _ink(stroke: Stroke) -> float:
    """At most the area in pages that a stroke paints, with the round joints of its points."""
    heaviest = stroke.width * max(pressure for _, _, pressure in stroke.points)
    length = sum(math.dist(a[:2], b[:2]) for a, b in itertools.pairwise(stroke.points))
    return heaviest * (length + heaviest * len(stroke.points))


def _number(value: Any) -> float:
    number = float(value)
    if math.isnan(number):
        raise ValueError("not a number")
    return number
