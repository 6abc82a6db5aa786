"""Strokes: reads them as the browser sends them, and renders them to a picture."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw

from model.errors import SketchZooError
from model.pictures.colours import flatten

MAX_STROKES = 1000
MAX_POINTS = 50_000
MAX_INK = 400.0
"""Limit of the painted area in pages, without overlaps. It limits the time to render a drawing."""

_MIN_COORDINATE, _MAX_COORDINATE = -1.0, 2.0
"""Coordinates are clipped to one page around the page, which goes from 0 to 1."""

_MIN_WIDTH, _MAX_WIDTH = 0.001, 0.2
"""Range of widths, relative to the page's side."""

_MIN_PRESSURE, _MAX_PRESSURE = 0.1, 2.0

_PAGE_SIDE = 384
"""Side in pixels of a rendered page."""

_CACHED_PAGES = 256
"""Cached pages. Each holds all but the last stroke of a drawing, because only the last one grows.
A page takes 147 kB, or up to 440 kB with its strokes, which are the cache's key."""

_CACHED_POINTS = 2000
"""Points up to which a drawing's page is cached."""


class StrokeError(SketchZooError):
    """Strokes are not of the documented form, or there are too many."""


@dataclass(frozen=True)
class Stroke:
    """A polyline on a square page.

    Attributes:
        points: x, y and pressure of each point. The page goes from 0, 0 at the top left to 1, 1.
            The width is multiplied by the pressure.
        width: relative to the page's side.
        erase: whether the stroke removes ink.
        area: upper limit of the area in pages that it paints, including a disc for each point. The
            time to paint it grows with this.
    """

    points: tuple[tuple[float, float, float], ...]
    width: float
    erase: bool
    area: float


def parse_strokes(payload: Any) -> list[Stroke]:
    """Validates and converts `[{"width": w, "points": [[x, y], ...]}, ...]`.

    A point may have a pressure as its third number, and a stroke may have `"erase": true`.
    Coordinates, widths and pressures are clipped to their range.

    Raises:
        StrokeError: the form is wrong, or `MAX_STROKES`, `MAX_POINTS` or `MAX_INK` is exceeded.
    """
    if not isinstance(payload, list) or len(payload) > MAX_STROKES:
        raise StrokeError(f"A drawing is a list of at most {MAX_STROKES} strokes.")
    kinds, lengths, everything = [], [], []
    try:
        for item in payload:
            width = min(max(_number(item["width"]), _MIN_WIDTH), _MAX_WIDTH)
            kinds.append((width, item.get("erase") is True))
            everything.extend(item["points"])
            lengths.append(len(item["points"]))
            if len(everything) > MAX_POINTS:
                raise StrokeError(
                    f"A drawing has at most {MAX_POINTS} points. Clear it and start again."
                )
        points = _points(everything)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise StrokeError(
            'A stroke looks like {"width": 0.012, "points": [[0.1, 0.2], [0.3, 0.4]]}, with '
            "coordinates from 0 to 1."
        ) from error
    areas = _areas(points, lengths, [width for width, _ in kinds])
    if areas.sum() > MAX_INK:
        raise StrokeError(
            "The drawing has too much ink for such a wide pen. Take a finer one, or clear the page "
            "and start again."
        )
    each = zip(*points.T.tolist(), strict=True)
    return [
        Stroke(tuple(islice(each, length)), *kind, area)
        for kind, length, area in zip(kinds, lengths, areas.tolist(), strict=True)
        if length
    ]


def check_scale(payload: Any) -> None:
    """Refuses values that `parse_strokes` has clipped: a program may have sent pixels.

    Args:
        payload: strokes that `parse_strokes` accepts.

    Raises:
        StrokeError: a coordinate is more than one page outside of the page, a width is above 0.2,
            or a pressure is above 2.
    """
    for stroke in payload:
        points = np.array([tuple(point)[:2] for point in stroke["points"]], np.float64)
        width = float(stroke["width"])
        far = points[(points < _MIN_COORDINATE) | (points > _MAX_COORDINATE)]
        if len(far):
            raise StrokeError(
                f"Coordinates go from 0, 0 at the top left of the page to 1, 1; {far[0]:g} is far "
                "outside. Divide pixels by the page's side."
            )
        if width > _MAX_WIDTH:
            raise StrokeError(
                f"A width is a share of the page's side, at most {_MAX_WIDTH}; "
                f"{width:g} is too large. Divide pixels by the page's side."
            )
        pressures = [float(point[2]) for point in stroke["points"] if len(point) > 2]
        hard = [pressure for pressure in pressures if pressure > _MAX_PRESSURE]
        if hard:
            raise StrokeError(
                f"The third number of a point is its pressure, usually 1 and at most "
                f"{_MAX_PRESSURE:g}; {hard[0]:g} is too large."
            )


