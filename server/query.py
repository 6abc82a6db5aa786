"""What a search asks for: the payload of a browser or a program, validated."""

from typing import Annotated, Any

import orjson
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    Strict,
    ValidationError,
)

from model.errors import SketchZooError
from model.pictures.strokes import Stroke, parse_strokes

DEFAULT_K = 12
"""Photos in an answer, where a query does not say how many."""

MAX_K = 48
"""Photos in an answer at most."""

MAX_NARROWED = 200
"""Photos or labels in each list of a query at most."""

_MESSAGES = {
    "strokes": "A query needs strokes; the list may be empty.",
    "picture": "The uploaded picture is not known. Upload it again.",
    "photo": "photo must be the id of a photo from an answer.",
    "k": f"k is a whole number from 1 to {MAX_K}.",
    **{
        name: f"{name} must be a list of at most {MAX_NARROWED} ids of photos from an answer."
        for name in ("like", "unlike")
    },
    **{
        name: f"{name} must be a list of at most {MAX_NARROWED} labels."
        for name in ("only", "without")
    },
    **{name: f"{name} must be a string." for name in ("gallery", "page")},
}
"""What to answer where a field is wrong."""


def _as_int(value: object) -> object:
    """JavaScript and Gradio may send 12 as 12.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Photos = Annotated[list[str], Field(max_length=MAX_NARROWED)]
Labels = Annotated[frozenset[str], Strict(False), Field(max_length=MAX_NARROWED)]
Count = Annotated[int, BeforeValidator(_as_int), Field(ge=1, le=MAX_K)]


class Query(BaseModel):
    """A drawing or a photo to search by, and how the search is narrowed.

    Attributes:
        strokes: what was drawn, on `picture` if there is one.
        picture: path of an upload.
        photo: id of a photo of the gallery to search by, instead of a drawing.
        k: how many photos to find.
        like, unlike: ids of photos that the query is moved towards and away from.
        only, without: labels to search among, and to leave out.
        gallery: its name; None for the first.
        page: tells the pages of one client apart; only the newest drawing of a page is embedded.
            Empty: every drawing is.
    """

    model_config = ConfigDict(frozen=True, strict=True)

    strokes: Annotated[list[Stroke], PlainValidator(parse_strokes)]
    picture: str | None = None
    photo: str | None = None
    k: Count = DEFAULT_K
    like: Photos = []
    unlike: Photos = []
    only: Labels = frozenset()
    without: Labels = frozenset()
    gallery: str | None = None
    page: str | None = None


def parse_query(payload: Any) -> Query:
    """Validates a query; all fields but the strokes may be missing.

    Raises:
        SketchZooError: a field has the wrong form or is too large.
    """
    try:
        return Query.model_validate(payload)
    except ValidationError as error:
        place = error.errors(include_url=False, include_input=False)[0]["loc"]
        message = _MESSAGES[str(place[0])] if place else "A query must be a JSON object."
        raise SketchZooError(message) from error


def parse_json(body: bytes) -> dict[str, Any]:
    """Reads a JSON object.

    Raises:
        SketchZooError: the body is not one.
    """
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError:
        payload = None
    if not isinstance(payload, dict):
        raise SketchZooError("The body of the request must be a JSON object.")
    return payload
