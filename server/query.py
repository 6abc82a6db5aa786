"""What the board asks for, checked."""

from dataclasses import dataclass
from typing import Any

from model.errors import SketchZooError
from model.pictures.strokes import Stroke, StrokeError, parse_strokes

MAX_K = 48
MAX_NARROWED = 200


@dataclass(frozen=True)
class Query:
    """A drawing or a photo to search by, and how the search is narrowed.

    Attributes:
        strokes: what was drawn, on `picture` where there is one.
        picture: the path of an upload.
        photo: number of a photo of the gallery to search by instead of a drawing.
        k: how many photos are wanted.
        like, unlike: numbers of photos that the query is moved towards and away from.
        only, without: labels to search among, and to leave out.
        gallery: its name; None for the first.
        version: of the gallery that the numbers are of; None for the current one.
    """

    strokes: list[Stroke]
    picture: str | None
    photo: int | None
    k: int
    like: list[int]
    unlike: list[int]
    only: frozenset[str]
    without: frozenset[str]
    gallery: str | None
    version: str | None

    @property
    def names_photos(self) -> bool:
        """Whether photos are named by their numbers."""
        return bool(self.photo is not None or self.like or self.unlike)


def parse_query(payload: Any) -> Query:
    """Checks and converts what a browser has sent; everything but the strokes may be left out.

    Raises:
        SketchZooError: it has another form, or is too large.
    """
    if not isinstance(payload, dict):
        raise StrokeError("A query holds strokes, and the path of an upload or none.")
    picture, photo = payload.get("picture"), payload.get("photo")
    if not isinstance(picture, str | None):
        raise StrokeError("The uploaded picture is not known. Upload it again.")
    return Query(
        strokes=parse_strokes(payload.get("strokes")),
        picture=picture,
        photo=None if photo is None else _numbers([photo])[0],
        k=parse_count(payload.get("k", 12)),
        like=_numbers(payload.get("like", [])),
        unlike=_numbers(payload.get("unlike", [])),
        only=_labels(payload.get("only", [])),
        without=_labels(payload.get("without", [])),
        gallery=_name(payload.get("gallery")),
        version=_name(payload.get("version")),
    )


def parse_count(k: Any) -> int:
    """The number of photos that are wanted.

    Raises:
        SketchZooError: it is no whole number from 1 to `MAX_K`.
    """
    if not isinstance(k, int | float) or not 1 <= k <= MAX_K or k != int(k):
        raise SketchZooError(f"k is a whole number from 1 to {MAX_K}.")
    return int(k)


def _numbers(value: Any) -> list[int]:
    if not _is_list_of(value, int):
        raise SketchZooError(f"Photos are named by at most {MAX_NARROWED} numbers.")
    return list(value)


def _name(value: Any) -> str | None:
    if not isinstance(value, str | None):
        raise SketchZooError("A gallery is named by its name, and its version as it was answered.")
    return value


def _labels(value: Any) -> frozenset[str]:
    if not _is_list_of(value, str):
        raise SketchZooError(f"A search is narrowed by at most {MAX_NARROWED} labels.")
    return frozenset(value)


def _is_list_of(value: Any, kind: type) -> bool:
    return (
        isinstance(value, list)
        and len(value) <= MAX_NARROWED
        and all(type(item) is kind for item in value)
    )
