"""Strokes, as they travel from the browser, to a picture: the one renderer of drawings."""

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
from model.pictures.decoding import flatten

MAX_STROKES = 1000
MAX_POINTS = 50_000
MAX_INK = 400.0
"""Pages that a drawing's lines could cover if none crossed another: the time to paint it."""

_LEAST, _MOST = -1.0, 2.0
"""Coordinates that are kept: within one page's distance of the page."""

_FINEST, _WIDEST = 0.001, 0.2
_LIGHTEST, _HARDEST = 0.1, 2.0

_PAPER_SIDE = 384
"""Pixels. Drawings are rendered at this size, then framed for the encoder."""

_KEPT = 256
"""Pages with all but the last stroke of a drawing, since only that one grows. A page takes 147 kB,
and with its strokes, which it is known by, up to 440 kB."""

_SHORT = 2000
"""Points of drawings whose pages are kept."""


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
            kinds.append(
                (min(max(_number(item["width"]), _FINEST), _WIDEST), item.get("erase") is True)
            )
            everything.extend(item["points"])
            lengths.append(len(item["points"]))
            if len(everything) > MAX_POINTS:
                raise StrokeError(
                    f"A drawing has at most {MAX_POINTS} points; clear and start again."
                )
        points = _points(everything)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise StrokeError(
            'A stroke looks like {"width": 0.012, "points": [[0.1, 0.2], [0.3, 0.4]]}, with '
            "coordinates from 0 to 1."
        ) from error
    if _ink(points, lengths, [width for width, _ in kinds]) > MAX_INK:
        raise StrokeError(
            "That is too much for so wide a pen; take a finer one, or clear and start again."
        )
    each = zip(*points.T.tolist(), strict=True)
    return [
        Stroke(tuple(islice(each, length)), *kind)
        for kind, length in zip(kinds, lengths, strict=True)
        if length
    ]


def check_scale(payload: Any) -> None:
    """Refuses what `parse_strokes` would only bound: a program may have sent pixels.

    Raises:
        StrokeError: a coordinate is more than a page away from the page, a width is above 0.2, or
            a pressure above 2.
    """
    parse_strokes(payload)
    for stroke in payload:
        points = np.array([tuple(point)[:2] for point in stroke["points"]], np.float64)
        far = points[(points < _LEAST) | (points > _MOST)]
        if len(far):
            raise StrokeError(
                f"Coordinates go from 0, 0 at the top left of the page to 1, 1; {far[0]:g} is far "
                "outside. Divide pixels by the page's side."
            )
        if float(stroke["width"]) > _WIDEST:
            raise StrokeError(
                f"A width is a share of the page's side, at most {_WIDEST}; {stroke['width']:g} is "
                "none. Divide pixels by the page's side."
            )
        hard = [point[2] for point in stroke["points"] if len(point) > 2 and point[2] > _HARDEST]
        if hard:
            raise StrokeError(
                f"The third number of a point is the pressure there, 1 for the usual and at most "
                f"{_HARDEST:g}; {hard[0]:g} is none."
            )


def render_strokes(strokes: Sequence[Stroke], paper: Image.Image | None = None) -> Image.Image:
    """Black strokes with round ends on white paper.

    Args:
        strokes: drawn in their order.
        paper: a picture to draw on, fitted into the page without distortion.

    Returns:
        A square picture: grey, or RGB where there is a `paper`.
    """
    if paper is None:
        return ImageChops.invert(render_ink(strokes))
    side, paper = _PAPER_SIDE, flatten(paper)
    ground = _ground(paper)
    page = Image.new("RGB", (side, side), ground)
    scale = side / max(paper.size)
    width, height = (max(1, round(length * scale)) for length in paper.size)
    page.paste(paper.resize((width, height)), ((side - width) // 2, (side - height) // 2))
    _paint(page, strokes, (0, 0, 0), ground)
    return page


def render_ink(strokes: Sequence[Stroke]) -> Image.Image:
    """Where strokes leave ink: a square picture in grey, 255 there and 0 elsewhere."""
    finished = tuple(strokes[:-1])
    is_short = sum(len(stroke.points) for stroke in finished) <= _SHORT
    page = _kept_page(finished).copy() if is_short else _new_page(finished)
    _paint(page, strokes[-1:], 255, 0)
    return page


@lru_cache(_KEPT)
def _kept_page(strokes: tuple[Stroke, ...]) -> Image.Image:
    return _new_page(strokes)


def _new_page(strokes: Sequence[Stroke]) -> Image.Image:
    page = Image.new("L", (_PAPER_SIDE, _PAPER_SIDE), 0)
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


def _points(payload: list[Any]) -> NDArray[np.float64]:
    """Points with their pressure, 1 where it is not given, `(n, 3)`; kept within bounds."""
    if not payload:
        return np.empty((0, 3))
    if len(set(map(len, payload))) > 1:
        payload = [(*point, 1.0) if len(point) == 2 else point for point in payload]
    numbers = np.array(payload, np.float64)
    if numbers.ndim != 2 or numbers.shape[1] not in (2, 3) or np.isnan(numbers).any():
        raise ValueError("not points")
    points = np.ones((len(numbers), 3))
    numbers[:, :2].clip(_LEAST, _MOST, out=points[:, :2])
    if numbers.shape[1] == 3:
        numbers[:, 2].clip(_LIGHTEST, _HARDEST, out=points[:, 2])
    return points


def _ink(points: NDArray[np.float64], lengths: Sequence[int], widths: Sequence[float]) -> float:
    """At most the area in pages that strokes paint, with the round joints of their points.

    Args:
        points: of all strokes, one after the other, `(n, 3)`.
        lengths: how many of them each stroke has.
        widths: of the strokes.
    """
    of = np.repeat(np.arange(len(lengths)), lengths)
    heaviest = np.zeros(len(lengths))
    np.maximum.at(heaviest, of, points[:, 2])
    heaviest *= widths
    steps = np.hypot(*np.diff(points[:, :2], axis=0).T)
    within = of[1:] == of[:-1]
    way = np.bincount(of[1:][within], steps[within], len(lengths))
    return float(heaviest @ (way + heaviest * lengths))


def _number(value: Any) -> float:
    number = float(value)
    if math.isnan(number):
        raise ValueError("not a number")
    return number