def render_strokes(strokes: Sequence[Stroke], paper: Image.Image | None = None) -> Image.Image:
    """Renders black strokes with round ends on white paper.

    Args:
        strokes: in the order in which they are drawn.
        paper: a picture to draw on. It is fitted into the page without distortion.

    Returns:
        A square picture of 384 pixels a side: grey, or RGB if there is a `paper`.
    """
    if paper is None:
        return ImageChops.invert(render_ink(strokes))
    side, paper = _PAGE_SIDE, flatten(paper)
    ground = _ground(paper)
    page = Image.new("RGB", (side, side), ground)
    scale = side / max(paper.size)
    width, height = (max(1, round(length * scale)) for length in paper.size)
    page.paste(paper.resize((width, height)), ((side - width) // 2, (side - height) // 2))
    _paint(page, strokes, (0, 0, 0), ground)
    return page


def render_ink(strokes: Sequence[Stroke]) -> Image.Image:
    """The ink of strokes: a square grey picture of 384 pixels a side, 255 for ink."""
    finished = tuple(strokes[:-1])
    is_cached = sum(len(stroke.points) for stroke in finished) <= _CACHED_POINTS
    page = _cached_page(finished).copy() if is_cached else _new_page(finished)
    _paint(page, strokes[-1:], 255, 0)
    return page


@lru_cache(_CACHED_PAGES)
def _cached_page(strokes: tuple[Stroke, ...]) -> Image.Image:
    return _new_page(strokes)


def _new_page(strokes: Sequence[Stroke]) -> Image.Image:
    page = Image.new("L", (_PAGE_SIDE, _PAGE_SIDE), 0)
    _paint(page, strokes, 255, 0)
    return page


def _paint(page: Image.Image, strokes: Sequence[Stroke], ink: Any, ground: Any) -> None:
    draw = ImageDraw.Draw(page)
    for stroke in strokes:
        _paint_stroke(draw, stroke, ground if stroke.erase else ink, page.width)


def _paint_stroke(draw: ImageDraw.ImageDraw, stroke: Stroke, colour: Any, side: int) -> None:
    points = [(x * side, y * side) for x, y, _ in stroke.points]
    widths = [stroke.width * pressure * side for _, _, pressure in stroke.points]
    if len(set(widths)) == 1:
        width = max(1, round(widths[0]))
        draw.line(points, colour, width)
        # Discs make the ends round and cover gaps where the line turns.
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
    """The points at which a line of this width turns so sharply that its outer side has a gap."""
    turns = []
    for (ax, ay), (x, y), (bx, by) in zip(points, points[1:], points[2:], strict=False):
        ahead = (x - ax) * (bx - x) + (y - ay) * (by - y)
        aside = (x - ax) * (by - y) - (y - ay) * (bx - x)
        if width * abs(aside) > 2 * ahead:
            turns.append((x, y))
    return turns


def _ground(paper: Image.Image) -> tuple[int, ...]:
    """The median colour along the border of a picture, so that padding makes no visible edge."""
    pixels = np.asarray(paper)
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    return tuple(int(tone) for tone in np.median(edge, axis=0))


def _points(payload: list[Any]) -> NDArray[np.float64]:
    """Points with their pressure (1 if missing), `(n, 3)`, clipped to their range."""
    if not payload:
        return np.empty((0, 3))
    if len(set(map(len, payload))) > 1:
        payload = [(*point, 1.0) if len(point) == 2 else point for point in payload]
    numbers = np.array(payload, np.float64)
    if numbers.ndim != 2 or numbers.shape[1] not in (2, 3) or np.isnan(numbers).any():
        raise ValueError("not points")
    points = np.ones((len(numbers), 3))
    numbers[:, :2].clip(_MIN_COORDINATE, _MAX_COORDINATE, out=points[:, :2])
    if numbers.shape[1] == 3:
        numbers[:, 2].clip(_MIN_PRESSURE, _MAX_PRESSURE, out=points[:, 2])
    return points


def _areas(
    points: NDArray[np.float64], lengths: Sequence[int], widths: Sequence[float]
) -> NDArray[np.float64]:
    """The `Stroke.area` of each stroke, `(n,)`.

    Args:
        points: the points of all strokes, one stroke after the other, `(n, 3)`.
        lengths: number of points of each stroke.
        widths: width of each stroke.
    """
    stroke_of = np.repeat(np.arange(len(lengths)), lengths)
    heaviest = np.zeros(len(lengths))
    np.maximum.at(heaviest, stroke_of, points[:, 2])
    heaviest *= widths
    steps = np.hypot(*np.diff(points[:, :2], axis=0).T)
    within = stroke_of[1:] == stroke_of[:-1]
    travelled = np.bincount(stroke_of[1:][within], steps[within], len(lengths))
    return np.asarray(heaviest * (travelled + heaviest * lengths))


def _number(value: Any) -> float:
    number = float(value)
    if math.isnan(number):
        raise ValueError("not a number")
    return number
